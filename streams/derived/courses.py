"""Figures of a course in time: means of irregular series, shares of states, and what a counter counted over its resets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from streams.derived.numbers import exact
from streams.derived.window import Reading, Window

MICRO = 1_000_000
# States that say nothing: OCPI's UNKNOWN includes offline.
UNKNOWN = frozenset({"unknown", "UNKNOWN", "offline"})
BINS = (0.0, 25.0, 50.0, 75.0, 100.0)  # of a number that is never averaged, in percent; the last is open


def _pieces(window: Window) -> Iterator[tuple[Reading, int]]:
    """Each reading that stands for a part of the bucket, and how long in microseconds: until the next one, at most `hold`.

    A reading whose flag is not asked for stands for nothing, but ends its predecessor: what came in between is not known.
    """
    readings = window.with_former()
    for place, reading in enumerate(readings):
        following = readings[place + 1].time if place + 1 < len(readings) else window.end
        start = max(reading.time, window.start)
        end = min(following, window.end, reading.time + window.site.hold)
        if end > start and reading.flag in window.flags:
            yield reading, round((end - start).total_seconds() * MICRO)


def time_weighted_mean(window: Window) -> dict[str, Any] | None:
    """Mean with each number weighted by the time that it stands for, and the known share of the bucket; None without any."""
    total, known = Fraction(0), 0
    for reading, length in _pieces(window):
        if reading.number is not None:
            total += Fraction(exact(reading.number)) * length
            known += length
    if not known:
        return None
    return {"mean": float(total / known), "known_share": _share(window, known)}


def state_shares(window: Window) -> dict[str, Any] | None:
    """Share of each state in the time in which the state is known: `true` of a bay is occupied / (occupied + free).

    Unknown states and nulls are no part of it. None where nothing is known.
    """
    lengths: dict[str, int] = {}
    for reading, length in _pieces(window):
        state = _state(reading)
        if state is not None:
            lengths[state] = lengths.get(state, 0) + length
    known = sum(lengths.values())
    if not known:
        return None
    return {"shares": {state: lengths[state] / known for state in sorted(lengths)}, "known_share": _share(window, known)}


def distribution(window: Window) -> dict[str, Any] | None:
    """How often each state was reported, numbers by bins of 25: GTFS' occupancy is no linear scale and never averaged."""
    counts: dict[str, int] = {}
    for reading in window.used():
        state = _bin(reading.number) if reading.number is not None else _state(reading)
        if state is not None:
            counts[state] = counts.get(state, 0) + 1
    total = sum(counts.values())
    if not total:
        return None
    return {"counts": dict(sorted(counts.items())), "shares": {state: counts[state] / total for state in sorted(counts)}}


def increase(window: Window) -> dict[str, Any] | None:
    """Sum a counter's positive increments exactly; None without two readings to compare.

    An increment belongs to the bucket in which it ended; a reading at the bucket's end closes it. A decrease, or a verdict of
    counter_reset, is a new beginning: what was counted around it is not known and not added. Other readings of a flag not asked for
    are passed by.
    """
    total, steps, resets = Decimal(0), 0, 0
    base: float | None = None
    for reading in window.until_end():
        if reading.number is None or not (reading.flag in window.flags or reading.is_reset):
            continue
        if reading.time > window.start and base is not None:
            if reading.is_reset or reading.number < base:
                resets += 1
            else:
                total += exact(reading.number) - exact(base)
                steps += 1
        base = reading.number
    return {"increase": float(total), "resets": resets} if steps or resets else None


def _state(reading: Reading) -> str | None:
    if isinstance(reading.result, bool):
        return "true" if reading.result else "false"
    return reading.result if isinstance(reading.result, str) and reading.result not in UNKNOWN else None


def _bin(number: float) -> str:
    if number < BINS[0]:
        return f"< {BINS[0]:g}"
    low = max(bound for bound in BINS if bound <= number)
    return f">= {low:g}"


def _share(window: Window, known: int) -> float:
    return known / round((window.end - window.start).total_seconds() * MICRO)


Figure = Callable[[Window], dict[str, Any] | None]
