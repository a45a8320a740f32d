"""The log's end of the bridge against a producer that refuses, fails and forgets."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from ingest_mqtt import raw_log
from ingest_mqtt.metrics import Figures
from ingest_mqtt.raw_log import RawLog, Record

ROOM = 2  # records that the producer's queue takes


class FullProducer:
    """Takes `ROOM` records at a time and confirms one at each poll."""

    def __init__(self, _settings: dict[str, Any]) -> None:
        self.queue: deque[tuple[bytes, Any]] = deque()
        self.taken: list[bytes] = []
        self.refused = 0

    def produce(self, _topic: str, *, value: bytes, partition: int, on_delivery: Any) -> None:
        assert partition == 0
        if len(self.queue) >= ROOM:
            self.refused += 1
            raise BufferError("queue full")
        self.queue.append((value, on_delivery))
        self.taken.append(value)

    def poll(self, _timeout_s: float) -> None:
        if self.queue:
            _, on_delivery = self.queue.popleft()
            on_delivery(None, None)


@pytest.fixture
def confirmed() -> list[bytes]:
    return []


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, confirmed: list[bytes]) -> RawLog:
    monkeypatch.setattr(raw_log, "Producer", FullProducer)
    return RawLog(bootstrap="nowhere", partitions=1, confirmed=lambda record: confirmed.append(record.value), figures=Figures())


def record(number: int) -> Record:
    return Record(partition=0, value=b"%d" % number, ordinals=[number], made=0.0)


def test_records_that_a_full_queue_refused_are_sent_when_there_is_room(log: RawLog, confirmed: list[bytes], monkeypatch) -> None:
    monkeypatch.setattr(RawLog, "_doubtful", lambda *_: False)
    values = [b"%d" % number for number in range(7)]
    for number in range(7):
        log.send(record(number))
    assert len(log) == 7
    for _ in range(7):
        log.poll()
    producer = log._producer
    assert isinstance(producer, FullProducer)
    assert producer.refused > 0
    assert producer.taken == values == confirmed
    assert len(log) == 0


def test_closing_counts_what_was_never_confirmed(log: RawLog, confirmed: list[bytes], monkeypatch) -> None:
    monkeypatch.setattr(RawLog, "_doubtful", lambda *_: False)
    monkeypatch.setattr(FullProducer, "poll", lambda *_: None)
    for number in range(3):
        log.send(record(number))
    assert log.close(0.1) == 3
    assert confirmed == []
