"""Alerts from the outbox table to MQTT and Kafka: in order, deleted once the server has confirmed them. At least once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import paho.mqtt.client as mqtt
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from paho.mqtt.enums import CallbackAPIVersion

from ingest_mqtt.contract import ALERTS_TOPIC
from streams.alerts.messages import Addressed, addressed
from streams.queries import query
from streams.sessions import TRANSIENT, Pool

log = logging.getLogger(__name__)

IDLE_S = 1.0
RETRY_S = 2.0
CONFIRM_S = 5.0  # for a broker; the transaction that holds the sink's turn may be idle for 10 s


class UnconfirmedError(OSError):
    """The server has not confirmed in time: sent again."""


class Sender(Protocol):
    """A server that takes alerts."""

    sink: str

    async def send(self, messages: Sequence[Addressed]) -> None:
        """Return when all are confirmed; raises `OSError` or `KafkaError` where they may not be."""
        ...


class MqttSender:
    """`region/1/{tenant}/{device}/alert`, QoS 1, not retained; only of public Things, for every account may read there."""

    sink = "mqtt"

    def __init__(self, *, host: str, port: int, user: str, password: str, client_id: str) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        if user:
            self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(min_delay=1, max_delay=10)
        self._address = host, port

    def start(self) -> None:
        """Connect in the background; the broker need not be there yet."""
        self._client.connect_async(*self._address)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    async def send(self, messages: Sequence[Addressed]) -> None:
        """Publish and wait for the broker's word; raises `OSError`."""
        if not self._client.is_connected():
            raise UnconfirmedError("no connection to the broker")
        infos = [self._client.publish(each.topic, msgspec.json.encode(each.message), qos=1) for each in messages if each.public]
        await asyncio.to_thread(_confirmed, infos)


def _confirmed(infos: Sequence[Any]) -> None:
    for info in infos:
        try:
            info.wait_for_publish(CONFIRM_S)
        except (RuntimeError, ValueError) as error:  # paho's word for a lost connection and a full queue
            raise UnconfirmedError(str(error)) from error
        if not info.is_published():
            raise UnconfirmedError(f"no confirmation within {CONFIRM_S:.0f} s")


class KafkaSender:
    """Topic `alerts`, keyed by the alert's id, so that its transitions stay in order."""

    sink = "kafka"

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, messages: Sequence[Addressed]) -> None:
        """Produce and wait for the log's word; raises `KafkaError`."""
        sent: list[asyncio.Future[object]] = [
            await self._producer.send(ALERTS_TOPIC, msgspec.json.encode(each.message), key=str(each.message.id).encode())
            for each in messages
        ]
        await asyncio.gather(*sent)


class AlertPublisher:
    """Takes the sinks of the platform's own from the outbox."""

    def __init__(self, pool: Pool, kafka: str, broker: MqttSender) -> None:
        self._pool = pool
        self._kafka = kafka
        self._broker = broker

    async def run(self) -> None:
        """Publish until cancelled; each server at its own pace."""
        await asyncio.gather(self._publish_on(self._broker), self._publish_in_log())

    async def _publish_in_log(self) -> None:
        while True:
            try:
                async with AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all") as producer:
                    await self._publish_on(KafkaSender(producer))
            except KafkaError as error:
                log.warning("alerts for the log wait: %s", error)
            await asyncio.sleep(RETRY_S)

    async def _publish_on(self, sender: Sender) -> None:
        while True:
            try:
                if not await self.publish_some(sender):
                    await asyncio.sleep(IDLE_S)
            except TRANSIENT as error:
                log.warning("alerts for %s wait: %s", sender.sink, error)
                await asyncio.sleep(RETRY_S)

    async def publish_some(self, sender: Sender) -> int:
        """Tell a sink of the oldest transitions; gives how many rows of the outbox are done."""
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(query("alert_outbox_take"), {"sink": sender.sink})
            taken: list[tuple[int, int, int]] = [(row[0], row[1], row[2]) for row in await cursor.fetchall()]
            if taken:
                await sender.send(await addressed(connection, taken))
                await connection.execute("DELETE FROM alert_outbox WHERE id = ANY (%s)", ([row[0] for row in taken],))
            return len(taken)
