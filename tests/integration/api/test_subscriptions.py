"""A paho client subscribes to what HTTP and clients over MQTT change, on each set of servers."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import SecretStr
from writing import ROOT, THING, TOKEN, having, running, settings_for

from api.notifier import Notifier
from devices.topics import ECHO
from infra.servers.set import ServerSet
from infra.settings import NotifierSettings

pytestmark = pytest.mark.integration

PATIENCE_S = 20.0


class Subscriber:
    """Hears what the broker sends, as pairs of topic and payload."""

    def __init__(self, server_set: ServerSet) -> None:
        places = server_set.places
        self.heard: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.username_pw_set(places.mqtt_admin.user, places.mqtt_admin.password)
        self.client.on_message = lambda _client, _data, message: self.heard.put(message)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect(places.mqtt_host, places.mqtt_port)
        self.client.loop_start()

    def subscribe(self, *topics: str) -> None:
        for topic in topics:
            self._subscribed.clear()
            self.client.subscribe(topic, qos=1)
            assert self._subscribed.wait(PATIENCE_S)

    def next(self, count: int = 1) -> dict[str, Any]:
        """The next messages by topic; none is retained, each is marked as the platform's."""
        found: dict[str, Any] = {}
        for _ in range(count):
            message = self.heard.get(timeout=PATIENCE_S)
            assert not message.retain
            assert message.properties is not None
            assert ECHO in message.properties.UserProperty
            found[message.topic] = json.loads(message.payload)
        return found

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(params=["embedded", "local"])
def one_set(request: pytest.FixtureRequest, servers: Any) -> Iterator[tuple[ServerSet, str]]:
    found = servers.get(request.param)
    url, name = servers.new_database(request.param)
    yield found, url.rpartition("/")[0] + "/" + name
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # pyright: ignore[reportArgumentType]


@pytest.fixture
def notifier(one_set: tuple[ServerSet, str]) -> Iterator[Notifier]:
    places = one_set[0].places
    settings = NotifierSettings(
        database_url=one_set[1],
        mqtt_host=places.mqtt_host,
        mqtt_port=places.mqtt_port,
        mqtt_user=places.mqtt_admin.user,
        mqtt_password=SecretStr(places.mqtt_admin.password),
        public_url=ROOT.removesuffix("/v1.1"),
    )
    made = Notifier(settings, settings.url)
    with psycopg.connect(one_set[1], autocommit=True) as connection:
        connection.execute("INSERT INTO notifier (until) VALUES (now() + interval '1 min')")
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.stopping.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


@pytest.fixture
def subscriber(one_set: tuple[ServerSet, str]) -> Iterator[Subscriber]:
    made = Subscriber(one_set[0])
    yield made
    made.close()


@pytest.fixture
async def client(one_set: tuple[ServerSet, str], tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings_for(one_set[1], tmp_path), headers={"Authorization": f"Bearer {TOKEN}"}) as made:
        yield made


async def test_subscribers_hear_what_http_changes(client: httpx.AsyncClient, notifier: Notifier, subscriber: Subscriber) -> None:
    subscriber.subscribe("v1.1/Things", "v1.1/Things(1)", "v1.1/Things(1)/name", "v1.1/Observations")
    subscriber.subscribe("v1.1/Datastreams(1)/Observations", "v1.1/Datastreams(1)/Observations?$select=result")
    assert (await client.post("Things", json=THING)).status_code == 201
    thing = subscriber.next()["v1.1/Things"]
    assert thing == (await client.get("Things(1)")).json()
    assert (await client.patch("Things(1)", json={"name": "new"})).status_code == 200
    changed = subscriber.next(3)
    assert changed["v1.1/Things(1)/name"] == {"name": "new"}
    assert changed["v1.1/Things(1)"] == changed["v1.1/Things"] == thing | {"name": "new"}
    created = (await client.post("Datastreams(1)/Observations", json={"result": 7.5})).json()
    heard = subscriber.next(3)
    assert heard["v1.1/Observations"] == heard["v1.1/Datastreams(1)/Observations"] == created
    assert heard["v1.1/Datastreams(1)/Observations?$select=result"] == {"result": 7.5}
    assert notifier.complaints() == []


async def test_nothing_private_is_told(client: httpx.AsyncClient, notifier: Notifier, subscriber: Subscriber) -> None:
    subscriber.subscribe("v1.1/#")
    private = having(THING, properties={"public": False})
    assert (await client.post("Things", json=private)).status_code == 201
    assert (await client.post("Datastreams(1)/Observations", json={"result": 1})).status_code == 201
    assert (await client.post("Sensors", json=THING["Datastreams"][0]["Sensor"])).status_code == 201
    told = subscriber.next()
    while "v1.1/Sensors" not in told:
        told |= subscriber.next()
    assert not [topic for topic in told if "Thing" in topic or "Datastream" in topic or "Observations" in topic], told
    assert notifier.complaints() == []
