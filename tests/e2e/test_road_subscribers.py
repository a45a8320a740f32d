"""A partner's client over MQTT hears what devices, HTTP and itself create, also after the notifier was killed."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from road import Platform, until

from grenzregion.accounts import new_partner_password

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WAIT_S = 90.0
FEATURE = {
    "name": "the fjord", "description": "", "encodingType": "application/geo+json",
    "feature": {"type": "Point", "coordinates": [9.45, 54.81]},
}  # fmt: skip
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)


class Partner:
    """Entities heard, by topic; what has no `@iot.id` where one is due is a client's own create."""

    def __init__(self, up: Platform, *topics: str, protocol: int = mqtt.MQTTv5) -> None:
        places = up.places
        device = places.mqtt_device
        user, password = (device.user, device.password) if device is not None else new_partner_password(places, "kiel")
        self._heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=protocol)  # pyright: ignore[reportArgumentType]
        self.client.username_pw_set(user, password)
        self.client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = lambda _client, _data, message: self._heard.put((message.topic, json.loads(message.payload)))
        self.client.connect(places.mqtt_host, places.mqtt_port if protocol == mqtt.MQTTv5 else places.mqtt_legacy_port)
        self.client.loop_start()
        assert subscribed.wait(WAIT_S)

    def hears(self, results: set[Any], *topics: str) -> None:
        """Wait until every topic has brought these results: each may come again, and other topics may bring others."""
        missing = {(topic, result) for topic in topics for result in results}
        while missing:
            try:
                topic, body = self._heard.get(timeout=WAIT_S)
            except queue.Empty:
                pytest.fail(f"not heard: {missing}")
            if "@iot.id" in body or "?" in topic:
                missing.discard((topic, body["result"]))


@contextmanager
def partner(up: Platform, *topics: str, protocol: int = mqtt.MQTTv5) -> Iterator[Partner]:
    made = Partner(up, *topics, protocol=protocol)
    try:
        yield made
    finally:
        made.client.disconnect()
        made.client.loop_stop()


def reading(minute: int, value: float) -> dict[str, Any]:
    return {"time": NOW + timedelta(minutes=minute), "property": "t", "value": value}


@pytest.mark.parametrize("protocol", [mqtt.MQTTv311, mqtt.MQTTv5])
def test_subscribers_hear_what_devices_http_and_mqtt_create(up: Platform, tmp_path: Path, protocol: int) -> None:
    name = f"heard-{protocol}"
    if up.servers == "embedded" and protocol != mqtt.MQTTv5:
        pytest.skip("rumqttd cuts off MQTT 3.1.1 clients that shall hear a message with user properties (docs/adr/0013)")
    below = f"v1.1/Datastreams({up.register(name)['t']})/Observations"
    with partner(up, below, f"{below}?$select=result", protocol=protocol) as client:
        with up.gateway(name, tmp_path) as gateway:
            gateway.publish([reading(1, 12.5), reading(2, 13.5)])
            assert gateway.flush(WAIT_S)
        client.hears({12.5, 13.5}, below, f"{below}?$select=result")
        with up.http() as http:
            http.post(below, json={"result": 14.5}).raise_for_status()
        client.hears({14.5}, below, f"{below}?$select=result")
        body = {"result": 15.5, "phenomenonTime": (NOW + timedelta(minutes=4)).isoformat()}
        client.client.publish(below, json.dumps(body), qos=1)
        client.hears({15.5}, below, f"{below}?$select=result")
        client.client.publish(below, json.dumps({**body, "result": 16.5, "FeatureOfInterest": FEATURE}), qos=1)
        client.hears({16.5}, below, f"{below}?$select=result")
    assert up.stored(name) == 5


def test_what_was_stored_while_the_notifier_was_dead_is_told_when_it_is_back(up: Platform, tmp_path: Path) -> None:
    below = f"v1.1/Datastreams({up.register('outlived')['t']})/Observations"
    with partner(up, below) as client, up.gateway("outlived", tmp_path) as gateway:
        gateway.publish([reading(1, 21)])
        client.hears({21}, below)
        died = up.pid("notifier")
        os.kill(died, signal.SIGKILL)
        gateway.publish([reading(2, 22)])
        gateway.publish([reading(3, 23)])
        client.hears({22, 23}, below)
        until(lambda: up.pid("notifier") != died, WAIT_S, "another notifier")


def test_the_root_says_where_the_broker_is(up: Platform) -> None:
    settings = up.get("v1.1")["serverSettings"]
    held = [name.rpartition("/req/")[2] for name in settings["conformance"] if "via-mqtt" in name]
    create, receive = "create-observations-via-mqtt/observations-creation", "receive-updates-via-mqtt/receive-updates"
    # rumqttd does not tell who subscribes to what: there not every selection is published.
    assert held == ([create, receive] if up.servers == "local" else [create])
    for name in (create, receive):
        uri = f"http://www.opengis.net/spec/iot_sensing/1.1/req/{name}"
        assert settings[uri] == {"endpoints": [f"mqtt://127.0.0.1:{up.mqtt_port}"]}
