"""A recording made to happen now: it repeats for ever in whole weeks, so that weekday and time of day stay what they were.

The shift is a whole number of the recording's weeks in UTC: in the other half of the year the local time of day is off by the hour
of the clock change. What is left after the last whole week is not replayed. A recording shorter than a week repeats in whole hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from devices.replay.readers import Event
from devices.replay.recordings import read, recording, span
from devices.vocabulary import Reading

_WEEK_S = 7 * 86_400
_HOUR_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Where a recording begins (Unix seconds) and after how many seconds it repeats."""

    start_s: float
    length_s: int


def cycle(name: str) -> Cycle:
    """Give the cycle of a recording: as many whole weeks as it covers, or whole hours, at least one."""
    first, last = span(name)
    covered = (last - first).total_seconds() + 1
    unit = _WEEK_S if covered >= _WEEK_S else _HOUR_S
    return Cycle(start_s=first.timestamp(), length_s=max(1, int(covered // unit)) * unit)


def happening_now(name: str, after: float) -> Iterator[Event]:
    """Give the readings that are due later than `after` (Unix seconds), moved to then, in order, without end.

    `parameters.replayed` is the shift in seconds.
    """
    found = cycle(name)
    # An hour early: an interval that began in the cycle before may end in this one.
    shift = int((after - _HOUR_S - found.start_s) // found.length_s) * found.length_s
    while True:
        for device, reading in thinned(name):
            if reading.time.timestamp() >= found.start_s + found.length_s:
                break
            if due(reading) + shift > after:
                yield device, moved(reading, shift)
        shift += found.length_s


def once(name: str, after: float) -> Iterator[Event]:
    """Give the readings at their own times, those due later than `after`."""
    return (event for event in thinned(name) if due(event[1]) > after)


def thinned(name: str) -> Iterator[Event]:
    """Give a recording's readings without the messages that its `thin_s` leaves out."""
    thin_s = recording(name).thin_s
    taken: dict[str, tuple[int, datetime]] = {}
    for device, reading in read(name):
        if thin_s:
            slot = int(reading.time.timestamp() // thin_s)
            known = taken.setdefault(device, (slot, reading.time))
            if known[0] != slot:
                taken[device] = (slot, reading.time)
            elif known[1] != reading.time:
                continue
        yield device, reading


def due(reading: Reading) -> float:
    """Give the moment (Unix seconds) at which the reading was known."""
    return (reading.end or reading.time).timestamp()


def moved(reading: Reading, shift_s: int) -> Reading:
    """Give the reading so many seconds later, and say so in its parameters."""
    shift = timedelta(seconds=shift_s)
    return msgspec.structs.replace(
        reading,
        time=(reading.time + shift).astimezone(UTC),
        end=None if reading.end is None else (reading.end + shift).astimezone(UTC),
        parameters={**(reading.parameters or {}), "replayed": shift_s},
    )
