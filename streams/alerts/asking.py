"""What has to be read to evaluate rules again, read for many at once: values, times, buckets and the alerts that may be theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import numpy as np
from psycopg.rows import TupleRow

from streams.alerts.buckets import Bucket, bucket_events, is_same, needed, reach
from streams.alerts.events import Event, events, silences
from streams.alerts.plan import Alert
from streams.alerts.transitions import Cause
from streams.alerts.watches import Watch
from streams.queries import query
from streams.sessions import Connection

_QUARTER_US = 900_000_000
_BREATH = 50  # evaluations at a stretch: the worker's other tasks must not wait for all of them


class Ask(msgspec.Struct, kw_only=True):
    """One rule of one Datastream to be evaluated again from `low` to `high` (microseconds; None: to the end).

    Answered: its `events` there, the `stored` alerts that begin in [`first`, `last`] (None: unbounded), when it is `due` to be
    looked at by the clock, if `to_end`: whether it reached to the last reading.
    """

    watch: Watch
    datastream: int
    low: int
    high: int | None
    cause: Cause
    first: int | None = None
    last: int | None = None
    events: list[Event] = msgspec.field(default_factory=list[Event])
    stored: list[Alert] = msgspec.field(default_factory=list[Alert])
    due: int | None = None
    to_end: bool = False


def ask(watch: Watch, datastream: int, low: int, high: int | None, cause: Cause, ended: int | None, end: int | None) -> Ask | None:
    """Ask for what changed in [`low`, `high`); None where no bucket that is over has changed.

    `ended` is the end of all readings when it was evaluated last (None: never by these rules), `end` is it now (None: no readings).
    """
    if watch.of_rows:
        return Ask(watch=watch, datastream=datastream, low=low, high=high, cause=cause)
    first = min(time for time in (low, ended, end) if time is not None)
    if ended is not None and end is not None and (first >= end or is_same(watch, first, end)):
        return None
    return Ask(watch=watch, datastream=datastream, low=reach(watch, first), high=None, cause=cause)


def is_quarter_of(ended: int | None, end: int | None) -> bool:
    """Whether both ends are in the same quarter of an hour."""
    return ended == end if ended is None or end is None else ended // _QUARTER_US == end // _QUARTER_US


async def evaluate(connection: Connection, asks: Sequence[Ask], now: int) -> dict[int, int | None]:
    """Answer all; gives when Datastreams are due to be looked at for silence, None: when they speak again."""
    await _read_values(connection, [each for each in asks if each.watch.kind == "threshold"])
    await _read_times(connection, [each for each in asks if each.watch.kind == "no_data"], now)
    await _read_buckets(connection, [each for each in asks if not each.watch.of_rows])
    if asks:
        rows = await _answers(
            connection,
            "alert_stored",
            {
                **_keys(asks),
                "rules": [each.watch.rule for each in asks],
                "lows": [each.first for each in asks],
                "highs": [each.last for each in asks],
            },
        )
        for key, *row in rows:
            asks[key].stored.append(alert_of(row))
    return {each.datastream: each.due for each in asks if each.to_end}


def alert_of(row: Sequence[object]) -> Alert:
    """Give a stored alert as queries/alert_stored.sql returns it."""
    names = ("id", "version", "begins", "ends", "state", "level", "highest", "value", "value_at", "number", "ever")
    return msgspec.convert(dict(zip(names, row, strict=True)), Alert)


async def _read_values(connection: Connection, asks: Sequence[Ask]) -> None:
    if not asks:
        return
    rows = await _answers(
        connection,
        "alert_values",
        {
            **_spans(asks),
            "clears": [each.watch.clears[each.watch.least_level - 1] for each in asks],
            "signs": [each.watch.sign for each in asks],
        },
    )
    for place, (key, since, until, times, worst) in enumerate(rows):
        each = asks[int(key)]
        each.first, each.last = None if since is None else since + 1, until
        if times is not None:
            values = np.array(worst, dtype=np.float64) * each.watch.sign
            each.events = events(each.watch, np.array(times, dtype=np.int64), values)
        await breathe(place)


async def _read_times(connection: Connection, asks: Sequence[Ask], now: int) -> None:
    if not asks:
        return
    for place, (key, since, until, times) in enumerate(await _answers(connection, "alert_times", _spans(asks))):
        each = asks[int(key)]
        each.first, each.last, each.to_end = None if since is None else since + 1, until, until is None
        if times is not None:
            each.events = silences(each.watch, np.array(times, dtype=np.int64), now if each.to_end else None)
            if not (each.events and each.events[-1].ends is None):
                each.due = times[-1] + each.watch.silence
        await breathe(place)


async def _read_buckets(connection: Connection, asks: Sequence[Ask]) -> None:
    if not asks:
        return
    covers = {
        **_keys(asks),
        "rules": [each.watch.rule for each in asks],
        "lows": [each.low for each in asks],
    }
    for key, first in await _answers(connection, "alert_covers", covers):
        asks[key].first = first
    lows = [each.low if each.first is None else each.first for each in asks]
    wanted = {
        **_keys(asks),
        "spans": [each.watch.span for each in asks],
        "lows": [needed(each.watch, low) for each, low in zip(asks, lows, strict=True)],
    }
    found: list[list[Bucket]] = [[] for _ in asks]
    for key, *row in await _answers(connection, "alert_buckets", wanted):
        found[key].append(Bucket(*row))
    for place, (each, buckets, low) in enumerate(zip(asks, found, lows, strict=True)):
        each.events = bucket_events(each.watch, buckets, low)
        await breathe(place)


async def breathe(place: int) -> None:
    """Let the worker's other tasks go on now and then."""
    if place % _BREATH == _BREATH - 1:
        await asyncio.sleep(0)


def _keys(asks: Sequence[Ask]) -> dict[str, object]:
    return {"keys": list(range(len(asks))), "ids": [each.datastream for each in asks]}


def _spans(asks: Sequence[Ask]) -> dict[str, object]:
    return {**_keys(asks), "lows": [each.low for each in asks], "highs": [each.high for each in asks]}


async def _answers(connection: Connection, name: str, parameters: dict[str, object]) -> list[TupleRow]:
    return await (await connection.execute(query(name), parameters)).fetchall()
