"""The worker's work on one batch: take in, store, hand on what follows; and its ends that are no ends of Faust's."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

import msgspec
import psycopg

from ingest_mqtt.contract import RawMessage, decode_batch
from streams import ledger, store
from streams.errors import FencedError, RegistryMovedError
from streams.intake import Intake, Limits, take_in
from streams.isolate import find_poison
from streams.queries import query
from streams.registry import Registry
from streams.sessions import Pool, retrying
from streams.store import Receipt, StoreLimits
from streams.transport import Batch

logger = logging.getLogger(__name__)

EXIT_FATAL = 75  # EX_TEMPFAIL: the supervisor starts the worker again
CHUNK_BYTES = 1_000_000  # of raw records in one transaction: bounds memory


class Log(Protocol):
    """What the worker asks the log."""

    def incarnation(self) -> str:
        """Return the topic's id, which changes when a log is lost and made anew."""
        ...

    def ends(self) -> dict[int, int] | None:
        """Return the next offset of each partition; None where the log does not say it exactly."""
        ...


class Worker:
    """Owner of partitions: claims them, stores their batches, and ends the process where going on could lose or repeat readings."""

    def __init__(
        self,
        *,
        pool: Pool,
        owner: str,
        log: Log,
        limits: Limits,
        store_limits: StoreLimits,
        on_receipts: Callable[[Sequence[Receipt]], None],
        on_stored: Callable[[Intake], None],
        give_up_after_s: float = 120.0,
    ) -> None:
        self._pool = pool
        self._owner = owner
        self._log = log
        self._limits = limits
        self._store_limits = store_limits
        self._on_receipts = on_receipts
        self._on_stored = on_stored
        self._give_up = give_up_after_s
        self._registry = Registry()
        self._placeless: set[int] = set()  # Things that have no Location to make a FeatureOfInterest from
        self._stale = True
        self._known_incarnation: str | None = None

    @property
    def has_joined(self) -> bool:
        """Whether partitions were claimed since the start, be it none."""
        return self._known_incarnation is not None

    def registry_changed(self) -> None:
        """Have the registry read again before the next batch."""
        self._stale = True

    async def claim(self, partitions: set[tuple[str, int]]) -> dict[tuple[str, int], ledger.Claim]:
        """Take partitions in the ledger; see `transport.Ownership`."""
        incarnation = await asyncio.to_thread(self._log.incarnation)
        if self._known_incarnation not in (None, incarnation):
            self.fatal(f"the log was made anew: {self._known_incarnation} became {incarnation}")
        self._known_incarnation = incarnation
        claims: dict[tuple[str, int], ledger.Claim] = {}
        async for attempt in retrying(self._give_up):
            with attempt:
                async with self._pool.connection() as connection:
                    claims = await ledger.claim(connection, incarnation, partitions, self._owner)
        await self._check_log_is_longer(claims)
        return claims

    async def _check_log_is_longer(self, claims: dict[tuple[str, int], ledger.Claim]) -> None:
        """End where the log lost its tail: new records at old offsets would be skipped."""
        ends = await asyncio.to_thread(self._log.ends)
        for claim in claims.values():
            if ends is not None and claim.next_offset > ends[claim.partition]:
                self.fatal(f"the ledger of {claim.topic}/{claim.partition} is at {claim.next_offset}, the log ends at {ends}")

    def fatal(self, reason: str) -> NoReturn:
        """End the process at once; what was not committed is read again after the restart."""
        logger.critical("the worker ends: %s", reason)
        logging.shutdown()
        os._exit(EXIT_FATAL)

    async def handle(self, batch: Batch) -> None:
        """Store a batch in transactions of bounded size; a batch of a lost partition is dropped."""
        try:
            start = batch.start
            for values in chunks(batch.values):
                await self._store(batch.claim, start, start + len(values), [m for value in values for m in messages_of(value)])
                start += len(values)
        except FencedError as error:
            logger.warning("dropped: %s", error)

    async def _store(self, claim: ledger.Claim, start: int, end: int, messages: list[RawMessage]) -> None:
        async for attempt in retrying(self._give_up):
            with attempt:
                async with self._pool.connection() as connection:
                    intake = await self._take_in(connection, messages)
                    try:
                        receipts = await store.store_batch(connection, intake, claim, start, end, self._store_limits)
                    except RegistryMovedError:
                        self._stale = True  # the same batch again: the vanished Datastream's readings are refused
                        raise
                    except psycopg.DataError:
                        poison = await find_poison(connection, intake.candidates, self._store_limits)
                        intake = take_in(messages, self._registry, self._limits, poison)
                        receipts = await store.store_batch(connection, intake, claim, start, end, self._store_limits)
                self._on_receipts(receipts)
                self._on_stored(intake)

    async def _take_in(self, connection: store.Connection, messages: list[RawMessage]) -> Intake:
        if self._stale:
            self._stale = False  # before the reading: a change meanwhile sets it again
            self._placeless.clear()
            await self._registry.load(connection)
        intake = take_in(messages, self._registry, self._limits)
        if intake.unknown or intake.unknown_datastreams or intake.unknown_features:  # perhaps registered a moment ago
            await self._registry.refresh(connection, intake.unknown)
            await self._registry.refresh_entities(connection, intake.unknown_datastreams, intake.unknown_features)
            intake = take_in(messages, self._registry, self._limits)
        wanting = _without_feature(intake) - self._placeless
        if wanting:  # the first reading from this place
            await connection.execute(query("make_features"), {"things": sorted(wanting)})
            await self._registry.load(connection)
            intake = take_in(messages, self._registry, self._limits)
            self._placeless |= _without_feature(intake)
        return intake


def _without_feature(intake: Intake) -> set[int]:
    return {candidate.channel.thing_id for candidate in intake.candidates if candidate.channel.feature_id is None}


def messages_of(value: bytes) -> list[RawMessage]:
    """Unpack a record; one that no bridge wrote is a dead letter, not the end of the worker."""
    try:
        return decode_batch(value)
    except msgspec.DecodeError as error:
        return [RawMessage(topic="", payload=value, received_us=time.time_ns() // 1000, refused=f"bad_record: {error}")]


def chunks(values: list[bytes]) -> list[list[bytes]]:
    """Cut records into runs of at most `CHUNK_BYTES`, at least one record each."""
    runs: list[list[bytes]] = []
    size = 0
    for value in values:
        if not runs or size + len(value) > CHUNK_BYTES:
            runs.append([])
            size = 0
        runs[-1].append(value)
        size += len(value)
    return runs
