"""What both brokers promise alike (architecture.md): versions, passwords, retained messages, the size of a payload."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from infra.servers.asking import mqtt_answers
from infra.servers.embedded import MAX_PAYLOAD
from infra.servers.set import Account, ServerSet

pytestmark = pytest.mark.integration


class Events(queue.Queue[tuple[str, object]]):
    def until(self, kind: str) -> object:
        while True:
            got, value = self.get(timeout=60)
            if got == kind:
                return value


@contextmanager
def client(place: ServerSet, version: int, account: Account) -> Iterator[tuple[paho.Client, Events]]:
    events = Events()
    made = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion(version))
    made.username_pw_set(account.user, account.password)
    made.on_connect = lambda _client, _data, _flags, code, _properties: events.put(("connect", code.is_failure))
    made.on_disconnect = lambda *_: events.put(("disconnect", None))
    made.on_subscribe = lambda *_: events.put(("subscribe", None))
    made.on_message = lambda _client, _data, message: events.put(("message", message.payload))
    places = place.places
    made.connect(places.mqtt_host, places.mqtt_port if version == 5 else places.mqtt_legacy_port)
    made.loop_start()
    try:
        yield made, events
    finally:
        made.disconnect()
        made.loop_stop()


@pytest.mark.parametrize("version", [4, 5])
def test_retained_message_reaches_a_later_subscriber(server_set: ServerSet, version: int) -> None:
    topic = f"t/{version}/retained"
    with client(server_set, version, server_set.places.mqtt_admin) as (one, events):
        assert events.until("connect") is False
        one.publish(topic, b"kept", qos=1, retain=True).wait_for_publish(60)
    with client(server_set, version, server_set.places.mqtt_admin) as (two, events):
        events.until("connect")
        two.subscribe(topic, qos=1)
        assert events.until("message") == b"kept"


@pytest.mark.parametrize("version", [4, 5])
def test_wrong_password_is_not_let_in(server_set: ServerSet, version: int) -> None:
    account = Account(user=server_set.places.mqtt_admin.user, password="wrong")
    with client(server_set, version, account) as (_client, events):
        kind, value = events.get(timeout=60)
        assert (kind, value) in (("connect", True), ("disconnect", None))


def test_nobody_gets_in_without_an_account(server_set: ServerSet) -> None:
    places = server_set.places
    assert not mqtt_answers(places.mqtt_host, places.mqtt_port)
    assert mqtt_answers(places.mqtt_host, places.mqtt_port, places.mqtt_admin.user, places.mqtt_admin.password)


def test_largest_payload_passes(server_set: ServerSet) -> None:
    payload = bytes(MAX_PAYLOAD - 1_024)
    with client(server_set, 5, server_set.places.mqtt_admin) as (one, events):
        events.until("connect")
        one.subscribe("t/large", qos=1)
        events.until("subscribe")
        one.publish("t/large", payload, qos=1)
        assert events.until("message") == payload


def test_larger_payload_cuts_the_connection(server_set: ServerSet) -> None:
    with client(server_set, 4, server_set.places.mqtt_admin) as (one, events):
        events.until("connect")
        one.publish("t/large", bytes(MAX_PAYLOAD + 8_192), qos=1)
        events.until("disconnect")
