"""What tests need of the machine: skipped where it is missing, failed where `GRENZREGION_REQUIRE_LOCAL=1` (decisions.md 21)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.servers import local

CHROMIUM = Path(os.environ.get("GRENZREGION_CHROMIUM", "/usr/bin/chromium"))
_NO_LOCAL = "`local` is not installed: make servers"
_NO_CHROMIUM = f"no browser at {CHROMIUM}: install Debian's chromium"


def need(servers: str) -> None:
    """Ask for a set of servers by its name."""
    _need(servers != "local" or local.is_installed(), _NO_LOCAL)


def need_chromium() -> None:
    _need(CHROMIUM.exists(), _NO_CHROMIUM)


def missing() -> list[str]:
    """What there is not; the tests that need it are skipped."""
    return [what for there, what in ((local.is_installed(), _NO_LOCAL), (CHROMIUM.exists(), _NO_CHROMIUM)) if not there]


def _need(there: bool, what: str) -> None:
    if not there:
        (pytest.fail if os.environ.get("GRENZREGION_REQUIRE_LOCAL") == "1" else pytest.skip)(what)
