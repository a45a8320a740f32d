"""Observations changed and deleted one by one: tombstones, revisions, and all figures that follow from the rows.

A change takes its Datastreams for itself, so that no other writer's rows are half counted; then it reads what others committed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import TupleRow, dict_row

from streams import neighbours
from streams.candidate import Candidate, Channel
from streams.consequences import Consequences, StoreLimits
from streams.errors import RegistryMovedError
from streams.intake import dump_json, numbers_of
from streams.judge import RULESET_VERSION, judge
from streams.queries import query
from streams.registry import channels_by_id

Connection = AsyncConnection[TupleRow]
Stored = dict[str, Any]  # the columns of a row of observation

EXACT_INTEGER = 2**53
DEFAULTS = StoreLimits()


class UnknownObservationError(LookupError):
    """There is no such Observation, or it was deleted."""

    def __init__(self, observation_id: int) -> None:
        super().__init__(f"no Observation {observation_id}")
        self.observation_id = observation_id


class UnfitResultError(ValueError):
    """The result does not fit the MultiDatastream; the message is safe to show."""


# Asked for the new values once nobody else can change the Observation: by column of `observation`, `result` as the client gave it.
# May refuse by an error of its own, which leaves everything as it was.
# It gets the connection of the open transaction: another one may be waiting for this.
Values = Callable[[Connection, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
GetChannels = Callable[[Connection, Collection[int]], Awaitable[dict[int, Channel]]]


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """A row whose buckets and summary are to be made anew."""

    datastream_id: int
    time: datetime
    discriminator: int
    feature_id: int | None


async def change(connection: Connection, observation_id: int, values: Values, channels: GetChannels, limits: StoreLimits) -> None:
    """Change an Observation within the open transaction; a revision, which outranks later telemetry (decisions.md 13).

    Raises `UnknownObservationError`, `RegistryMovedError` (try again), and what `values` raises.
    """
    try:
        async with connection.transaction():
            await _change(connection, observation_id, values, channels, limits, also=())
    except _MovesError as error:
        # What was locked so far is free again: both Datastreams are taken in the order of their ids, as all others take them.
        await _change(connection, observation_id, values, channels, limits, also=(error.datastream_id,))


class _MovesError(Exception):
    """The change leads to a Datastream that is not locked."""

    def __init__(self, datastream_id: int) -> None:
        super().__init__(datastream_id)
        self.datastream_id = datastream_id


async def _change(
    connection: Connection,
    observation_id: int,
    values: Values,
    channels: GetChannels,
    limits: StoreLimits,
    *,
    also: Sequence[int],
) -> None:
    stored = await _lock_row(connection, observation_id, also)
    given = await values(connection, stored)
    new = _merged(stored, given)
    if new["datastream_id"] not in {stored["datastream_id"], *also}:
        if also:
            raise RegistryMovedError("the Observation got another Datastream meanwhile")
        raise _MovesError(new["datastream_id"])
    channel = (await channels(connection, [new["datastream_id"]])).get(new["datastream_id"])
    if channel is None:
        raise RegistryMovedError("the Datastream was deleted meanwhile")
    if channel.computed:
        raise UnfitResultError("the Datastream is computed by its formula")
    if channel.parts is not None and len(numbers_of(new["result"])) != len(channel.parts):
        raise UnfitResultError(f"result must be an array of {len(channel.parts)} elements")
    flags, tests = judge([_candidate(new, channel)], limits.future_s)
    new |= {"flag": int(flags[0]), "tests": int(tests[0]), "ruleset": RULESET_VERSION, "manual": True}
    if (new["datastream_id"], new["phenomenon_time"]) == (stored["datastream_id"], stored["phenomenon_time"]):
        await connection.execute(query("change_observation"), _parameters(new))
    else:
        # Its key is another: the old one stays taken where telemetry could come again.
        await connection.execute(
            query("bury_observation" if stored["discriminator"] != observation_id else "move_observation"), stored
        )
        new["discriminator"] = observation_id
        await connection.execute(query("put_observation"), _parameters(new))
    await _follow(connection, [_touched(stored), _touched(new)], limits)
    new["flag"] = await _flag(connection, new)
    await connection.execute(query("revise"), {"cause": "patched", **_key(stored), "old": _shown(stored), "new": _shown(new)})
    await _tell(connection, "changed", [observation_id], [name for name in new if new[name] != stored.get(name)])


async def delete(connection: Connection, observation_id: int, allow: Values, limits: StoreLimits = DEFAULTS) -> None:
    """Leave a tombstone in the place of an Observation, so that a resend does not bring it back (decisions.md 12)."""
    stored = await _lock_row(connection, observation_id)
    await allow(connection, stored)
    await _bury(connection, [stored], limits)


async def delete_many(connection: Connection, ids: Sequence[int], limits: StoreLimits = DEFAULTS) -> None:
    """Delete Observations; those that are gone already are passed by."""
    cursor = await connection.execute(query("datastreams_of_observations"), {"ids": list(ids)})
    await _lock_datastreams(connection, [row[0] for row in await cursor.fetchall()])
    async with connection.cursor(row_factory=dict_row) as rows:
        await rows.execute(query("lock_observations"), {"ids": list(ids)})
        await _bury(connection, await rows.fetchall(), limits)


async def delete_of_feature(connection: Connection, feature_id: int) -> None:
    """Delete the Observations of a FeatureOfInterest (18-088, table 25), within the open transaction."""
    cursor = await connection.execute(query("datastreams_of_feature"), {"feature": feature_id})
    datastreams = [row[0] for row in await cursor.fetchall()]
    await _lock_datastreams(connection, datastreams)
    async with connection.cursor(row_factory=dict_row) as rows:
        await rows.execute(query("observations_of_feature"), {"feature": feature_id, "datastreams": datastreams})
        await _bury(connection, await rows.fetchall(), DEFAULTS)


async def recompute_days(connection: Connection, thing_id: int) -> None:
    """Make the local days of a Thing's Datastreams anew, after its time zone changed within the open transaction."""
    for step in ("clear_days", "fill_days"):
        await connection.execute(query(step), {"thing": thing_id})


async def lock_thing(connection: Connection, thing_id: int) -> None:
    """Wait for those who write readings of the Thing, and let others wait."""
    for step in ("lock_thing", "lock_datastreams_of_thing"):
        await connection.execute(query(step), {"thing": thing_id})


async def _bury(connection: Connection, rows: Sequence[Stored], limits: StoreLimits) -> None:
    if not rows:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(query("bury_observation"), rows)
        await cursor.executemany(
            query("revise"), [{"cause": "deleted", **_key(stored), "old": _shown(stored), "new": "{}"} for stored in rows]
        )
    await _follow(connection, [_touched(stored) for stored in rows], limits)
    await _tell(connection, "deleted", [stored["id"] for stored in rows])


async def _lock_row(connection: Connection, observation_id: int, also: Sequence[int] = ()) -> Stored:
    cursor = await connection.execute(query("datastream_of_observation"), {"id": observation_id})
    found = await cursor.fetchone()
    if found is None:
        raise UnknownObservationError(observation_id)
    await _lock_datastreams(connection, [found[0], *also])
    async with connection.cursor(row_factory=dict_row) as rows:
        await rows.execute(query("lock_observation"), {"id": observation_id})
        stored = await rows.fetchone()
    if stored is None:
        raise UnknownObservationError(observation_id)
    if stored["datastream_id"] != found[0]:
        raise RegistryMovedError("the Observation got another Datastream meanwhile")
    return stored


async def _lock_datastreams(connection: Connection, ids: Sequence[int]) -> None:
    await connection.execute(query("take_datastreams"), {"ids": sorted(ids)})


def _merged(stored: Stored, given: Mapping[str, Any]) -> Stored:
    new = dict(stored)
    new.update((name, given[name]) for name in given if name in stored and name not in {"result", "number"})
    if "result" in given:
        result = given["result"]
        is_number = isinstance(result, int | float) and not isinstance(result, bool)
        exact = is_number and not (isinstance(result, int) and abs(result) > EXACT_INTEGER)
        new["number"] = float(result) if is_number else None
        new["result"] = None if exact or result is None else result
    return new


def _candidate(new: Stored, channel: Channel) -> Candidate:
    position = None if new["lon"] is None or new["lat"] is None else (new["lon"], new["lat"])
    numbers = numbers_of(new["result"]) if channel.parts is not None else ()
    return Candidate(
        channel=channel, time=new["phenomenon_time"], received=new["received"], number=new["number"], position=position,
        missing=new["number"] is None and new["result"] is None, numbers=numbers,
    )  # fmt: skip


def _parameters(new: Stored) -> Stored:
    """Give the row with its JSON as text."""
    return {n: dump_json(v) if n in {"result", "parameters", "quality"} and v is not None else v for n, v in new.items()}


def _key(stored: Stored) -> Stored:
    return {name: stored[name] for name in ("datastream_id", "phenomenon_time", "discriminator", "id")}


def _shown(row: Stored) -> str:
    return msgspec.json.encode({name: row[name] for name in ("number", "result", "flag", "phenomenon_time")}).decode()


def _touched(row: Stored) -> Touched:
    return Touched(
        datastream_id=row["datastream_id"],
        time=row["phenomenon_time"],
        discriminator=row["discriminator"],
        feature_id=row["feature_id"],
    )


async def _follow(connection: Connection, touched: Sequence[Touched], limits: StoreLimits) -> None:
    asked = {"datastreams": sorted({t.datastream_id for t in touched})}
    await connection.execute(query("make_summaries"), asked)
    channels = await channels_by_id(connection, asked["datastreams"])
    follow = Consequences({number: c.rules for number, c in channels.items() if c.rules is not None})
    for t in touched:
        follow.edited(t.datastream_id, t.time, t.discriminator)
    await follow.settle(connection, limits)
    await neighbours.queue(connection, ((channels[t.datastream_id], t.time) for t in touched if t.datastream_id in channels))
    for step in ("refresh_borders", "drop_summaries"):
        await connection.execute(query(step), asked)
    pairs = sorted({(t.datastream_id, t.feature_id) for t in touched if t.feature_id is not None})
    await connection.execute(
        query("refresh_features"), {"datastreams": [pair[0] for pair in pairs], "features": [pair[1] for pair in pairs]}
    )


async def _flag(connection: Connection, row: Stored) -> int:
    cursor = await connection.execute(query("flag_of"), row)
    found = await cursor.fetchone()
    assert found is not None
    return found[0]


async def _tell(connection: Connection, what: str, ids: Sequence[int], columns: Sequence[str] = ()) -> None:
    news = msgspec.json.encode({"version": 1, what: list(ids), **({"columns": columns} if columns else {})})
    await connection.execute("INSERT INTO stored_outbox (payload) VALUES (%s)", (news,))
