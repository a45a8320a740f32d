"""The log's end of the bridge: records go to Kafka until Kafka has confirmed them, whatever happens on the way.

A record leaves memory only by its confirmation. A failed delivery is tried again; a producer that Kafka has fenced or that lost its
state (a log that was made anew) is replaced and everything unconfirmed sent again. Repeats are harmless downstream (delivery.md 6).
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from infra.log import LogError, PartitionsError, ensure_topic
from infra.telemetry import RepeatFilter
from ingest_mqtt.contract import RAW_TOPIC
from ingest_mqtt.metrics import Figures

_logger = logging.getLogger(__name__)

_ADMIN_TIMEOUT_S = 2.0
_RETRY_S = 0.5
_DOUBT_S = 5.0  # without a confirmation: librdkafka may wait for ever on a log that was made anew
_NO_TOPIC = (KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART)  # noqa: SLF001 - librdkafka's names


class Record(msgspec.Struct, kw_only=True):
    """One record: where it goes, the ordinals of its messages, and when it was made (monotonic seconds)."""

    partition: int
    value: bytes
    ordinals: list[int]
    made: float


class RawLog:
    """Producer of `readings.raw`. One thread; `poll` serves confirmations, which call `confirmed` with the record."""

    def __init__(self, *, bootstrap: str, partitions: int, confirmed: Callable[[Record], None], figures: Figures) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._confirmed = confirmed
        self._figures = figures
        self._unconfirmed: dict[int, Record] = {}  # by number, oldest first
        self._waiting: deque[int] = deque()  # numbers that are still to be given to the producer
        self._number = 0
        self._generation = 0
        self._incarnation = ""  # the topic's id
        self._check_at = math.inf  # when to look whether the log is still the same
        self._checked = 0.0
        self._retry_at = 0.0
        self._broken = False
        self._producer = self._new_producer()

    def __len__(self) -> int:
        """How many records Kafka has not confirmed."""
        return len(self._unconfirmed)

    def oldest(self) -> float | None:
        """When the oldest unconfirmed record was made."""
        return next(iter(self._unconfirmed.values())).made if self._unconfirmed else None

    def ensure_topic(self) -> bool:
        """Make the topic if it is not there; False when Kafka does not answer. Raises `PartitionsError`."""
        try:
            found = ensure_topic(self._bootstrap, RAW_TOPIC, self._partitions, _ADMIN_TIMEOUT_S)
        except PartitionsError:
            raise
        except LogError as error:
            _logger.warning("%s", error)
            return False
        if self._incarnation not in ("", found):
            _logger.warning("topic %s was made anew", RAW_TOPIC)
            self._broken = True
        self._incarnation = found
        self._figures.kafka_up = True
        return True

    def send(self, record: Record) -> None:
        """Take charge of a record."""
        self._number += 1
        self._unconfirmed[self._number] = record
        self._waiting.append(self._number)
        if len(self._waiting) == 1:
            self._produce_waiting()

    def poll(self, timeout_s: float = 0.0) -> None:
        """Serve confirmations and errors, and send again what failed."""
        self._producer.poll(timeout_s)
        now = time.monotonic()
        if now >= self._check_at or self._doubtful(now):
            self._check_at = math.inf if self.ensure_topic() else time.monotonic() + _RETRY_S
            self._checked = time.monotonic()
        if now >= self._retry_at:
            if self._broken:
                self._replace_producer()
            if self._waiting:
                self._produce_waiting()

    def _doubtful(self, now: float) -> bool:
        oldest = self.oldest()
        return oldest is not None and now - max(oldest, self._checked) > _DOUBT_S

    def close(self, timeout_s: float) -> int:
        """Wait until everything is confirmed, at most so long; how many records are not."""
        deadline = time.monotonic() + timeout_s
        while self._unconfirmed and time.monotonic() < deadline:
            self.poll(0.05)
        return len(self._unconfirmed)

    def _produce_waiting(self) -> None:
        waiting = self._waiting
        while waiting:
            number = waiting[0]
            record = self._unconfirmed[number]
            try:
                self._producer.produce(
                    RAW_TOPIC,
                    value=record.value,
                    partition=record.partition,
                    on_delivery=partial(self._delivered, self._generation, number),
                )
            except BufferError:
                return  # its queue is full: confirmations make room, the next poll goes on
            except KafkaException as error:
                self._failed(error.args[0])
                return
            waiting.popleft()
            self._figures.records_out += 1

    def _delivered(self, generation: int, number: int, error: KafkaError | None, _message: Message) -> None:
        if generation != self._generation:
            return
        if error is None:
            self._figures.kafka_up = True
            self._confirmed(self._unconfirmed.pop(number))
            return
        self._waiting.append(number)
        self._failed(error)

    def _failed(self, error: KafkaError) -> None:
        self._figures.kafka_errors += 1
        now = time.monotonic()
        if now >= self._retry_at:
            _logger.warning("Kafka did not take a record, it will be sent again: %s", error)
        self._retry_at = now + _RETRY_S
        self._check_at = min(self._check_at, now)
        if error.fatal() or error.code() in _NO_TOPIC:
            self._broken = True

    def _replace_producer(self) -> None:
        """Start afresh: a fenced or fatally failed producer never sends again, and one whose topic was made anew may stumble."""
        self._generation += 1
        self._producer.purge()
        self._producer = self._new_producer()
        self._waiting = deque(self._unconfirmed)
        self._broken = False
        _logger.warning("a new Kafka producer sends %d unconfirmed records again", len(self._waiting))

    def _new_producer(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "message.timeout.ms": 0,  # for ever: nothing is given up while the process lives (delivery.md 4)
                "linger.ms": 0,  # records are batches already
                "queue.buffering.max.kbytes": 65_536,
                "socket.timeout.ms": 10_000,
                "socket.nagle.disable": True,
                "reconnect.backoff.max.ms": 2_000,
                "topic.metadata.propagation.max.ms": 2_000,
                "statistics.interval.ms": 5_000,
                "stats_cb": self._on_statistics,
                "error_cb": self._on_error,
                "logger": _librdkafka,
            }
        )

    def _on_error(self, error: KafkaError) -> None:
        self._figures.kafka_errors += 1
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self._figures.kafka_up = False
        self._check_at = min(self._check_at, time.monotonic())  # a connection was lost: the log may be another one when it is back
        if error.fatal():
            self._broken = True
            self._retry_at = time.monotonic() + _RETRY_S

    def _on_statistics(self, text: str) -> None:
        brokers: dict[str, dict[str, Any]] = json.loads(text)["brokers"]
        self._figures.kafka_up = any(each["state"] == "UP" for each in brokers.values())


_librdkafka = logging.getLogger(f"{__name__}.librdkafka")
_librdkafka.addFilter(RepeatFilter())
