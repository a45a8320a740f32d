"""The seam to Faust: start positions come from the ledger, and one Faust event is one batch of a partition (ledger.md).

Faust acknowledges events whose agent raised and commits past unfinished ones (delivery.md 5), so nothing relies on its commits:
`seek_to_committed`, the only place where it takes start positions from, asks the ledger; topics are made with `acks=False`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, NoReturn, Protocol, cast

import faust
import msgspec
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.ledger import Claim

BATCH_BYTES = 1_000_000  # of records in one transaction, and from which on a waiting batch takes no more: bounds memory


class Batch(msgspec.Struct, kw_only=True):
    """Records of one partition from offset `start` on, under the claim that fetched them; `size` in bytes.

    While it waits for the worker the records that are fetched meanwhile join it: a transaction costs the same for one record.
    """

    claim: Claim
    start: int
    values: list[bytes]
    size: int = 0
    is_open: bool = True

    @property
    def end(self) -> int:
        """The offset behind the last record."""
        return self.start + len(self.values)

    def add(self, values: list[bytes]) -> None:
        """Take the records that follow."""
        self.values += values
        self.size += sum(map(len, values))
        self.is_open = self.size < BATCH_BYTES

    def close(self) -> None:
        """Take no more records: the worker begins."""
        self.is_open = False


class Ownership(Protocol):
    """What the consumer asks the worker for."""

    async def claim(self, partitions: set[tuple[str, int]]) -> dict[tuple[str, int], Claim]:
        """Take partitions in the ledger."""
        ...

    def fatal(self, reason: str) -> NoReturn:
        """End the process: going on could lose or repeat readings."""
        ...


class BatchSchema(faust.Schema[Any, Any]):
    """Hands a batch through undecoded."""

    def loads_key(self, app: Any, message: Any, **_kwargs: Any) -> None:
        """No keys here."""

    def loads_value(self, app: Any, message: Any, **_kwargs: Any) -> Any:
        """Return the batch as `getmany` made it."""
        del app
        return message.value


class LedgerConsumer(driver.Consumer):
    """Faust's consumer with positions from the ledger."""

    _claims: dict[TP, Claim]
    _expected: dict[TP, int]
    _waiting: dict[TP, Batch]

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Claim every assigned partition, then go to where its ledger stands, offset 0 included."""
        app = cast("LedgerApp", self.app)
        assigned = {(tp.topic, tp.partition) for tp in self.assignment()}
        self._claims, self._expected, self._waiting = {}, {}, {}
        try:
            # Faust cancels this after broker_request_timeout and then goes on without a seek: never let that happen.
            claims = await asyncio.wait_for(app.ownership.claim(assigned), app.conf.broker_request_timeout * 0.6)
        except asyncio.CancelledError:  # another rebalance began
            raise
        except Exception as error:  # noqa: BLE001 - Faust would go on from anywhere
            app.ownership.fatal(f"no claim: {error!r}")
        self._claims = {TP(topic, partition): claim for (topic, partition), claim in claims.items()}
        self._expected = {tp: claim.next_offset for tp, claim in self._claims.items()}
        await self.seek_wait(self._expected)
        return dict(self._expected)

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: the blocked put() is the back-pressure; Faust's own way sleeps a second."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Do nothing, see `on_buffer_full`."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 - as Faust has it
        """Yield one message per partition, all that was fetched of it, where no batch of it waits that can take it."""
        records, active = await self._wait_next_records(timeout)
        if not records or self.should_stop:
            return
        for tp, fetched in records.items():
            if not self.flow_active:  # a rebalance began: it will seek again
                return
            if active is None or tp in active or tp in self._buffered_partitions:
                batch = self._batch(tp, fetched)
                if batch is not None:
                    yield tp, self._event(tp, batch, fetched[-1])

    def _batch(self, tp: TP, fetched: list[Any]) -> Batch | None:
        ownership = cast("LedgerApp", self.app).ownership
        claim = self._claims.get(tp)
        if claim is None:
            ownership.fatal(f"records of {tp} without a claim")
        start = self._expected[tp]
        records = [record for record in fetched if record.offset >= start]
        if not records:
            return None
        end = records[-1].offset + 1
        if records[0].offset != start or end - start != len(records):
            ownership.fatal(f"a hole in {tp}: expected {start}, got {records[0].offset}..{end}, {len(records)} records")
        self._expected[tp] = end
        waiting = self._waiting.get(tp)
        if waiting is not None and waiting.is_open:
            waiting.add([record.value for record in records])
            return None
        self._waiting[tp] = batch = Batch(claim=claim, start=start, values=[])
        batch.add([record.value for record in records])
        return batch

    def _event(self, tp: TP, batch: Batch, last: Any) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1e3, last.timestamp_type, None, None,
            cast("Any", batch), None, 0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip


class LedgerTransport(driver.Transport):
    """Faust's transport with that consumer."""

    Consumer = LedgerConsumer


class NoWeb(BootStrategy):
    """Faust's web server stays off: two workers would collide on its port."""

    enable_web = False


class LedgerApp(faust.App):
    """A Faust app whose positions are in the ledger."""

    BootStrategy = NoWeb
    ownership: Ownership
    before_start: Callable[[], Coroutine[Any, Any, None]]
    before_stop: Callable[[], Coroutine[Any, Any, None]]

    async def on_start(self) -> None:
        """Wait for the database before joining: a claim can't wait for long."""
        await self.before_start()
        await super().on_start()

    async def on_stop(self) -> None:
        """Stop; bounded by `before_stop`, for aiokafka can hang while Kafka is away."""
        await self.before_stop()
        await super().on_stop()

    def _new_transport(self) -> LedgerTransport:
        return LedgerTransport(self.conf.broker_consumer, self)
