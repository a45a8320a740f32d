"""Observations created over SensorThings, written through the same store as telemetry.

Requests that come at the same time share a transaction without waiting: the next batch gathers while one is in flight (api.md 6).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Self

import msgspec
import psycopg

from infra.connection import Connection
from streams import changes, stage, store
from streams.candidate import Candidate, Channel
from streams.channels import Channels
from streams.errors import RegistryMovedError
from streams.insertion import insert, prepare
from streams.new_observation import (
    NewObservation,
    NoFeatureError,
    RefusedObservationError,
    UnknownDatastreamError,
    UnknownFeatureError,
    Written,
    candidate_of,
    misfit,
    placed,
)
from streams.queries import query
from streams.sessions import PLANNED_ONCE, TRANSIENT, Pool, open_pool, retrying
from streams.store import StoreLimits
from streams.tails import Tails

BATCH_ROWS = 10_000
FEW_ROWS = 100  # go in as JSON with one statement; more are copied
WRITERS = 1  # of small requests: the larger the shared batch, the less each costs
COPIERS = 2  # of data arrays: one prepares rows while the database takes in another's
EDITORS = 2
EDIT_GIVE_UP_S = 20.0
GIVE_UP_S = 5.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Observations of one call and where their ids are awaited."""

    observations: Sequence[NewObservation]
    written: asyncio.Future[list[Written]]
    shown: dict[int, bytes]  # gets what the API shows of the Observations, by id


class ObservationStore:
    """Writes Observations for the API; made by `open`, ended by `close`."""

    def __init__(self, pool: Pool, limits: StoreLimits, channels: Channels, shown: bytes) -> None:
        self._pool = pool
        self._limits = limits
        self._channels = channels
        self._shown = shown
        self._tails = Tails()
        self._editing = asyncio.Semaphore(EDITORS)
        self._few: asyncio.Queue[Request] = asyncio.Queue()
        self._many: asyncio.Queue[Request] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, database_url: str, limits: StoreLimits | None = None, shown: bytes = b"") -> Self:
        """Connect and begin to serve; raises no error while the database is away, writing does.

        `shown` is what `write_shown` gives of an Observation, see `insertion.insert`.
        """
        pool = open_pool(database_url, WRITERS + COPIERS + EDITORS, "api-store", PLANNED_ONCE, prepare)
        await pool.open()
        channels = Channels(database_url, "api-store")
        opened = cls(pool, limits or StoreLimits(), channels, shown)
        serving = [opened._few] * WRITERS + [opened._many] * COPIERS
        opened._tasks = [asyncio.create_task(work) for work in (channels.listen(), *map(opened._serve, serving))]
        return opened

    async def close(self) -> None:
        """Stop serving; requests not yet written get `CancelledError`."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._pool.close()

    async def write_observations(
        self, observations: Sequence[NewObservation], within: store.Connection | None = None
    ) -> list[Written]:
        """Judge, store and commit; returns for each its id or why it was not stored. Raises `psycopg.OperationalError`.

        `within` is a connection whose open transaction the Observations become part of: then nothing is committed here.
        """
        if within is not None:
            return await self._write_within(within, observations)
        return (await self.write_shown(observations))[0]

    async def write_shown(self, observations: Sequence[NewObservation]) -> tuple[list[Written], dict[int, bytes]]:
        """Write as `write_observations` does; gives besides what is shown of them, by id, where that is at hand."""
        if not observations:
            return [], {}
        request = Request(observations=observations, written=asyncio.get_running_loop().create_future(), shown={})
        (self._few if len(observations) <= FEW_ROWS else self._many).put_nowait(request)
        return await request.written, request.shown

    async def change_observation(self, observation_id: int, values: changes.Values, within: store.Connection | None = None) -> None:
        """Change an Observation; see `streams.changes.change`."""
        await self._edit(
            lambda connection: changes.change(connection, observation_id, values, self._channels.get, self._limits), within
        )

    async def delete_observation(self, observation_id: int, allow: changes.Values, within: store.Connection | None = None) -> None:
        """Delete an Observation; see `streams.changes.delete`."""
        await self._edit(lambda connection: changes.delete(connection, observation_id, allow), within)

    async def delete_observations(self, ids: Sequence[int], within: store.Connection | None = None) -> None:
        """Delete Observations in one transaction; those that are gone already are passed by."""
        await self._edit(lambda connection: changes.delete_many(connection, ids), within)

    async def _edit(self, work: Callable[[store.Connection], Awaitable[None]], within: store.Connection | None) -> None:
        if within is not None:
            await self._edit_once(work, within)
            return
        async for attempt in retrying(EDIT_GIVE_UP_S):
            with attempt:
                async with self._editing, self._pool.connection() as connection:
                    await self._edit_once(work, connection)

    async def _edit_once(self, work: Callable[[store.Connection], Awaitable[None]], connection: store.Connection) -> None:
        try:
            async with connection.transaction():
                await work(connection)
        except psycopg.errors.ForeignKeyViolation as error:
            raise RegistryMovedError("a Datastream or FeatureOfInterest was deleted meanwhile") from error

    async def _serve(self, queue: asyncio.Queue[Request]) -> None:
        while True:
            requests = [await queue.get()]
            rows = len(requests[0].observations)
            while not queue.empty() and rows < BATCH_ROWS:
                requests.append(queue.get_nowait())
                rows += len(requests[-1].observations)
            await self._answer(requests)

    async def _answer(self, requests: list[Request]) -> None:
        shown: dict[int, bytes] = {}
        try:
            written = await self._write([o for request in requests for o in request.observations], shown)
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
                    mine = [placed(result, place) for place, result in enumerate(written[start:end])]
                    request.shown.update((number, shown[number]) for number in mine if isinstance(number, int) and number in shown)
                    request.written.set_result(mine)
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
                await self._answer([Request(observations=[observation], written=single, shown=request.shown)])
                results += [placed(result, len(results)) for result in await single]
            if not request.written.done():
                request.written.set_result(results)

    async def _write(self, observations: Sequence[NewObservation], shown: dict[int, bytes]) -> list[Written]:
        with contextlib.suppress(*TRANSIENT):  # nearly always the first try does it, without the cost of what repeats
            return await self._write_once(observations, shown)
        async for attempt in retrying(GIVE_UP_S):
            with attempt:
                return await self._write_once(observations, shown)
        raise AssertionError("retrying ends by an answer or an error")

    async def _write_once(self, observations: Sequence[NewObservation], shown: dict[int, bytes]) -> list[Written]:
        async with self._pool.connection() as connection:
            if len(observations) <= FEW_ROWS:
                return await self._write_few(connection, observations, shown)
            async with connection.transaction():
                return await self._write_many(connection, observations, self._tails)

    async def _write_within(self, connection: store.Connection, observations: Sequence[NewObservation]) -> list[Written]:
        """Write what may belong to entities that nobody else sees yet; nothing read of these is kept."""
        await stage.create(connection)
        await connection.execute("DELETE FROM stage")  # of an earlier part of the same transaction
        ids = {o.datastream_id for o in observations}
        self._channels.forget(ids)
        try:
            async with connection.transaction():
                return await self._write_many(connection, observations, None)
        except psycopg.DataError as error:
            if len(observations) == 1:
                return [RefusedObservationError(0, error.diag.message_primary or "refused by the database")]
            singly = [(await self._write_within(connection, [observation]))[0] for observation in observations]
            return [placed(result, place) for place, result in enumerate(singly)]
        finally:
            self._channels.forget()

    async def _write_few(
        self, connection: Connection, observations: Sequence[NewObservation], shown: dict[int, bytes]
    ) -> list[Written]:
        """Write rows by one statement; those that it can't place go the long way, which knows why."""
        now = datetime.now(UTC)
        channels = await self._channels.get(connection, {o.datastream_id for o in observations})
        candidates: list[Candidate] = []
        places: list[int] = []
        unclear: set[int] = set()
        for place, observation in enumerate(observations):
            channel = channels.get(observation.datastream_id)
            feature_id = observation.feature_id or (channel.feature_id if channel is not None else None)
            if channel is None or feature_id is None or misfit(observation, channel, place) is not None:
                unclear.add(observation.datastream_id)
            elif channel.rules is None:  # what is judged among other rows needs these, and their locks
                candidates.append(candidate_of(observation, channel, feature_id, None, now))
                places.append(place)
        written: dict[int, Written] = {}
        if candidates:
            inserted = await insert(connection, candidates, places, self._limits, self._shown)
            written.update(inserted.ids)
            shown.update(inserted.shown)
        left = [place for place in range(len(observations)) if place not in written]
        if left:
            unclear.update(observations[place].datastream_id for place in places if place not in written)
            self._channels.forget(unclear)
            async with connection.transaction():
                rest = await self._write_many(connection, [observations[place] for place in left], self._tails)
            written |= {place: placed(result, place) for place, result in zip(left, rest, strict=True)}
            self._channels.forget(unclear)
        return [written[place] for place in range(len(observations))]

    async def _write_many(
        self, connection: store.Connection, observations: Sequence[NewObservation], tails: Tails | None
    ) -> list[Written]:
        now = datetime.now(UTC)
        channels = await self._channels.get(connection, {o.datastream_id for o in observations})
        features = await _features(connection, observations, channels)
        there = await _lock_features(connection, {o.feature_id for o in observations if o.feature_id is not None})
        ids = await _make_ids(connection, observations)
        written: list[Written] = []
        candidates: list[Candidate] = []
        for place, (observation, observation_id) in enumerate(zip(observations, ids, strict=True)):
            channel = channels.get(observation.datastream_id)
            refusal = misfit(observation, channel, place)
            if channel is None or refusal is not None:
                written.append(refusal or UnknownDatastreamError(place, observation.datastream_id))
                continue
            if observation.feature_id is not None and observation.feature_id not in there:
                written.append(UnknownFeatureError(place, observation.feature_id))
                continue
            feature_id = observation.feature_id or channel.feature_id or features.get(channel.thing_id)
            if feature_id is None:
                written.append(NoFeatureError(place))
                continue
            candidates.append(candidate_of(observation, channel, feature_id, observation_id, now))
            written.append(observation_id)
        try:
            await store.write_rows(connection, candidates, self._limits, tails)
        except (RegistryMovedError, psycopg.errors.ForeignKeyViolation) as error:
            self._channels.forget()
            raise RegistryMovedError("a Datastream or FeatureOfInterest was deleted meanwhile") from error
        return written


async def _make_ids(connection: store.Connection, observations: Sequence[NewObservation]) -> list[int]:
    days = "{" + ",".join([str((o.phenomenon_time - _EPOCH).days) for o in observations]) + "}"
    cursor = await connection.execute(query("make_ids"), {"days": days}, binary=True)
    row = await cursor.fetchone()
    assert row is not None
    return row[0]


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
