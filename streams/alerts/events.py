"""Events of one Datastream under one rule: a pure function of its stored values, whatever order and portions they came in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import numpy.typing as npt

from streams.alerts.watches import Watch

Times = npt.NDArray[np.int64]  # microseconds since 1970, ascending, each once
Values = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Event(msgspec.Struct, kw_only=True):
    """Something that lasts from `begins` until `ends`, None: still. `level`: now, or the last one; `level_at`: since when.

    `value`: the utmost, `value_at`: when it was first met.
    """

    begins: datetime
    ends: datetime | None
    level: int
    level_at: datetime
    highest: int
    value: float | None
    value_at: datetime | None


def instant(us: int) -> datetime:
    """Give microseconds since 1970 as an aware time."""
    return _EPOCH + timedelta(microseconds=us)


def events(watch: Watch, times: Times, values: Values) -> list[Event]:
    """Find the events among values (n,) at `times` (n,); nothing lasts before the first of them."""
    if watch.since is not None:
        first = np.searchsorted(times, watch.since)
        times, values = times[first:], values[first:]
    mirrored = values * watch.sign
    side = "left" if watch.strict else "right"
    up = np.searchsorted(np.asarray(watch.raises), mirrored, side).astype(np.int64)
    down = np.maximum(up, np.searchsorted(np.asarray(watch.clears), mirrored, side))
    return _fold(watch, times, values, up, down)


def exceedances(watch: Watch, times: Times, values: Values, years: Levels, low: int) -> list[Event]:
    """Find the events from `low` on of a limit that may be exceeded `allowed` times in each of `years` (n,).

    The year of `low` is there from its first value on; nothing lasts at `low`.
    """
    if watch.since is not None:
        first = np.searchsorted(times, watch.since)
        times, values, years = times[first:], values[first:], years[first:]
    over = values > watch.raises[0] if watch.strict else values >= watch.raises[0]
    up = np.zeros(len(values), dtype=np.int64)
    for year in np.unique(years):
        mine = years == year
        up[mine] = np.where(over[mine], np.where(np.cumsum(over[mine]) > (watch.allowed or 0), 2, 1), 0)
    wanted = times >= low
    return _fold(watch, times[wanted], values[wanted], up[wanted], up[wanted])


def silences(watch: Watch, times: Times, now: int | None) -> list[Event]:
    """Find where nothing came for longer than allowed: between `times` (n,) of readings, and until `now`, unless None."""
    found: list[Event] = []
    later = [*times[1:].tolist(), None]
    for last, following in zip(times.tolist(), later, strict=True):
        begins = last + watch.silence
        until = now if following is None else following
        if until is None or until <= begins:
            continue
        found.append(
            Event(
                begins=instant(begins), ends=None if following is None else instant(following), level=1, level_at=instant(begins),
                highest=1, value=None, value_at=None,
            )
        )  # fmt: skip
    return found


def _fold(watch: Watch, times: Times, values: Values, up: Levels, down: Levels) -> list[Event]:
    if watch.until is not None and (end := int(np.searchsorted(times, watch.until))) < len(times):
        # The rule ends: so does what lasts.
        times = np.append(times[:end], watch.until)
        values, up, down = np.append(values[:end], 0.0), np.append(up[:end], 0), np.append(down[:end], 0)
    up, down = (np.where(each < watch.least_level, 0, each) for each in (up, down))
    if not up.any():
        return []
    return _walk(watch, times.tolist(), values.tolist(), up.tolist(), down.tolist())


def _walk(watch: Watch, times: Sequence[int], values: Sequence[float], up: Sequence[int], down: Sequence[int]) -> list[Event]:
    found: list[Event] = []
    lasting: Event | None = None
    waiting: int | None = None  # place of the first value that would be an event if it lasts
    for place, time in enumerate(times):
        if lasting is not None:
            level = max(up[place], min(lasting.level, down[place]))
            if level:
                _extend(watch, lasting, level, time, values[place])
            else:
                lasting.ends, lasting = instant(time), None
        elif not up[place]:
            waiting = None
        else:
            waiting = place if waiting is None else waiting
            if time - times[waiting] >= watch.hold:
                lasting = _begin(watch, times, values, up, waiting, place)
                found.append(lasting)
                waiting = None
    return found


def _begin(watch: Watch, times: Sequence[int], values: Sequence[float], up: Sequence[int], first: int, place: int) -> Event:
    begins = instant(times[first])
    event = Event(
        begins=begins, ends=None, level=up[first], level_at=begins, highest=up[first], value=values[first], value_at=begins
    )
    for each in range(first + 1, place + 1):
        _extend(watch, event, up[each], times[each], values[each])
    return event


def _extend(watch: Watch, event: Event, level: int, time: int, value: float) -> None:
    if level != event.level:
        event.level, event.level_at = level, instant(time)
    event.highest = max(event.highest, level)
    if event.value is None or value * watch.sign > event.value * watch.sign:
        event.value, event.value_at = value, instant(time)
