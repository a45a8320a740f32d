"""Memory of a platform's processes over a long run: peaks, and slopes that never reach over a restart."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from road import Platform
from stage import rss_mb

WARM_UP_S = 300.0
LEAST_S = 600.0  # of one life after its warm-up: over less than that a step of 0.1 MB would be told as megabytes an hour

Point = tuple[float, float]  # seconds, MB


@dataclass(slots=True, kw_only=True)
class Memory:
    """Samples of RSS by process and life: a process that was started again begins a new series."""

    samples: dict[tuple[str, int], list[Point]] = field(default_factory=dict)

    def sample(self, platform: Platform) -> None:
        before = _lives(platform)
        sizes = rss_mb(platform)
        after = _lives(platform)
        for name, rss in sizes.items():
            if name in before and before[name] == after.get(name):  # else nobody knows whose memory it was
                self.add(name, before[name], time.monotonic(), rss)

    def add(self, name: str, life: int, at_s: float, rss: float) -> None:
        self.samples.setdefault((name, life), []).append((at_s, rss))

    def peaks(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for (name, _), series in self.samples.items():
            found[name] = max(found.get(name, 0.0), *(rss for _, rss in series))
        return found

    def slopes(self, warm_up_s: float) -> dict[str, float]:
        """MB/h of each process's longest life after its warm-up: least squares. Nothing where no life lasted long enough."""
        found: dict[str, tuple[float, float]] = {}
        for (name, _), series in self.samples.items():
            warm = [point for point in series if point[0] - series[0][0] >= warm_up_s]
            lasted = warm[-1][0] - warm[0][0] if warm else 0.0
            if lasted >= LEAST_S and lasted > found.get(name, (0.0, 0.0))[0]:
                found[name] = lasted, round(slope(warm) * 3600, 2)
        return {name: value for name, (_, value) in found.items()}

    def died(self, killed: Mapping[str, int]) -> dict[str, int]:
        """How often processes were started again that nobody had killed: their slopes tell of one of several lives."""
        lives = Counter(name for name, _ in self.samples)
        return {name: more for name, count in lives.items() if (more := count - 1 - killed.get(name, 0)) > 0}


def slope(points: list[Point]) -> float:
    """Least squares, per second."""
    n = len(points)
    mean_t, mean_y = sum(t for t, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((t - mean_t) ** 2 for t, _ in points)
    return sum((t - mean_t) * (y - mean_y) for t, y in points) / spread if spread else 0.0


def _lives(platform: Platform) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in platform.names():
        try:
            found[name] = platform.pid(name)
        except (FileNotFoundError, ValueError):  # being started again
            continue
    return found
