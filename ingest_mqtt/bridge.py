"""The bridge: MQTT messages into `readings.raw`, acknowledged only after Kafka has confirmed them (delivery.md 2 to 4).

One thread, one loop: select on the broker's socket, cut messages, batch them by partition, hand records to Kafka, serve its
confirmations, acknowledge the confirmed prefix. Whatever goes wrong in it ends the process.
"""

from __future__ import annotations

import logging
import select
import signal
import socket
import time
from contextlib import ExitStack, suppress
from types import FrameType

from prometheus_client import CollectorRegistry, ProcessCollector

from devices.topics import ECHO
from infra.log import PartitionsError
from infra.packets import Publish
from infra.settings import BridgeSettings
from infra.telemetry import serve_telemetry
from ingest_mqtt.acks import AckTracker
from ingest_mqtt.batches import Batcher
from ingest_mqtt.contract import RawMessage, encode_batch, partition_of
from ingest_mqtt.dead_letters import MAX_MESSAGE_BYTES, read_gateway, read_identity, read_topic, shorten
from ingest_mqtt.metrics import Figures, FiguresCollector
from ingest_mqtt.raw_log import RawLog, Record
from ingest_mqtt.subscriber import Account, Subscriber, SubscriberError

_logger = logging.getLogger(__name__)

_TURN_S = 1.0  # longest sleep of the loop
_CONFIRM_TURN_S = 0.02  # while Kafka owes confirmations: librdkafka's answers do not wake a select
_NAP_S = 0.002  # after messages came: more of them are read in one go, at a fifth of the cost; a lone message never waits for it
_HELD_BYTES = 64_000_000  # unconfirmed; beyond, the socket is not read. Acks alone do not hold back QoS 0
_STOP_S = 8.0
_END_S = 15
_TOPICS_CACHED = 50_000
_CREATIONS = "v1.1/"
_ECHO = (ECHO[0].encode(), ECHO[1].encode())


class Bridge:
    """The loop and its state. `stop` may be called from a signal handler."""

    def __init__(self, settings: BridgeSettings) -> None:
        self.figures = Figures()
        self._settings = settings
        self._acks = AckTracker()
        self._batcher = Batcher(partitions=settings.partitions, limit_bytes=settings.batch_bytes, wait_s=settings.batch_ms / 1e3)
        self._log = RawLog(
            bootstrap=settings.kafka, partitions=settings.partitions, confirmed=self._confirmed, figures=self.figures
        )
        self._subscriber = Subscriber(
            Account(
                host=settings.mqtt_host,
                port=settings.mqtt_port,
                user=settings.mqtt_user,
                password=settings.mqtt_password.get_secret_value(),
                client_id=settings.mqtt_client_id,
                session_expiry_s=settings.mqtt_session_expiry,
                receive_maximum=settings.mqtt_receive_maximum,
                share=settings.mqtt_share,
            ),
            self.figures,
        )
        self._topics: dict[bytes, tuple[str, int, str | None]] = {}
        self._held = 0  # bytes in records that Kafka has not confirmed
        self._stopping = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)

    def stop(self) -> None:
        """End the loop soon."""
        self._stopping = True
        with suppress(OSError):  # full or closed: it wakes anyhow
            self._wake_out.send(b"\0")

    def run(self) -> int:
        """Carry messages until `stop`; the number of messages that Kafka had not confirmed by then."""
        try:
            while not self._stopping and not self._log.ensure_topic():
                self._wait(None, _TURN_S, reading=False)
            while not self._stopping:
                self._turn()
            _logger.info("stopping")
            return self._finish()
        finally:
            self._subscriber.close(time.monotonic())
            self._wake_in.close()
            self._wake_out.close()

    def _turn(self) -> None:
        now = time.monotonic()
        figures = self.figures
        if self._subscriber.turn(now):
            self._acks.new_epoch()
        reading = self._held + self._batcher.size < _HELD_BYTES
        if not reading:
            self._subscriber.skip_silence(now)
        timeout = min(_CONFIRM_TURN_S if len(self._log) else _TURN_S, max(0.0, self._batcher.next_due() - now))
        if self._subscriber.fileno() is None:
            timeout = min(timeout, 0.1)
        readable = self._wait(self._subscriber.fileno(), timeout, reading=reading)
        now = time.monotonic()
        messages = self._subscriber.receive(now) if readable else []
        self._take_in(messages, now)
        self._send_batches(now)
        self._log.poll()
        self._acknowledge(now)
        figures.last_turn = now
        figures.in_flight = len(self._acks)
        figures.oldest_unconfirmed = self._log.oldest()
        if messages:
            time.sleep(_NAP_S)

    def _wait(self, descriptor: int | None, timeout: float, *, reading: bool) -> bool:
        """Sleep until the broker sent something, at most so long; whether it did."""
        read = [self._wake_in.fileno()]
        if descriptor is not None and reading:
            read.append(descriptor)
        write = [descriptor] if descriptor is not None and self._subscriber.unsent else []
        readable, writable, _ = select.select(read, write, [], timeout)
        if writable:
            self._subscriber.flush(time.monotonic())
        return descriptor in readable

    def _take_in(self, messages: list[Publish], now: float) -> None:
        if not messages:
            return
        received_us = time.time_ns() // 1000 - 1  # at first sight, once and for all (delivery.md 6)
        arrived, add, topics, figures = self._acks.arrived, self._batcher.add, self._topics, self.figures
        for message in messages:
            if message.user and _ECHO in message.user:
                self._acks.confirm([arrived(message.mid)])
                continue
            received_us += 1  # no two messages have one stamp: it tells copies of a record from messages that are equal
            topic, partition, refused = topics.get(message.topic) or self._learn_topic(message.topic)
            identity, bad_identity = read_identity(message.user)
            gateway = None
            if message.user and bad_identity is None and topic.startswith(_CREATIONS):
                gateway, bad_identity = read_gateway(message.user)
            raw = RawMessage(
                topic=topic,
                payload=message.payload,
                received_us=received_us,
                epoch=identity[0],
                seq=identity[1],
                first=identity[2],
                refused=refused or bad_identity,
                gateway=gateway,
            )
            size = len(message.payload)
            if size + len(message.topic) > MAX_MESSAGE_BYTES:
                raw = shorten(raw)
            if raw.refused is not None:
                code = raw.refused.partition(":")[0]
                figures.refused[code] = figures.refused.get(code, 0) + 1
            figures.messages_in += 1
            figures.bytes_in += size
            add(partition, raw, arrived(message.mid), now)

    def _learn_topic(self, raw: bytes) -> tuple[str, int, str | None]:
        topic, key, refused = read_topic(raw)
        if len(self._topics) >= _TOPICS_CACHED:
            self._topics.clear()
        found = self._topics[raw] = (topic, partition_of(key, self._settings.partitions), refused)
        return found

    def _send_batches(self, now: float, *, everything: bool = False) -> None:
        for batch in self._batcher.take(now, everything=everything):
            record = Record(partition=batch.partition, value=encode_batch(batch.messages), ordinals=batch.ordinals, made=now)
            self._held += len(record.value)
            self._log.send(record)

    def _confirmed(self, record: Record) -> None:
        self._held -= len(record.value)
        self._acks.confirm(record.ordinals)

    def _acknowledge(self, now: float) -> None:
        mids = self._acks.take()
        if mids and self._subscriber.fileno() is not None:
            self._subscriber.acknowledge(mids, now)
            self.figures.acks += len(mids)

    def _finish(self) -> int:
        """Flush what came, acknowledge what is confirmed, and count what is not."""
        self._send_batches(time.monotonic(), everything=True)
        left = self._log.close(_STOP_S)
        self._acknowledge(time.monotonic())
        return left


def run(settings: BridgeSettings) -> None:
    """Run the bridge until SIGTERM or SIGINT.

    Ends with `SystemExit` and one line when it can't go on, or when Kafka has not confirmed everything.
    """
    with ExitStack() as stack:
        bridge = Bridge(settings)
        _stop_on_signals(bridge, stack)
        if settings.metrics_port:
            registry, figures = CollectorRegistry(), bridge.figures
            registry.register(FiguresCollector(figures, time.monotonic))
            ProcessCollector(registry=registry)
            stack.enter_context(
                serve_telemetry(
                    settings.metrics_port,
                    registry,
                    live=lambda: figures.standstill(time.monotonic()),
                    ready=lambda: figures.complaints(time.monotonic()),
                )
            )
        try:
            left = bridge.run()
        except (SubscriberError, PartitionsError) as error:
            raise SystemExit(f"bridge: {error}") from None
    if left:
        raise SystemExit(f"bridge: Kafka did not confirm {left} records in {_STOP_S:.0f} s; the MQTT broker keeps their messages")


def _stop_on_signals(bridge: Bridge, stack: ExitStack) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        # No logging here: the signal may have come in the middle of a line of the log, and a second writer would fail.
        signal.alarm(_END_S)  # whatever hangs then, in a library or at the interpreter's end, the process is gone
        bridge.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        stack.callback(signal.signal, number, signal.signal(number, stop))
