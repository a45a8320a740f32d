"""Figures of one Datastream per bucket: from the aggregates where they hold them, else from the readings; also as of an instant."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncConnection

from api.planning.sql import (
    FIGURE_AGGREGATES,
    FIGURE_BUCKETS,
    FIGURE_CHANGES,
    FIGURE_HEAD,
    FIGURE_ROWS,
    FIGURE_ROWS_AS_OF,
)
from streams.contract import FIGURES, PERIODS, Reading, Site, Window, direction_of, mean_of

MOST_BUCKETS = 1_500
MOST_ROWS = 100_000
FLAGS = (1, 2, 3, 4, 9)
SHORTEST = {
    "quarter_hour": timedelta(minutes=15),
    "hour": timedelta(hours=1),
    "day": timedelta(hours=23),
    "month": timedelta(days=28),
}
IN_AGGREGATES = frozenset({"statistics", "circular_mean"})
INTERVALS_HELD = 6  # timing_gap fails after as many: then nobody knows
LONGEST_HOLD = timedelta(days=1)


class UnknownPublicDatastreamError(LookupError):
    """There is no public Datastream of that id with one ObservedProperty."""

    def __init__(self, datastream: int) -> None:
        super().__init__(f"no public Datastream {datastream}")


class UnfitFigureError(ValueError):
    """The figure has no meaning for this Datastream or span, or is too large to make; the message says what to ask instead."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked for; `until` is exclusive, `flags` make the value, `as_of` None: what is known now."""

    datastream: int
    figure: str
    span: str
    since: datetime
    until: datetime
    flags: tuple[int, ...]
    as_of: datetime | None


class Head(NamedTuple):
    """What is known of the Datastream, in the order of figure_head.sql."""

    id: int
    property: str
    unit: str | None
    timezone: str
    country: str | None
    interval_s: float | None
    circular: bool
    averaged: bool
    datum: str | None
    name: str
    ucum: str | None

    def site(self) -> Site:
        """Give what figures need of the place; without an interval a reading stands for a day at most."""
        hold = LONGEST_HOLD if self.interval_s is None else min(LONGEST_HOLD, timedelta(seconds=INTERVALS_HELD * self.interval_s))
        return Site(timezone=self.timezone, country=self.country or "", hold=hold)


class Aggregate(NamedTuple):
    """A row of figure_aggregates.sql."""

    bucket: datetime
    flag: int
    n: int
    numbers: int
    sum: str
    min: float | None
    max: float | None
    sin_sum: int | None
    cos_sum: int | None
    ruleset_low: int
    ruleset_high: int


class Part(NamedTuple):
    """What a bucket holds: its value, how many readings of each flag, and which rulesets judged them."""

    value: dict[str, Any] | None
    counts: dict[int, int]
    rulesets: list[int]


Due = Sequence[tuple[datetime, datetime, float | None]]  # start, end and expected count of each bucket


async def figures(connection: AsyncConnection[Any], asked: Asked, now: datetime) -> dict[str, Any]:
    """Give the answer as `wire.Figures`; raises `UnknownPublicDatastreamError` and `UnfitFigureError`."""
    head = await _head(connection, asked)
    due = await _due(connection, asked, head, now)
    parts = await _parts(connection, asked, head, due) if due else []
    changed = await _changed(connection, asked, due) if due else []
    return {
        "datastream": head.id,
        "name": head.name,
        "property": head.property,
        "figure": asked.figure,
        "span": asked.span,
        "timezone": head.timezone,
        "country": head.country,
        "unit": head.unit,
        "datum": head.datum,
        "used_flags": list(asked.flags),
        "as_of": asked.as_of,
        "buckets": [_bucket(*three) for three in zip(due, parts, changed, strict=True)],
    }


async def _head(connection: AsyncConnection[Any], asked: Asked) -> Head:
    row = await (await connection.execute(FIGURE_HEAD, {"datastream": asked.datastream})).fetchone()
    if row is None:
        raise UnknownPublicDatastreamError(asked.datastream)
    head = Head(*row)
    if complaint := _unfit(head, asked):
        raise UnfitFigureError(complaint)
    return head


def _unfit(head: Head, asked: Asked) -> str | None:
    if asked.figure == "circular_mean" and not head.circular:
        return f"{head.property} is no direction around the circle: ask for statistics"
    if asked.figure in {"statistics", "time_weighted_mean"} and head.circular:
        return f"{head.property} is a direction: ask for circular_mean"
    if asked.figure in {"statistics", "time_weighted_mean"} and not head.averaged:
        return f"{head.property} is never averaged: ask for distribution"
    return _unfit_noise(head, asked) if asked.figure in {"lden", "noise_levels"} else None


def _unfit_noise(head: Head, asked: Asked) -> str | None:
    if not (head.ucum or "").startswith("dB"):
        return f"{head.property} is no level in dB: ask for statistics or percentiles"
    if asked.figure == "lden" and asked.span not in {"day", "month"}:
        return "lden needs whole local days: span is day or month"
    if asked.figure == "lden" and head.country not in PERIODS:
        return f"the hours of day, evening and night are known for {' and '.join(PERIODS)}, not for country {head.country}"
    return None


async def _due(connection: AsyncConnection[Any], asked: Asked, head: Head, now: datetime) -> Due:
    if (min(asked.until, now) - asked.since) / SHORTEST[asked.span] > MOST_BUCKETS:
        raise UnfitFigureError(f"more than {MOST_BUCKETS} buckets: ask for a shorter time or a longer span")
    values = _values(asked) | {"timezone": head.timezone, "interval_s": head.interval_s}
    return await (await connection.execute(FIGURE_BUCKETS, values)).fetchall()


def _values(asked: Asked) -> dict[str, Any]:
    return {
        "datastream": asked.datastream,
        "span": asked.span,
        "since": asked.since,
        "until": asked.until,
        "as_of": asked.as_of,
        "flags": list(asked.flags),
    }


async def _parts(connection: AsyncConnection[Any], asked: Asked, head: Head, due: Due) -> list[Part]:
    values = _values(asked) | {"start": due[0][0], "end": due[-1][1], "most": MOST_ROWS + 1}
    if asked.as_of is None and asked.figure in IN_AGGREGATES:
        rows = await (await connection.execute(FIGURE_AGGREGATES, values)).fetchall()
        by_bucket: dict[datetime, list[Aggregate]] = {}
        for row in map(Aggregate._make, rows):
            by_bucket.setdefault(row.bucket, []).append(row)
        return [_from_aggregates(by_bucket.get(start, []), asked) for start, _, _ in due]
    cursor = await connection.execute(FIGURE_ROWS if asked.as_of is None else FIGURE_ROWS_AS_OF, values)
    rows = await cursor.fetchall()
    if len(rows) > MOST_ROWS:
        raise UnfitFigureError(f"more than {MOST_ROWS} readings: ask for a shorter time")
    return await asyncio.to_thread(_from_rows, rows, asked, head.site(), due)


def _from_aggregates(rows: Sequence[Aggregate], asked: Asked) -> Part:
    used = [row for row in rows if row.flag in asked.flags]
    numbers = sum(row.numbers for row in used)
    value = None
    if numbers and asked.figure == "circular_mean":
        value = direction_of(sum(row.sin_sum or 0 for row in used), sum(row.cos_sum or 0 for row in used), numbers)
    elif numbers:
        total = sum((Decimal(row.sum) for row in used), Decimal(0))
        numeric = [row for row in used if row.numbers]
        value = {
            "mean": mean_of(total, numbers),
            "sum": float(total),
            "min": min(row.min for row in numeric if row.min is not None),
            "max": max(row.max for row in numeric if row.max is not None),
        }
    rulesets = {row.ruleset_low for row in rows} | {row.ruleset_high for row in rows}
    return Part(value, {row.flag: row.n for row in rows}, _ends(rulesets))


def _from_rows(rows: Sequence[tuple[Any, ...]], asked: Asked, site: Site, due: Due) -> list[Part]:
    readings = [
        Reading(time=time, number=number, result=_result(result), flag=flag, tests=tests, ruleset=ruleset)
        for time, number, result, flag, tests, ruleset, _ in rows
    ]
    figure, flags = FIGURES[asked.figure], frozenset(asked.flags)
    parts: list[Part] = []
    for start, end, _ in due:
        window = Window(readings=readings, start=start, end=end, flags=flags, site=site)
        inside = window.inside()
        counts: dict[int, int] = {}
        for reading in inside:
            counts[reading.flag] = counts.get(reading.flag, 0) + 1
        parts.append(Part(_made(figure, window), counts, _ends({reading.ruleset for reading in inside})))
    return parts


def _made(figure: Callable[[Window], dict[str, Any] | None], window: Window) -> dict[str, Any] | None:
    try:
        return figure(window)
    except OverflowError:  # as for a level of 10,000 dB: no double holds its energy
        return None


def _result(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _ends(versions: set[int]) -> list[int]:
    return sorted({min(versions), max(versions)}) if versions else []


async def _changed(connection: AsyncConnection[Any], asked: Asked, due: Due) -> list[datetime | None]:
    values = _values(asked) | {"start": due[0][0], "end": due[-1][1]}
    rows = await (await connection.execute(FIGURE_CHANGES, values)).fetchall()
    quarters = [row[0] for row in rows]
    changed: list[datetime | None] = []
    for start, end, _ in due:
        times = [row[1] for row in rows[bisect_left(quarters, start) : bisect_left(quarters, end)]]
        changed.append(max(times) if times else None)
    return changed


def _bucket(due: tuple[datetime, datetime, float | None], part: Part, changed: datetime | None) -> Mapping[str, Any]:
    start, end, expected = due
    n = sum(part.counts.values())
    return {
        "start": start,
        "end": end,
        "value": part.value,
        "n": n,
        "flags": {str(flag): part.counts[flag] for flag in sorted(part.counts)},
        "expected": expected,
        "completeness": min(1.0, n / expected) if expected else None,
        "good_share": part.counts.get(1, 0) / n if n else None,
        "rulesets": part.rulesets,
        "changed": changed,
    }
