"""Batches of the log on their way to the worker: what waits takes in what follows, and nothing is left out or taken twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.ledger import Claim
from streams.transport import BATCH_BYTES, Batch, LedgerConsumer

PARTITION = TP("readings.raw", 0)


class _EndedError(BaseException):
    """What the end of the process is to a test."""


class Ownership:
    """Claims what is asked for, at the offset where the test says the ledger stands."""

    def __init__(self) -> None:
        self.next_offset = 0
        self.epoch = 0

    async def claim(self, partitions: set[tuple[str, int]]) -> dict[tuple[str, int], Claim]:
        self.epoch += 1
        return {
            (topic, number): Claim(
                incarnation="log-1", topic=topic, partition=number, next_offset=self.next_offset, epoch=self.epoch
            )
            for topic, number in partitions
        }

    def fatal(self, reason: str) -> NoReturn:
        raise _EndedError(reason)


class Consumer(LedgerConsumer):
    """The seam without Faust's and Kafka's ends."""

    def __init__(self) -> None:
        self.app: Any = SimpleNamespace(ownership=Ownership(), conf=SimpleNamespace(broker_request_timeout=60.0))

    def assignment(self) -> set[TP]:
        return {PARTITION}

    async def seek_wait(self, partitions: Any) -> None:
        """Nothing to seek in."""

    def fetch(self, *values: bytes, start: int) -> Batch | None:
        return self._batch(PARTITION, [SimpleNamespace(offset=start + place, value=value) for place, value in enumerate(values)])


@pytest.fixture
async def consumer() -> Consumer:
    made = Consumer()
    await made.seek_to_committed()
    return made


async def test_records_join_the_batch_that_still_waits(consumer: Consumer) -> None:
    batch = consumer.fetch(b"a", start=0)
    assert batch is not None
    assert consumer.fetch(b"b", b"c", start=1) is None
    assert (batch.start, batch.end, batch.values) == (0, 3, [b"a", b"b", b"c"])


async def test_records_that_come_after_the_worker_began_make_a_batch_of_their_own(consumer: Consumer) -> None:
    batch = consumer.fetch(b"a", start=0)
    assert batch is not None
    batch.close()
    following = consumer.fetch(b"b", start=1)
    assert following is not None
    assert (batch.values, following.start, following.values) == ([b"a"], 1, [b"b"])


async def test_a_waiting_batch_is_full_at_its_bound(consumer: Consumer) -> None:
    batch = consumer.fetch(bytes(BATCH_BYTES - 1), start=0)
    assert batch is not None
    assert batch.is_open
    assert consumer.fetch(b"b", start=1) is None
    assert not batch.is_open
    following = consumer.fetch(b"c", start=2)
    assert following is not None
    assert following.values == [b"c"]


async def test_nothing_joins_a_batch_of_an_earlier_claim(consumer: Consumer) -> None:
    batch = consumer.fetch(b"a", start=0)
    await consumer.seek_to_committed()
    following = consumer.fetch(b"a", b"b", start=0)
    assert batch is not None
    assert following is not None
    assert (batch.values, following.values) == ([b"a"], [b"a", b"b"])
    assert following.claim.epoch == batch.claim.epoch + 1


async def test_what_was_fetched_before_is_left_out_and_a_hole_ends_the_process(consumer: Consumer) -> None:
    batch = consumer.fetch(b"a", b"b", start=0)
    assert batch is not None
    assert consumer.fetch(b"a", b"b", start=0) is None
    assert consumer.fetch(b"b", b"c", start=1) is None
    assert batch.values == [b"a", b"b", b"c"]
    with pytest.raises(_EndedError, match="a hole"):
        consumer.fetch(b"e", start=4)


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=20))
async def test_batches_follow_each_other_without_gap(fetches: list[tuple[int, bool]]) -> None:
    consumer = Consumer()
    await consumer.seek_to_committed()
    batches: list[Batch] = []
    offset = 0
    for count, begins in fetches:
        batch = consumer.fetch(*(str(offset + place).encode() for place in range(count)), start=offset)
        offset += count
        batches += [batch] if batch is not None else []
        if begins:
            batches[-1].close()
    assert [value for batch in batches for value in batch.values] == [str(number).encode() for number in range(offset)]
    assert [batch.start for batch in batches] == [0, *(batch.end for batch in batches)][: len(batches)]
