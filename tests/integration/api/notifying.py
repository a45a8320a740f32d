"""A broker of a test's own, a notifier in a thread and a paho client that hears it: nothing of other tests comes between."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from needs import need
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from writing import ROOT

from api.notifier import Notifier
from devices.topics import ECHO
from infra.servers.embedded import Rumqttd
from infra.servers.mosquitto import Mosquitto
from infra.servers.process import unprivileged_user
from infra.settings import NotifierSettings

PATIENCE_S = 30.0

Broker = Rumqttd | Mosquitto


@contextmanager
def broker_of(name: str, folder: Path) -> Iterator[Broker]:
    need(name)
    user = unprivileged_user()
    folder.chmod(0o755)
    made = Rumqttd(data_dir=folder) if name == "embedded" or user is None else Mosquitto(data_dir=folder, user=user)
    try:
        made.start()
        made.wait_ready()
        yield made
    finally:
        made.stop()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def figure(registry: CollectorRegistry, name: str) -> float:
    value = registry.get_sample_value(f"grenzregion_notifier_{name}")
    assert value is not None, name
    return value


@contextmanager
def notifying(broker: Broker, database: str, **changes: Any) -> Iterator[Notifier]:
    """A notifier that hears of subscriptions already, and for which changes are queued."""
    values: dict[str, Any] = {
        "database_url": database,
        "mqtt_host": broker.reach,
        "mqtt_port": broker.port,
        "mqtt_user": broker.admin.user,
        "mqtt_password": SecretStr(broker.admin.password),
        "public_url": ROOT.removesuffix("/v1.1"),
    }
    settings = NotifierSettings(**(values | changes))
    made = Notifier(settings, settings.url)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            present = "SELECT FROM notifier WHERE until > now() AND in_touch > now() - interval '1 min'"
            until(lambda: connection.execute(present).rowcount, "no notifier")
        yield made
    finally:
        made.stopping.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


class Subscriber:
    """Hears what the broker sends; `persistent`: the broker keeps messages while it is away."""

    def __init__(self, broker: Broker, *, client_id: str = "", persistent: bool = False, protocol: int = paho.MQTTv5) -> None:
        self.heard: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._answered = threading.Event()
        self._account, self._address = broker.admin, (broker.reach, broker.port)
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol)  # pyright: ignore[reportArgumentType]
        self.client.username_pw_set(self._account.user, self._account.password)
        self.client.on_message = lambda _client, _data, message: self.heard.put(message)
        self.client.on_connect = lambda *_: self._answered.set()
        self.client.on_subscribe = lambda *_: self._answered.set()
        self.client.reconnect_delay_set(1, 1)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 600 if persistent else 0
        self.client.connect(*self._address, clean_start=not persistent, properties=session)
        self.client.loop_start()
        self._wait()

    def subscribe(self, *topics: str) -> None:
        self.client.subscribe([(topic, 1) for topic in topics])
        self._wait()

    def _wait(self) -> None:
        assert self._answered.wait(PATIENCE_S)
        self._answered.clear()

    def next(self, *topics: str) -> dict[str, Any]:
        """What comes on these topics, the last message of each: it may come more than once. Nothing comes on others."""
        found: dict[str, Any] = {}
        while set(found) < set(topics):
            topic, payload = self.one()
            assert topic in topics, (topic, topics)
            found[topic] = payload
        return found

    def one(self) -> tuple[str, Any]:
        """The next message: not retained, and marked as the platform's."""
        message = self.heard.get(timeout=PATIENCE_S)
        assert not message.retain
        assert message.qos == 1
        assert message.properties is not None
        assert ECHO in message.properties.UserProperty
        return message.topic, json.loads(message.payload)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
