"""The notifier: a process that tells MQTT subscribers of stored and changed entities, at least once and in the order of storing."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.process_collector import ProcessCollector

from api.sensorthings.subscriptions import Message, Messages, read_notices
from devices.topics import ECHO
from infra.database import conninfo_for, wait_for_database
from infra.settings import NotifierSettings
from infra.telemetry import serve_telemetry, set_up_logging

_logger = logging.getLogger(__name__)

_IDLE_S = 0.2
_RETRY_S = 2.0
_CONFIRM_S = 20.0
_IN_FLIGHT = 1_000
# MQTT 5 brokers may say that a message met no subscription (3.4.2.1): its topic is then left out for a while.
_NOBODY = 0x10
_QUIET_S = 2.0
_QUIET_TOPICS = 50_000
# Notices are kept for a notifier that is away for so long; the time is renewed at every turn.
_PRESENT = (
    "INSERT INTO notifier (until) VALUES (now() + interval '10 min') ON CONFLICT (singleton) DO UPDATE SET until = EXCLUDED.until"
)
_TAKE = "SELECT id, entity, number, changed, payload FROM notice ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED"
_DONE = "DELETE FROM notice WHERE id = ANY (%s)"


class NotConfirmedError(ConnectionError):
    """The broker did not confirm what was published: it is published again."""


class Publisher:
    """The connection to the broker."""

    def __init__(self, settings: NotifierSettings) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="grenzregion-notifier", protocol=mqtt.MQTTv5)
        if settings.mqtt_user:
            self._client.username_pw_set(settings.mqtt_user, settings.mqtt_password.get_secret_value())
        self._client.on_publish = self._on_publish
        self._topics: dict[int, str] = {}  # by message id, until the broker's confirmation
        self._quiet: dict[str, float] = {}  # topics that nobody subscribed to, and until when that is believed
        self._client.max_inflight_messages_set(_IN_FLIGHT)
        self._client.reconnect_delay_set(min_delay=1, max_delay=10)
        self._client.connect_async(settings.mqtt_host, settings.mqtt_port)
        self._properties = Properties(PacketTypes.PUBLISH)
        self._properties.UserProperty = [ECHO]
        self._client.loop_start()

    def is_connected(self) -> bool:
        """Whether the broker is there."""
        return self._client.is_connected()

    def publish(self, messages: Iterable[Message]) -> int:
        """Publish and wait for the broker's confirmations; raises `NotConfirmedError`."""
        sent = [self._send(topic, body) for topic, body in messages if self._quiet.get(topic, 0.0) < time.monotonic()]
        deadline = time.monotonic() + _CONFIRM_S
        for each in sent:
            try:
                each.wait_for_publish(max(0.0, deadline - time.monotonic()))
            except (RuntimeError, ValueError) as error:
                raise NotConfirmedError(str(error)) from error
            if not each.is_published():
                raise NotConfirmedError("the broker did not confirm in time")
        return len(sent)

    def _send(self, topic: str, body: bytes) -> mqtt.MQTTMessageInfo:
        info = self._client.publish(topic, body, qos=1, properties=self._properties)
        self._topics[info.mid] = topic
        return info

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        topic = self._topics.pop(mid, None)
        if topic is not None and reason.value == _NOBODY:
            if len(self._quiet) >= _QUIET_TOPICS:
                self._quiet.clear()
            self._quiet[topic] = time.monotonic() + _QUIET_S

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


class Notifier:
    """Takes notices from the database and publishes them, until it is stopped."""

    def __init__(self, settings: NotifierSettings, public_url: str) -> None:
        self._dsn = conninfo_for(settings.database_url, process="notifier")
        self._messages = Messages(public_url, settings.mqtt_selects.split(";"))
        self._publisher = Publisher(settings)
        self.stopping = threading.Event()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._published = Counter("grenzregion_notifier_messages", "messages to subscribers", registry=self.registry)

    def complaints(self) -> list[str]:
        """Say why it is not ready; empty: it is."""
        return [] if self._publisher.is_connected() else ["not connected to the MQTT broker"]

    def run(self) -> None:
        """Publish until stopped; broker and database may go and come back."""
        while not self.stopping.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True) as connection:
                    self._serve(connection)
            except (psycopg.OperationalError, NotConfirmedError) as error:
                _logger.warning("subscribers wait: %s", str(error).splitlines()[0] if str(error) else type(error).__name__)
                self.stopping.wait(_RETRY_S)
        self._publisher.stop()

    def _serve(self, connection: psycopg.Connection[Any]) -> None:
        while not self.stopping.is_set():
            connection.execute(_PRESENT)
            if not self._publisher.is_connected() or not self._publish_some(connection):
                self.stopping.wait(_IDLE_S)

    def _publish_some(self, connection: psycopg.Connection[Any]) -> bool:
        with connection.transaction():
            taken = connection.execute(_TAKE).fetchall()
            if not taken:
                return False
            notices = read_notices(row[1:] for row in taken)
            self._published.inc(self._publisher.publish(self._messages.of(connection, notices)))
            connection.execute(_DONE, ([row[0] for row in taken],))
        return True


def run(settings: NotifierSettings) -> None:
    """Tell subscribers until SIGTERM or SIGINT."""
    set_up_logging("notifier", settings.log_level)
    wait_for_database(settings.database_url)
    notifier = Notifier(settings, settings.url)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: notifier.stopping.set())
    with ExitStack() as stack:
        if settings.metrics_port:
            stack.enter_context(serve_telemetry(settings.metrics_port, notifier.registry, ready=notifier.complaints))
        notifier.run()
