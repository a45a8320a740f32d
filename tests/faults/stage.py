"""What a scenario gets: a running platform, how much of it is asked for, and where its figures go."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
from load import GATEWAYS, Load, load
from road import Platform
from truth import check

# `apart`: servers behind proxies; `full`: those on small disks of their own besides.
Kind = Literal["local", "apart", "full", "embedded"]


WHOLE_LOAD = 0.1  # the scale from which on all gateways publish; below, tests shall be quick


class WrongError(AssertionError):
    """What was found does not agree with what was sent."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """A scenario's surroundings. `figures` goes into the report; `scale` shrinks counts and durations.

    With a `shared` load, which goes on from scenario to scenario, nothing is compared before its own end.
    """

    name: str
    platform: Platform
    folder: Path
    scale: float
    shared: Load | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    rng: random.Random = field(default_factory=lambda: random.Random("faults"))

    def times(self, number: int, least: int = 1) -> int:
        return max(least, round(number * self.scale))

    def seconds(self, whole: float, least: float) -> float:
        return max(least, whole * self.scale)

    @contextmanager
    def load(self, *, may_lose_plain: bool = True, patience_s: float = 240.0, **options: Any) -> Iterator[Load]:
        """Load around a fault; when the fault is over, everything is settled and compared."""
        if self.shared is not None and "outboxes" not in options:
            del self.shared.recoveries[:]
            yield self.shared
            self.note(self.shared)
            return
        options.setdefault("gateways", GATEWAYS if self.scale >= WHOLE_LOAD else 2)
        with load(self.platform, self.folder / "outboxes", self.name, **options) as made:
            yield made
            made.settle(patience_s)
            self.judge(made, may_lose_plain=may_lose_plain)

    def judge(self, made: Load, *, may_lose_plain: bool) -> None:
        verdict = check(made, may_lose_plain=may_lose_plain, alone=self.shared is None)
        wrong = [*verdict.wrong, *strays(self.platform)]
        self.figures |= verdict.figures() | {"wrong": wrong}
        self.note(made)
        if wrong:
            raise WrongError("; ".join(wrong))

    def note(self, made: Load) -> None:
        self.figures |= made.notes
        self.figures["rss_mb"] = rss_mb(self.platform)
        if made.recoveries:
            took = sorted(made.recoveries)
            self.figures["recovery_s"] = {
                "n": len(took), "p50": round(statistics.median(took), 2), "max": round(took[-1], 2),
                "all": [round(each, 2) for each in made.recoveries],
            }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One fault: how it is made, on which platform, and the longest recovery that is promised (seconds)."""

    name: str
    what: str
    run: Callable[[Stage], None]
    kind: Kind = "local"
    recovery_s: float | None = None


def rss_mb(platform: Platform) -> dict[str, float]:
    """Memory of each process; with its children it is their proportional share, for PostgreSQL's share their buffers."""
    found: dict[str, float] = {}
    for name in platform.names():
        with suppress(psutil.Error, FileNotFoundError, ValueError):
            first = psutil.Process(platform.pid(name))
            children = first.children(recursive=True)
            size = sum(each.memory_full_info().pss for each in [first, *children]) if children else first.memory_info().rss
            found[name] = round(size / 1e6, 1)
    return found


def strays(platform: Platform, patience_s: float = 20.0) -> list[str]:
    """Processes of the platform that are none of its present ones, nor started by them; they may just be ending."""
    deadline = time.monotonic() + patience_s
    while left := _strays(platform):
        if time.monotonic() > deadline:
            return [
                f"{each.pid} {' '.join(each.cmdline()[-3:])} is a process that nobody needs" for each in left if each.is_running()
            ]
        time.sleep(0.5)
    return []


def _strays(platform: Platform) -> list[psutil.Process]:
    known: set[int] = set()
    for name in platform.names():
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            first = psutil.Process(platform.pid(name))
            known |= {first.pid, *(each.pid for each in first.children(recursive=True))}
    return [each for each in platform.family() if each.pid not in known]
