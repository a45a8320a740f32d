"""Values of buckets that are over: means, changes of means, shares of bad readings; and their events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from streams.alerts.events import Event, events, exceedances, instant
from streams.alerts.watches import Watch

_HOUR_US = 3_600_000_000
_QUARTER_US = _HOUR_US // 4
_SLACK_US = {"quarter_hour": _QUARTER_US, "hour": _HOUR_US, "day": 26 * _HOUR_US, "year": 367 * 24 * _HOUR_US}


class Bucket(NamedTuple):
    """A bucket that is over: its start (microseconds) and local year; usable numbers and their sum; readings, and the bad ones."""

    start: int
    year: int
    numbers: int
    total: Decimal
    readings: int
    bad: int


def reach(watch: Watch, low: int) -> int:
    """Give a time at or before the start of the bucket that `low` is in."""
    return low - _SLACK_US[watch.span]


def needed(watch: Watch, low: int) -> int:
    """Give from when on buckets have to be known to evaluate from `low` on."""
    return low - (_SLACK_US["year"] if watch.allowed is not None else watch.over)


def is_same(watch: Watch, one: int, other: int) -> bool:
    """Whether two times are in the same bucket."""
    return _label(watch, one) == _label(watch, other)


def _label(watch: Watch, time: int) -> object:
    if watch.span in {"quarter_hour", "hour"}:
        return time // _SLACK_US[watch.span]
    local: datetime = instant(time).astimezone(ZoneInfo(watch.timezone) if watch.timezone else UTC)
    return local.date() if watch.span == "day" else local.year


def bucket_events(watch: Watch, buckets: Sequence[Bucket], low: int) -> list[Event]:
    """Find the events from `low` on; nothing lasts there. `buckets` ascend and reach back to `needed`."""
    series = _series(watch, buckets)
    if watch.allowed is None:
        series = [each for each in series if each[0] >= low]
    times = np.array([time for time, _, _ in series], dtype=np.int64)
    values = np.array([value for _, value, _ in series], dtype=np.float64)
    if watch.allowed is None:
        return events(watch, times, values)
    return exceedances(watch, times, values, np.array([year for _, _, year in series], dtype=np.int64), low)


def _series(watch: Watch, buckets: Sequence[Bucket]) -> list[tuple[int, float, int]]:
    match watch.kind:
        case "quality":
            return [(b.start, 100 * b.bad / b.readings, b.year) for b in buckets if b.readings >= watch.least]
        case "mean":
            return [(b.start, float(b.total / b.numbers), b.year) for b in buckets if b.numbers and b.numbers >= watch.least]
        case _:
            means = {b.start: b.total / b.numbers for b in buckets if b.numbers}
            hours = Decimal(watch.over) / _HOUR_US
            return [
                (b.start, float((means[b.start] - means[b.start - watch.over]) / hours), b.year)
                for b in buckets
                if b.start in means and b.start - watch.over in means
            ]
