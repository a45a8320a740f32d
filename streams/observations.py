"""Observations created over SensorThings, written through the same store as telemetry.

Requests that come at the same time share a transaction without waiting: the next batch gathers while one is in flight (api.md 6).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self, cast

import msgspec
import psycopg

from streams import changes, store
from streams.candidate import Candidate, Channel
from streams.channels import Channels
from streams.errors import RegistryMovedError
from streams.intake import dump_json, numbers_of
from streams.judge import RULESET_VERSION, judge
from streams.queries import query
from streams.sessions import PLANNED_ONCE, Pool, open_pool, retrying
from streams.store import StoreLimits

BATCH_ROWS = 10_000
FEW_ROWS = 100  # go in as JSON with one statement; more are copied
WRITERS = 2
EDITORS = 1  # changes at a time: two that move Observations between the same Datastreams would wait for each other
EDIT_GIVE_UP_S = 20.0
GIVE_UP_S = 5.0
EXACT_INTEGER = 2**53


class NewObservation(msgspec.Struct, frozen=True, kw_only=True):
    """An Observation created over SensorThings, already checked against 18-088 by the API.

    Times are aware UTC. `discriminator` None: the row's own id (HTTP POST, always a new entity); a hash of the payload for an
    MQTT create, whose redelivery is then harmless (decisions.md 13). `feature_id` None: that of the Thing's Location.
    """

    datastream_id: int
    phenomenon_time: datetime
    result: Any
    phenomenon_end: datetime | None = None
    result_time: datetime | None = None
    valid_start: datetime | None = None
    valid_end: datetime | None = None
    feature_id: int | None = None
    parameters: Mapping[str, Any] | None = None
    quality: Any = None
    discriminator: int | None = None
    multi: bool = False  # `datastream_id` is a MultiDatastream's


class UnknownDatastreamError(LookupError):
    """The Datastream of a new Observation does not exist; `index` is its place in the request."""

    def __init__(self, index: int, datastream_id: int) -> None:
        super().__init__(f"no Datastream {datastream_id}")
        self.index = index
        self.datastream_id = datastream_id


class NoFeatureError(ValueError):
    """A new Observation names no FeatureOfInterest and its Thing has no Location (18-088, 10.2.1.2)."""

    def __init__(self, index: int) -> None:
        super().__init__("no FeatureOfInterest, and the Thing has no Location")
        self.index = index


class RefusedObservationError(ValueError):
    """The database refuses a new Observation, as it does a time out of its range; the message is safe to show."""

    def __init__(self, index: int, detail: str) -> None:
        super().__init__(detail)
        self.index = index


class UnknownFeatureError(LookupError):
    """The FeatureOfInterest that a new Observation names does not exist."""

    def __init__(self, index: int, feature_id: int) -> None:
        super().__init__(f"no FeatureOfInterest {feature_id}")
        self.index = index
        self.feature_id = feature_id


Written = int | UnknownDatastreamError | UnknownFeatureError | NoFeatureError | RefusedObservationError


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Observations of one call and where their ids are awaited."""

    observations: Sequence[NewObservation]
    written: asyncio.Future[list[Written]]


class ObservationStore:
    """Writes Observations for the API; made by `open`, ended by `close`."""

    def __init__(self, pool: Pool, limits: StoreLimits, channels: Channels) -> None:
        self._pool = pool
        self._limits = limits
        self._channels = channels
        self._editing = asyncio.Semaphore(EDITORS)
        self._queue: asyncio.Queue[Request] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, database_url: str, limits: StoreLimits | None = None) -> Self:
        """Connect and begin to serve; raises no error while the database is away, writing does."""
        pool = open_pool(database_url, WRITERS + EDITORS, "api-store", PLANNED_ONCE)
        await pool.open()
        channels = Channels(database_url, "api-store")
        opened = cls(pool, limits or StoreLimits(), channels)
        opened._tasks = [asyncio.create_task(work) for work in (channels.listen(), *(opened._serve() for _ in range(WRITERS)))]
        return opened

    async def close(self) -> None:
        """Stop serving; requests not yet written get `CancelledError`."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._pool.close()

    async def write_observations(self, observations: Sequence[NewObservation]) -> list[Written]:
        """Judge, store and commit; returns for each its id or why it was not stored. Raises `psycopg.OperationalError`."""
        if not observations:
            return []
        written: asyncio.Future[list[Written]] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(Request(observations=observations, written=written))
        return await written

    async def change_observation(self, observation_id: int, values: changes.Values) -> None:
        """Change an Observation; see `streams.changes.change`."""
        await self._edit(lambda connection: changes.change(connection, observation_id, values, self._channels.get, self._limits))

    async def delete_observation(self, observation_id: int, allow: changes.Values) -> None:
        """Delete an Observation; see `streams.changes.delete`."""
        await self._edit(lambda connection: changes.delete(connection, observation_id, allow))

    async def delete_observations(self, ids: Sequence[int]) -> None:
        """Delete Observations in one transaction; those that are gone already are passed by."""
        await self._edit(lambda connection: changes.delete_many(connection, ids))

    async def _edit(self, work: Callable[[store.Connection], Awaitable[None]]) -> None:
        async for attempt in retrying(EDIT_GIVE_UP_S):
            with attempt:
                async with self._editing, self._pool.connection() as connection, connection.transaction():
                    try:
                        await work(connection)
                    except psycopg.errors.ForeignKeyViolation as error:
                        raise RegistryMovedError("a Datastream or FeatureOfInterest was deleted meanwhile") from error

    async def _serve(self) -> None:
        while True:
            requests = [await self._queue.get()]
            rows = len(requests[0].observations)
            while not self._queue.empty() and rows < BATCH_ROWS:
                requests.append(self._queue.get_nowait())
                rows += len(requests[-1].observations)
            await self._answer(requests)

    async def _answer(self, requests: list[Request]) -> None:
        try:
            written = await self._write([o for request in requests for o in request.observations])
        except psycopg.DataError as error:
            await self._answer_singly(requests, error)
        except asyncio.CancelledError:
            for request in requests:
                request.written.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - handed to those who wait for it
            for request in requests:
                if not request.written.done():
                    request.written.set_exception(error)
        else:
            start = 0
            for request in requests:
                end = start + len(request.observations)
                if not request.written.done():
                    request.written.set_result([_at(result, place) for place, result in enumerate(written[start:end])])
                start = end

    async def _answer_singly(self, requests: list[Request], error: psycopg.DataError) -> None:
        """Find the Observation that the database refuses: its neighbours are written all the same."""
        if len(requests) == 1 and len(requests[0].observations) == 1:
            refused = RefusedObservationError(0, error.diag.message_primary or "refused by the database")
            requests[0].written.set_result([refused])
            return
        for request in requests:
            results: list[Written] = []
            for observation in request.observations:
                single: asyncio.Future[list[Written]] = asyncio.get_running_loop().create_future()
                await self._answer([Request(observations=[observation], written=single)])
                results += [_at(result, len(results)) for result in await single]
            if not request.written.done():
                request.written.set_result(results)

    async def _write(self, observations: Sequence[NewObservation]) -> list[Written]:
        async for attempt in retrying(GIVE_UP_S):
            with attempt:
                async with self._pool.connection() as connection:
                    if len(observations) <= FEW_ROWS:
                        return await self._write_few(connection, observations)
                    async with connection.transaction():
                        return await self._write_many(connection, observations)
        raise AssertionError("retrying ends by an answer or an error")

    async def _write_few(self, connection: store.Connection, observations: Sequence[NewObservation]) -> list[Written]:
        """Write rows by one statement; those that it can't place go the long way, which knows why."""
        now = datetime.now(UTC)
        channels = await self._channels.get(connection, {o.datastream_id for o in observations})
        candidates: list[Candidate] = []
        places: list[int] = []
        for place, observation in enumerate(observations):
            channel = channels.get(observation.datastream_id)
            feature_id = observation.feature_id or (channel.feature_id if channel is not None else None)
            if channel is not None and feature_id is not None and _misfit(observation, channel, place) is None:
                candidates.append(_candidate(observation, channel, feature_id, None, now))
                places.append(place)
        written = await _insert(connection, candidates, places, self._limits) if candidates else {}
        left = [place for place in range(len(observations)) if place not in written]
        if left:
            self._channels.forget()
            async with connection.transaction():
                rest = await self._write_many(connection, [observations[place] for place in left])
            written |= {place: _at(result, place) for place, result in zip(left, rest, strict=True)}
            self._channels.forget()
        return [written[place] for place in range(len(observations))]

    async def _write_many(self, connection: store.Connection, observations: Sequence[NewObservation]) -> list[Written]:
        now = datetime.now(UTC)
        channels = await self._channels.get(connection, {o.datastream_id for o in observations})
        features = await _features(connection, observations, channels)
        there = await _lock_features(connection, {o.feature_id for o in observations if o.feature_id is not None})
        cursor = await connection.execute(query("make_ids"), {"times": [o.phenomenon_time for o in observations]})
        ids = [row[0] for row in await cursor.fetchall()]
        written: list[Written] = []
        candidates: list[Candidate] = []
        for place, (observation, observation_id) in enumerate(zip(observations, ids, strict=True)):
            channel = channels.get(observation.datastream_id)
            misfit = _misfit(observation, channel, place)
            if channel is None or misfit is not None:
                written.append(misfit or UnknownDatastreamError(place, observation.datastream_id))
                continue
            if observation.feature_id is not None and observation.feature_id not in there:
                written.append(UnknownFeatureError(place, observation.feature_id))
                continue
            feature_id = observation.feature_id or channel.feature_id or features.get(channel.thing_id)
            if feature_id is None:
                written.append(NoFeatureError(place))
                continue
            candidates.append(_candidate(observation, channel, feature_id, observation_id, now))
            written.append(observation_id)
        try:
            await store.write_rows(connection, candidates, self._limits)
        except (RegistryMovedError, psycopg.errors.ForeignKeyViolation) as error:
            self._channels.forget()
            raise RegistryMovedError("a Datastream or FeatureOfInterest was deleted meanwhile") from error
        return written


@cache
def _insert_statement() -> bytes:
    """Give the statement with numbered parameters: psycopg would look for named ones in its text at each execution."""
    text = query("from_json") + query("apply")
    for number, name in enumerate((b"rows", b"things", b"datastreams", b"features"), 1):
        text = text.replace(b"%%(%s)s" % name, b"$%d" % number)
    return text


async def _insert(
    connection: store.Connection, candidates: Sequence[Candidate], places: Sequence[int], limits: StoreLimits
) -> dict[int, Written]:
    """Write rows by one statement; gives the ids of those that were written, by place."""
    flags, tests = judge(candidates, limits.future_s)
    rows = [
        _row(candidate, place, flag, packed)
        for candidate, place, flag, packed in zip(candidates, places, flags.tolist(), tests.tolist(), strict=True)
    ]
    async with psycopg.AsyncRawCursor(connection) as cursor:
        await cursor.execute(
            _insert_statement(),
            [
                msgspec.json.encode(rows).decode(),
                list({c.channel.thing_id for c in candidates}),
                list({c.channel.datastream_id for c in candidates}),
                list({c.feature_id for c in candidates}),
            ],
            prepare=True,
        )
        found = await cursor.fetchone()
    if found is None or found[1] < found[0]:
        # Some were there already: the long way finds out which copy holds.
        known = {place for candidate, place in zip(candidates, places, strict=True) if candidate.discriminator is None}
        return {place: number for place, number in (found[2] or () if found else ()) if place in known}
    return {place: number for place, number in found[2] or ()}  # noqa: C416 -- pairs are lists


def _row(c: Candidate, place: int, flag: int, tests: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "place": place, "datastream_id": c.channel.datastream_id, "phenomenon_time": c.time, "received": c.received,
        "number": c.number, "flag": flag, "tests": tests, "ruleset": RULESET_VERSION, "feature_id": c.feature_id,
    }  # fmt: skip
    more = {
        "phenomenon_end": c.end, "discriminator": c.discriminator, "result_time": c.result_time, "valid_start": c.valid_start,
        "valid_end": c.valid_end, "result": c.result, "parameters": c.parameters, "quality": c.quality,
    }  # fmt: skip
    row.update((name, value) for name, value in more.items() if value is not None)
    return row


async def _lock_features(connection: store.Connection, ids: set[int]) -> set[int]:
    if not ids:
        return set()
    cursor = await connection.execute(query("lock_features"), {"ids": sorted(ids)})
    return {row[0] for row in await cursor.fetchall()}


async def _features(
    connection: store.Connection, observations: Sequence[NewObservation], channels: Mapping[int, Channel]
) -> dict[int, int | None]:
    """FeatureOfInterest of each Thing whose Location has had none so far."""
    wanting = [channels[o.datastream_id] for o in observations if o.feature_id is None and o.datastream_id in channels]
    things = sorted({channel.thing_id for channel in wanting if channel.feature_id is None})
    if not things:
        return {}
    cursor = await connection.execute("SELECT id, feature_of_thing(id) FROM unnest(%s::bigint[]) AS id", (things,))
    return {row[0]: row[1] for row in await cursor.fetchall()}


def _misfit(o: NewObservation, channel: Channel | None, place: int) -> Written | None:
    if channel is None or (channel.parts is not None) != o.multi:
        return UnknownDatastreamError(place, o.datastream_id)
    if channel.parts is not None and not _has_all_parts(o.result, channel.parts):
        return RefusedObservationError(place, f"result must be an array of {len(channel.parts)} elements")
    return None


def _has_all_parts(result: Any, parts: Sequence[object]) -> bool:
    return isinstance(result, list) and len(cast("list[Any]", result)) == len(parts)


def _candidate(o: NewObservation, channel: Channel, feature_id: int, observation_id: int | None, now: datetime) -> Candidate:
    is_number = isinstance(o.result, int | float) and not isinstance(o.result, bool)
    # An integer that a float can't hold keeps its text beside the number.
    exact = is_number and not (isinstance(o.result, int) and abs(o.result) > EXACT_INTEGER)
    return Candidate(
        channel=channel, time=o.phenomenon_time, end=o.phenomenon_end, received=now, number=float(o.result) if is_number else None,
        result=None if exact or o.result is None else dump_json(o.result), missing=o.result is None,
        numbers=numbers_of(o.result) if o.multi else (), result_time=o.result_time,
        valid_start=o.valid_start, valid_end=o.valid_end, parameters=dump_json(dict(o.parameters)) if o.parameters else None,
        quality=dump_json(o.quality) if o.quality is not None else None, feature_id=feature_id, id=observation_id,
        discriminator=o.discriminator if o.discriminator is not None else observation_id,
    )  # fmt: skip


def _at(result: Written, place: int) -> Written:
    """Count the place within its own request, not within the shared batch."""
    if not isinstance(result, int):
        result.index = place
    return result
