"""Judging across stations: a value against the median of those nearby, from committed rows (decisions.md 15)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from devices.places import distance_m
from streams import rejudge
from streams import rows as table
from streams.candidate import Channel
from streams.consequences import Consequences, StoreLimits
from streams.context import usable
from streams.quality import flags, tests
from streams.quality.rules import Neighbour
from streams.queries import query
from streams.registry import channels_by_id
from streams.rejudge import Connection, Span
from streams.rows import Rows
from streams.sessions import TRANSIENT, Pool
from streams.tails import segments

log = logging.getLogger(__name__)

PAUSE_S = 5.0
SETTLE = timedelta(seconds=10)  # the other stations report too: judging once is better than judging at each of them
MOST_SLOTS = 2_000  # quarter hours in one transaction, times Datastreams: bounds memory and how long writers wait
LOCK_SPACE = 1_091  # of pg_advisory_xact_lock: groups of neighbours

_SLOT_US, _SECOND_US = 900_000_000, 1_000_000
_SHIFT = flags.SHIFT["neighbour"]
_MASK = np.int64(flags.NIBBLE << _SHIFT)


async def queue(connection: Connection, changed: Iterable[tuple[Channel, datetime]]) -> None:
    """Have those who look at these readings judged; within the transaction that changes them."""
    asked = {
        (channel.property_id, at, channel.rules.neighbour.within_s)
        for channel, at in changed
        if channel.rules is not None and channel.rules.neighbour is not None
    }
    if asked:
        parameters = {
            "properties": [a[0] for a in asked],
            "times": [a[1] for a in asked],
            "within": [timedelta(seconds=a[2]) for a in asked],
        }
        await connection.execute(query("queue_neighbours"), parameters)


async def run(pool: Pool, limits: StoreLimits) -> None:
    """Judge what is queued until cancelled; several workers take turns by group."""
    while True:
        try:
            while await judge_due(pool, limits, SETTLE):
                pass
        except TRANSIENT as error:
            log.warning("judging across stations waits: %s", error)
        await asyncio.sleep(PAUSE_S)


async def judge_due(pool: Pool, limits: StoreLimits, settle: timedelta) -> int:
    """Judge queued quarter hours of each group that has waited for `settle`; gives how many."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("due_neighbours"), {"settle": settle})
        groups = [row[0] for row in await cursor.fetchall()]
    judged = 0
    for group in groups:
        async with pool.connection() as connection, connection.transaction():
            judged += await judge_group(connection, group, limits)
    return judged


async def judge_group(connection: Connection, group: int, limits: StoreLimits) -> int:
    """Judge queued quarter hours of a group within the open transaction; gives how many, 0 where another worker is at it."""
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s, hashint8(%s))", (LOCK_SPACE, group))
    if (await cursor.fetchone()) != (True,):
        return 0
    cursor = await connection.execute(query("lock_group"), {"property": group})  # first: writers hold it when they queue
    numbers = [row[0] for row in await cursor.fetchall()]
    cursor = await connection.execute(query("take_slots"), {"property": group, "most": max(1, MOST_SLOTS // max(1, len(numbers)))})
    slots = sorted(row[0] for row in await cursor.fetchall())
    channels = await channels_by_id(connection, numbers)
    looking = {n: c for n, c in channels.items() if c.rules is not None and c.rules.neighbour is not None}
    if not slots or not looking:
        return len(slots)
    within_us = max(int(c.rules.neighbour.within_s * _SECOND_US) for c in looking.values() if c.rules and c.rules.neighbour)
    low, high = zip(*_spans(slots, within_us), strict=True)
    cursor = await connection.execute(query("load_group"), {"ids": numbers, "low": list(low), "high": list(high)})
    rows = table.of_records(await cursor.fetchall())
    wanted = np.isin(rows["time"] - rows["time"] % _SLOT_US, np.array(slots, dtype=np.int64))
    before, after = judge_rows(rows, wanted, channels)
    await rejudge.restate(connection, after)
    follow = Consequences({})
    follow.take(after, before["flag"].tolist(), "neighbour")
    await follow.settle(connection, limits)
    return len(slots)


def _spans(slots: Sequence[int], within_us: int) -> list[Span]:
    """Give the times to read for quarter hours, neighbours' values included."""
    spans: list[Span] = []
    for slot in slots:
        low, high = slot - within_us, slot + _SLOT_US + within_us
        if spans and low <= spans[-1][1]:
            spans[-1] = (spans[-1][0], high)
        else:
            spans.append((low, high))
    return spans


def judge_rows(rows: Rows, wanted: npt.NDArray[np.bool_], channels: Mapping[int, Channel]) -> tuple[Rows, Rows]:
    """Judge the wanted of a group's rows (sorted); gives those whose verdict changes, as they were and as they are."""
    after = rows.copy()
    good = rows[usable(rows["tests"], rows["value"])]
    stations = dict(segments(good))
    for number in np.unique(rows["datastream"][wanted]).tolist():
        channel = channels[number]
        rules = channel.rules
        if rules is None or rules.neighbour is None:
            continue
        mine = wanted & (rows["datastream"] == number)
        others = [stations[n] for n in _nearby(channel, channels, rules.neighbour) if n in stations]
        flag = _judge(rows[mine], others, rules.neighbour).astype(np.int64)
        packed = rows["tests"][mine] & ~_MASK | flag << _SHIFT
        after["tests"][mine] = packed
        after["flag"][mine] = flags.aggregate_flag(packed, rows["missing"][mine], flags.mask(rules.mandatory))
    changed = (after["tests"] != rows["tests"]) | (after["flag"] != rows["flag"])
    return rows[changed], after[changed]


def _nearby(channel: Channel, channels: Mapping[int, Channel], neighbour: Neighbour) -> list[int]:
    def far(other: Channel) -> float:
        return distance_m(channel.site_lon, channel.site_lat, other.site_lon, other.site_lat)

    # NaN, a Thing without a place, is near nobody.
    return [n for n, c in sorted(channels.items()) if n != channel.datastream_id and far(c) <= neighbour.radius_m]


def _judge(rows: Rows, others: Sequence[Rows], neighbour: Neighbour) -> tests.Flags:
    nearby = np.full((len(rows), len(others)), np.nan)
    for place, other in enumerate(others):
        nearby[:, place] = _nearest(rows["time"], other, neighbour.within_s)
    suspect, fail, least = (np.full(len(rows), bound) for bound in (neighbour.suspect, neighbour.fail, float(neighbour.least)))
    return tests.neighbour(rows["value"], nearby, suspect, fail, least)


def _nearest(times: npt.NDArray[np.int64], other: Rows, within_s: float) -> npt.NDArray[np.float64]:
    """Give another station's value nearest in time to each of the times (n,), the earlier of two; NaN where none is within."""
    theirs = other["time"]
    behind = np.searchsorted(theirs, times)
    before = np.maximum(behind - 1, 0)
    behind = np.minimum(behind, len(theirs) - 1)
    nearest = np.where(np.abs(theirs[behind] - times) < np.abs(times - theirs[before]), behind, before)
    near = np.abs(theirs[nearest] - times) <= within_s * _SECOND_US
    return np.where(near, other["value"][nearest], np.nan)
