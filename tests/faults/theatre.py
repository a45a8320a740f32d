"""Plays scenarios: keeps one platform running from one to the next of its kind, and writes down what came out."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from apart import Apart
from load import Load
from road import Platform, until
from stage import Kind, Scenario, Stage, WrongError

from infra.servers.server import is_free

GONE_S = 30.0
DISK_BYTES = 400_000_000


class _DiscardedError(Exception):
    """The shared load ends without a comparison."""


class Theatre:
    """One platform at a time. `play` raises what went wrong; `discard` then gives the next scenario a fresh one.

    The logs of a failed scenario's platform are kept in `evidence`. With `together` all scenarios of a platform share one load;
    what it sent is compared by `settle`.
    """

    def __init__(self, folder: Path, evidence: Path | None = None, *, together: bool = False) -> None:
        self._folder = folder
        self._evidence = evidence
        self._kind: Kind | None = None
        self._platform: Platform | None = None
        self._numbers = itertools.count(1)
        self._together = together
        self._open: ExitStack | None = None
        self._shared: Load | None = None

    def play(self, scenario: Scenario, scale: float, *, limit_s: float | None = None) -> dict[str, Any]:
        """Play it and return its figures; raises `AssertionError` when anything does not agree, or recovery took too long."""
        figures: dict[str, Any] = {"what": scenario.what, "platform": scenario.kind}
        began = time.monotonic()
        try:
            platform = self._prepare(scenario.kind)
            folder = self._folder / scenario.name
            shared = self._share(scale) if self._together else None
            scenario.run(Stage(name=scenario.name, platform=platform, folder=folder, scale=scale, figures=figures, shared=shared))
            self._check_recovery(figures, limit_s)
        except (Exception, pytest.fail.Exception) as error:
            figures["failed"] = f"{type(error).__name__}: {error}"[:2000]
            self._keep_evidence(scenario.name)
            raise
        finally:
            figures["seconds"] = round(time.monotonic() - began, 1)
            self.last = figures
        return figures

    def _share(self, scale: float) -> Load:
        assert self._platform is not None
        if self._open is None or self._shared is None:
            stage = Stage(
                name=f"{self._kind}-together", platform=self._platform, folder=self._folder / f"{self._kind}", scale=scale
            )
            self._open = ExitStack()
            self._shared = self._open.enter_context(stage.load())
        return self._shared

    def settle(self) -> None:
        """Compare what the shared load sent; raises `WrongError`."""
        opened, self._open, self._shared = self._open, None, None
        if opened is not None:
            opened.close()

    def _keep_evidence(self, name: str) -> None:
        if self._evidence is None or self._platform is None:
            return
        target = self._evidence / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for root in self._platform.roots():
            for log in (root / "log").glob("*.log"):
                shutil.copyfile(log, target / f"{root.name}-{log.name}")
        if self._platform.said.exists():
            shutil.copyfile(self._platform.said, target / "up.log")

    @staticmethod
    def _check_recovery(figures: dict[str, Any], limit_s: float | None) -> None:
        took = figures.get("recovery_s", {}).get("max", 0.0)
        if limit_s is not None and took > limit_s:
            raise WrongError(f"recovery took {took} s, promised are {limit_s} s")

    def _prepare(self, kind: Kind) -> Platform:
        if kind != self._kind:
            self.clear()
        if self._platform is None:
            folder = self._folder / f"{kind}-{next(self._numbers)}"
            folder.mkdir(parents=True)
            self._platform = made(kind, folder)
            self._kind = kind
            self._platform.start()
        return self._platform

    def discard(self) -> None:
        """Give the platform back after a failure, whatever state it is in."""
        opened, self._open, self._shared = self._open, None, None
        if opened is not None:
            with suppress(_DiscardedError):
                opened.__exit__(_DiscardedError, _DiscardedError(), None)
        platform, self._platform, self._kind = self._platform, None, None
        if platform is not None:
            platform.end()

    def clear(self) -> None:
        """End the platform; nothing of it may be left: no process, no port."""
        self.settle()
        platform = self._platform
        if platform is None:
            return
        ports = platform.ports()
        self.discard()
        until(lambda: not platform.family(), GONE_S, "all processes are gone")
        until(lambda: all(is_free("127.0.0.1", port) for port in ports), GONE_S, "all ports are free")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.clear()
        else:
            self.discard()


def made(kind: Kind, folder: Path) -> Platform:
    if kind in ("apart", "full"):
        return Apart(folder, disk_bytes=DISK_BYTES if kind == "full" else 0)
    return Platform(kind, folder / "data")


def temporary_theatre(stack: ExitStack, evidence: Path | None = None) -> Theatre:
    """Make one in a directory that goes with it."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="grenzregion-faults-"))
    return stack.enter_context(Theatre(Path(folder), evidence))
