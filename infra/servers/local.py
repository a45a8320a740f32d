"""The set `local`."""

from __future__ import annotations


def is_installed() -> bool:
    """Whether `make servers` was run."""
    return False
