"""Local months and hours of many moments at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from streams.quality.window import Integers, Places

HOURS = 24
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# No summer time is shorter; beyond these years a zone keeps the offset that it has at their ends.
_STEP = timedelta(days=7)
_FROM, _UNTIL = datetime(1990, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)


def month_and_hour(time_us: Integers, timezone: str) -> Places:
    """Give 24 * month + hour of the local time, January being 0, for microseconds since 1970 UTC (m,)."""
    local = local_us(time_us, timezone)
    month = local.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12
    return (month * HOURS + local // _HOUR_US % HOURS).astype(np.intp)


def local_us(time_us: Integers, timezone: str) -> Integers:
    """Give what local clocks show, as microseconds since 1970 of their own, for microseconds since 1970 UTC (m,)."""
    changes, offsets = _offsets(timezone)
    return time_us + offsets[np.searchsorted(changes, time_us, side="right")]


def waking_us(earlier_us: Integers, later_us: Integers, pause_h: tuple[float, float], timezone: str) -> Integers:
    """Give the microseconds between two moments (m,) that lie outside a daily pause from and until hours of the local time."""
    begin, end = (round(hour * _HOUR_US) for hour in pause_h)
    length = (end - begin) % _DAY_US

    def paused(local: Integers) -> Integers:
        return (local - begin) // _DAY_US * length + np.minimum((local - begin) % _DAY_US, length)

    earlier, later = local_us(earlier_us, timezone), local_us(later_us, timezone)
    # When clocks change within the pause the hour more or less counts as pause.
    passed = np.minimum(later_us - earlier_us, later - earlier)
    return np.maximum(passed - (paused(later) - paused(earlier)), 0)


@lru_cache
def _offsets(timezone: str) -> tuple[Integers, Integers]:
    """Moments (k,) at which the zone changes its clocks, and its offsets (k + 1,) around them, in microseconds."""
    zone = ZoneInfo(timezone)
    moment, offsets = _FROM, [_offset(_FROM, zone)]
    changes: list[datetime] = []
    while moment < _UNTIL:
        after = moment + _STEP
        if _offset(after, zone) != offsets[-1]:
            changes.append(_change(moment, after, zone))
            offsets.append(_offset(after, zone))
        moment = after
    micro = timedelta(microseconds=1)
    return (
        np.array([(change - _EPOCH) // micro for change in changes], dtype=np.int64),
        np.array([offset // micro for offset in offsets], dtype=np.int64),
    )


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Give the first second of the new offset."""
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        if _offset(middle, zone) == _offset(before, zone):
            before = middle
        else:
            after = middle
    return after
