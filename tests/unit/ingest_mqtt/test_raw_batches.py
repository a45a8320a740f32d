"""Micro-batches: at once when quiet, gathered when busy, never above the limit."""

import math

from hypothesis import given
from hypothesis import strategies as st

from ingest_mqtt.batches import Batcher
from ingest_mqtt.contract import RawMessage, decode_batch, encode_batch
from ingest_mqtt.dead_letters import MAX_MESSAGE_BYTES, TOO_LARGE

WAIT = 0.005


def batcher(limit: int = 400_000) -> Batcher:
    return Batcher(partitions=4, limit_bytes=limit, wait_s=WAIT)


def message(payload: bytes = b"x", seq: int = 0) -> RawMessage:
    return RawMessage(topic="region/1/t/d/up/json", payload=payload, received_us=1, epoch=1, seq=seq)


def test_a_lone_message_is_due_at_once() -> None:
    batches = batcher()
    batches.add(2, message(), 0, 10.0)
    assert batches.next_due() == 10.0
    (batch,) = batches.take(10.0)
    assert (batch.partition, batch.ordinals) == (2, [0])
    assert batches.next_due() == math.inf


def test_a_busy_partition_waits_for_company_and_another_does_not() -> None:
    batches = batcher()
    batches.add(2, message(), 0, 10.0)
    batches.take(10.0)
    batches.add(2, message(), 1, 10.001)
    batches.add(2, message(), 2, 10.002)
    batches.add(3, message(), 3, 10.002)
    assert [batch.ordinals for batch in batches.take(10.003)] == [[3]]
    assert batches.next_due() == 10.0 + WAIT
    assert [batch.ordinals for batch in batches.take(10.0 + WAIT)] == [[1, 2]]


def test_a_full_batch_is_closed_without_waiting() -> None:
    batches = batcher(limit=1_000)
    batches.add(0, message(), 0, 10.0)
    batches.take(10.0)
    for ordinal in (1, 2, 3):
        batches.add(0, message(b"x" * 400), ordinal, 10.001)
    assert [batch.ordinals for batch in batches.take(10.001)] == [[1], [2]]
    assert [batch.ordinals for batch in batches.take(10.0 + WAIT)] == [[3]]


def test_stopping_takes_everything() -> None:
    batches = batcher()
    for ordinal in range(10):
        batches.add(ordinal % 2, message(), ordinal, 10.0)
        if ordinal == 1:
            batches.take(10.0)
    taken = batches.take(10.0, everything=True)
    assert sorted(ordinal for batch in taken for ordinal in batch.ordinals) == list(range(2, 10))
    assert batches.size == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 50_000, 262_144, MAX_MESSAGE_BYTES - 20])), max_size=30))
def test_no_record_reaches_a_megabyte_and_nothing_is_lost_or_reordered(sizes: list[tuple[int, int]]) -> None:
    batches = batcher()
    for ordinal, (partition, size) in enumerate(sizes):
        refused = f"{TOO_LARGE}: {'x' * 200}"
        raw = RawMessage(
            topic="region/1/t/d/up/json", payload=bytes(size), received_us=2**60, epoch=2**62, seq=2**62, refused=refused
        )
        batches.add(partition, raw, ordinal, 10.0)
    taken = batches.take(10.0, everything=True)
    for batch in taken:
        value = encode_batch(batch.messages)
        assert len(value) < 1_000_000
        assert len(value) <= batch.size + 100
        assert decode_batch(value) == batch.messages
    for partition in range(4):
        ordinals = [ordinal for batch in taken if batch.partition == partition for ordinal in batch.ordinals]
        assert ordinals == [ordinal for ordinal, (where, _) in enumerate(sizes) if where == partition]
