"""The worker's work on one batch: take in, store, hand on what follows; and its ends that are no ends of Faust's."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

import msgspec

from ingest_mqtt.contract import RawMessage, decode_batch
from streams import blockers, ledger, store
from streams.copies import Heard
from streams.errors import FencedError, RegistryMovedError, StandingMovedError
from streams.intake import Intake, Limits
from streams.isolate import Found, Sieve, fault_of
from streams.pause import Alarm, Gate, Watch, is_enough, source_of
from streams.related import WriteRelated, store_along
from streams.sessions import Pool, retrying
from streams.store import Receipt, StoreLimits
from streams.tails import Tails
from streams.taken import Along, Letter
from streams.taker import Taker
from streams.transport import BATCH_BYTES, Batch

logger = logging.getLogger(__name__)

EXIT_FATAL = 75  # EX_TEMPFAIL: the supervisor starts the worker again


class Log(Protocol):
    """What the worker asks the log."""

    def incarnation(self) -> str:
        """Return the topic's id, which changes when a log is lost and made anew."""
        ...

    def ends(self) -> dict[int, int] | None:
        """Return the next offset of each partition; None where the log does not say it exactly."""
        ...


class _PausedError(Exception):
    """Too much can't be read: the batch waits."""

    def __init__(self, alarm: Alarm) -> None:
        super().__init__(str(alarm))
        self.alarm = alarm


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
        gate: Gate,
        give_up_after_s: float = 120.0,
        related: WriteRelated | None = None,
    ) -> None:
        self._pool = pool
        self._owner = owner
        self._log = log
        self._taker = Taker(limits)
        self._store_limits = store_limits
        self._on_receipts = on_receipts
        self._on_stored = on_stored
        self._gate = gate
        self._related = related
        self._watch = Watch()
        self._give_up = give_up_after_s
        self._tails = Tails()
        self._heard = Heard()
        self._known_incarnation: str | None = None

    @property
    def quarantined(self) -> int:
        """How many devices are quarantined, as far as this worker knows."""
        return self._taker.quarantined

    @property
    def has_joined(self) -> bool:
        """Whether partitions were claimed since the start, be it none."""
        return self._known_incarnation is not None

    def registry_changed(self) -> None:
        """Have the registry read again before the next batch."""
        self._taker.changed()

    async def claim(self, partitions: set[tuple[str, int]]) -> dict[tuple[str, int], ledger.Claim]:
        """Take partitions in the ledger; see `transport.Ownership`."""
        self._tails.clear()  # another worker may have had the partition
        incarnation = await asyncio.to_thread(self._log.incarnation)
        if self._known_incarnation not in (None, incarnation):
            self.fatal(f"the log was made anew: {self._known_incarnation} became {incarnation}")
        self._known_incarnation = incarnation
        self._taker.changed()  # another worker may have had these devices
        claims: dict[tuple[str, int], ledger.Claim] = {}
        async for attempt in retrying(self._give_up):
            with attempt:
                async with self._pool.connection() as connection, blockers.ended(self._pool, connection):
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
        await self._gate.passed()
        try:
            await self._store_once(claim, start, end, messages, watched=True)
        except _PausedError as pause:
            if not await self._gate.close(pause.alarm):
                self.fatal("paused for long: a new process goes on waiting")
            self._watch.clear()
            self._taker.changed()
            await self._store_once(claim, start, end, messages, watched=False)  # somebody has looked

    async def _store_once(self, claim: ledger.Claim, start: int, end: int, messages: list[RawMessage], *, watched: bool) -> None:
        async def commit(connection: store.Connection, intake: Intake) -> list[Receipt]:
            return await store.store_batch(
                connection, intake, claim, start, end, self._store_limits, self._tails, self._along,
                may_repeat=self._heard.may_repeat(intake.settled),
            )  # fmt: skip

        async for attempt in retrying(self._give_up):
            with attempt:
                async with self._pool.connection() as connection:
                    intake = await self._taker.take_in(connection, messages)
                    self._check(intake, watched=watched)
                    try:
                        receipts = await commit(connection, intake)
                    except (RegistryMovedError, StandingMovedError):
                        self._taker.changed()  # the same batch again, by what holds now
                        raise
                    except Exception as error:  # noqa: BLE001 - raised again where no reading is the reason
                        fault_of(error)
                        intake = await self._without_poison(connection, messages, intake, watched=watched)
                        receipts = await commit(connection, intake)
                self._taker.stored(intake)
                self._heard.add(intake.settled)
                self._watch.add(intake)
                self._on_receipts(receipts)
                self._on_stored(intake)

    async def _along(self, connection: store.Connection, along: Sequence[Along]) -> list[Letter]:
        return await store_along(connection, along, self._store_limits, self._related)

    def _check(self, intake: Intake, *, watched: bool) -> None:
        alarm = self._watch.look_ahead(intake) if watched and intake.failures else None
        if alarm is not None:
            raise _PausedError(alarm)

    async def _without_poison(
        self, connection: store.Connection, messages: list[RawMessage], intake: Intake, *, watched: bool
    ) -> Intake:
        def enough(found: Found) -> bool:
            failed = {message for (message, _), fault in found.items() if fault.reason == "bug"}
            return is_enough([source_of(messages[message].topic) for message in failed])

        sieve = Sieve(connection, self._store_limits)
        if watched:  # a wrong release is seen before every reading was tried
            found = await sieve.find(intake.candidates, enough)
            taken = self._taker.take(messages, found)
            self._check(taken, watched=True)
            if not enough(found):
                return taken
        return self._taker.take(messages, await sieve.find(intake.candidates))


def messages_of(value: bytes) -> list[RawMessage]:
    """Unpack a record; one that no bridge wrote is a dead letter, not the end of the worker."""
    try:
        return decode_batch(value)
    except msgspec.DecodeError as error:
        return [RawMessage(topic="", payload=value, received_us=time.time_ns() // 1000, refused=f"bad_record: {error}")]


def chunks(values: list[bytes]) -> list[list[bytes]]:
    """Cut records into runs of at most `BATCH_BYTES`, at least one record each."""
    runs: list[list[bytes]] = []
    size = 0
    for value in values:
        if not runs or size + len(value) > BATCH_BYTES:
            runs.append([])
            size = 0
        runs[-1].append(value)
        size += len(value)
    return runs
