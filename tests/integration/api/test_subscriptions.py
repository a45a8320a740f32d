"""A paho client subscribes to what HTTP and the store change (18-088, 14.2), on each set of servers."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from notifying import Broker, Subscriber, broker_of, figure, notifying, until
from writing import FEATURE, OBSERVED_PROPERTY, SENSOR, THING, TOKEN, UNIT, having, running, settings_for

from api.notifier import Notifier
from infra.servers.mosquitto import Mosquitto
from infra.settings import NotifierSettings

pytestmark = pytest.mark.integration

MULTI = {
    "name": "wind",
    "description": "speed and direction",
    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation",
    "multiObservationDataTypes": ["http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"] * 2,
    "unitOfMeasurements": [UNIT, UNIT],
    "Sensor": SENSOR,
    "ObservedProperties": [having(OBSERVED_PROPERTY, name=name) for name in ("speed", "direction")],
}


@pytest.fixture(params=["embedded", "local"])
def database(request: pytest.FixtureRequest, servers: Any) -> Iterator[str]:
    with servers.database(request.param) as url:
        yield url


@pytest.fixture
def broker(request: pytest.FixtureRequest, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    assert database
    with broker_of(request.node.callspec.params["database"], tmp_path_factory.mktemp("broker")) as made:
        yield made


@pytest.fixture
def notifier(database: str, broker: Broker) -> Iterator[Notifier]:
    with notifying(broker, database) as made:
        yield made


@pytest.fixture
def subscriber(broker: Broker, notifier: Notifier) -> Iterator[Subscriber]:
    assert notifier.complaints() == []
    made = Subscriber(broker)
    yield made
    made.close()


@pytest.fixture
async def client(database: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings_for(database, tmp_path), headers={"Authorization": f"Bearer {TOKEN}"}) as made:
        yield made


@pytest.fixture
def told_all(database: str) -> Iterator[Callable[[], None]]:
    """Waits until subscribers were told of all that was changed so far: who subscribes then hears of later changes alone."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield lambda: until(lambda: not connection.execute("SELECT FROM notice").rowcount, "notices stay")


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def patch(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await client.patch(path, json=body)
    assert answer.status_code == 200, answer.text


async def test_subscribers_hear_what_http_creates_and_changes(client: httpx.AsyncClient, subscriber: Subscriber) -> None:
    subscriber.subscribe("v1.1/Things", "v1.1/Things(1)", "v1.1/Things(1)/name", "v1.1/Things(1)/description", "v1.1/Observations")
    subscriber.subscribe("v1.1/Datastreams(1)/Observations", "v1.1/Datastreams(1)/Observations?$select=result")
    await post(client, "Things", THING)
    thing = subscriber.next("v1.1/Things")["v1.1/Things"]
    assert thing == (await client.get("Things(1)")).json()
    await patch(client, "Things(1)", {"name": "new"})
    changed = subscriber.next("v1.1/Things(1)/name", "v1.1/Things(1)", "v1.1/Things")
    assert changed["v1.1/Things(1)/name"] == {"name": "new"}
    assert changed["v1.1/Things(1)"] == changed["v1.1/Things"] == thing | {"name": "new"}
    created = await post(client, "Datastreams(1)/Observations", {"result": 7.5})
    below = "v1.1/Datastreams(1)/Observations"
    heard = subscriber.next("v1.1/Observations", below, f"{below}?$select=result")
    assert heard["v1.1/Observations"] == heard[below] == created
    assert heard[f"{below}?$select=result"] == {"result": 7.5}


async def test_a_changed_observation_is_told_in_its_collections_by_itself_and_by_what_changed(
    client: httpx.AsyncClient, subscriber: Subscriber, told_all: Callable[[], None]
) -> None:
    await post(client, "Things", THING)
    made = await post(client, "Datastreams(1)/Observations", {"result": 1, "parameters": {"by": "hand"}})
    own = f"v1.1/Observations({made['@iot.id']})"
    told_all()
    subscriber.subscribe(own, f"{own}/result", f"{own}/parameters", f"{own}/resultTime", "v1.1/FeaturesOfInterest(1)/Observations")
    await patch(client, own.removeprefix("v1.1/"), {"parameters": {"by": "machine"}})
    told = subscriber.next(own, f"{own}/parameters", "v1.1/FeaturesOfInterest(1)/Observations")
    assert told[f"{own}/parameters"]["parameters"]["by"] == "machine"
    await patch(client, own.removeprefix("v1.1/"), {"result": 2})
    told = subscriber.next(own, f"{own}/result", "v1.1/FeaturesOfInterest(1)/Observations")
    assert told[f"{own}/result"] == {"result": 2}
    assert told[own] == (await client.get(own.removeprefix("v1.1/"))).json()


async def test_an_area_that_grows_is_told(client: httpx.AsyncClient, subscriber: Subscriber, told_all: Callable[[], None]) -> None:
    await post(client, "Things", THING)
    await post(client, "Datastreams(1)/Observations", {"result": 1})
    told_all()
    subscriber.subscribe("v1.1/Datastreams(1)/observedArea")
    elsewhere = having(FEATURE, feature={"type": "Point", "coordinates": [10.0, 55.0]})
    await post(client, "Datastreams(1)/Observations", {"result": 2, "FeatureOfInterest": elsewhere})
    (area,) = subscriber.next("v1.1/Datastreams(1)/observedArea").values()
    assert area == (await client.get("Datastreams(1)/observedArea")).json()
    assert area["observedArea"]["type"] == "Polygon"


async def test_relations_of_many_to_many_are_collections_too(
    client: httpx.AsyncClient, subscriber: Subscriber, told_all: Callable[[], None]
) -> None:
    await post(client, "Things", THING)
    told_all()
    subscriber.subscribe("v1.1/Things(1)/Locations", "v1.1/Locations(1)/Things", "v1.1/Things(1)/HistoricalLocations")
    await patch(client, "Locations(1)", {"description": "quay"})
    (told,) = subscriber.next("v1.1/Things(1)/Locations").values()
    assert told["description"] == "quay"
    await patch(client, "Things(1)", {"description": "at the quay"})
    (told,) = subscriber.next("v1.1/Locations(1)/Things").values()
    assert told["description"] == "at the quay"
    moved = having(THING["Locations"][0], location={"type": "Point", "coordinates": [9.5, 54.8]})
    await post(client, "Things(1)/Locations", moved)
    told = subscriber.next("v1.1/Things(1)/Locations", "v1.1/Things(1)/HistoricalLocations")
    assert told["v1.1/Things(1)/Locations"]["location"] == moved["location"]


async def test_multi_datastreams_are_told_like_datastreams(client: httpx.AsyncClient, subscriber: Subscriber) -> None:
    await post(client, "Things", having(THING, Datastreams=None))
    subscriber.subscribe(
        "v1.1/MultiDatastreams", "v1.1/Things(1)/MultiDatastreams", "v1.1/Datastreams", "v1.1/Things(1)/Datastreams"
    )
    made = await post(client, "Things(1)/MultiDatastreams", MULTI)
    told = subscriber.next("v1.1/MultiDatastreams", "v1.1/Things(1)/MultiDatastreams")
    assert told["v1.1/MultiDatastreams"] == made
    subscriber.client.unsubscribe("v1.1/MultiDatastreams")
    subscriber.client.unsubscribe("v1.1/Things(1)/MultiDatastreams")
    below = f"v1.1/MultiDatastreams({made['@iot.id']})/Observations"
    subscriber.subscribe(below, below.replace("Multi", ""), f"{below}?$select=result,phenomenonTime")
    await post(client, below.removeprefix("v1.1/"), {"result": [3, 270], "phenomenonTime": "2026-01-01T00:00:00Z"})
    told = subscriber.next(below, f"{below}?$select=result,phenomenonTime")
    assert told[below]["result"] == [3, 270]
    assert told[f"{below}?$select=result,phenomenonTime"] == {"phenomenonTime": "2026-01-01T00:00:00Z", "result": [3, 270]}


@pytest.mark.parametrize("database", ["local"], indirect=True)
async def test_any_selection_that_is_subscribed_to_is_told_where_the_broker_tells(
    client: httpx.AsyncClient, subscriber: Subscriber
) -> None:
    wanted = ("v1.1/Things?$select=name,properties/owner", "v1.1/Things?$select=id,Datastreams", "v1.1/Things?$select=nothing")
    subscriber.subscribe(*wanted, "v1.1/+/Observations?$select=result,parameters")
    await post(client, "Things", having(THING, properties={"owner": "region", "floor": 2}))
    told = subscriber.next(*wanted[:2])
    assert told[wanted[0]] == {"name": THING["name"], "properties": {"owner": "region"}}
    assert set(told[wanted[1]]) == {"@iot.id", "Datastreams@iot.navigationLink"}
    await post(client, "Datastreams(1)/Observations", {"result": 1})
    topics = [f"v1.1/{set_of}(1)/Observations?$select=result,parameters" for set_of in ("Datastreams", "FeaturesOfInterest")]
    assert all(payload["result"] == 1 for payload in subscriber.next(*topics).values())


@pytest.mark.parametrize("database", ["local"], indirect=True)
async def test_nothing_is_published_that_nobody_ever_subscribed_to(
    client: httpx.AsyncClient, notifier: Notifier, subscriber: Subscriber, database: str
) -> None:
    subscriber.subscribe("region/1/+/+/receipt")
    await post(client, "Things", THING)
    await post(client, "Datastreams(1)/Observations", {"result": 1})
    with psycopg.connect(database, autocommit=True) as connection:  # else the Thing's Sensor may be told of after all
        until(lambda: connection.execute("SELECT count(*) FROM notice").fetchone() == (0,), "notices wait")
    subscriber.subscribe("v1.1/Sensors")
    await post(client, "Sensors", SENSOR)
    subscriber.next("v1.1/Sensors")
    # A subscriber may hear of it before the notifier has the broker's confirmation.
    until(lambda: figure(notifier.registry, "messages_total") > 0, "the message is not counted")
    assert figure(notifier.registry, "messages_total") == 1
    assert figure(notifier.registry, "publishes_everything") == 0


async def test_nothing_private_and_nothing_deleted_is_told(client: httpx.AsyncClient, subscriber: Subscriber) -> None:
    subscriber.subscribe("v1.1/#")
    await post(client, "Things", having(THING, properties={"public": False}))
    await post(client, "Datastreams(1)/Observations", {"result": 1})
    await client.delete("Things(1)")
    await post(client, "ObservedProperties", having(OBSERVED_PROPERTY, name="last"))
    told: dict[str, Any] = {}
    while told.get("v1.1/ObservedProperties", {}).get("name") != "last":
        told |= [subscriber.one()]
    assert not [topic for topic in told if "Thing" in topic or "Datastream" in topic or "Observations" in topic], told


async def test_the_root_names_the_broker_and_promises_what_it_makes_possible(
    database: str, broker: Broker, notifier: Notifier, tmp_path: Path
) -> None:
    assert notifier.complaints() == []
    async with running(
        settings_for(database, tmp_path, mqtt_endpoints="mqtt://region.example:1883 wss://region.example/mqtt")
    ) as http:
        settings = (await http.get("")).json()["serverSettings"]
    classes = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
    receive = f"{classes}receive-updates-via-mqtt/receive-updates"
    endpoints = ["mqtt://region.example:1883", "wss://region.example/mqtt"]
    assert settings[receive] == {"endpoints": endpoints}
    create = f"{classes}create-observations-via-mqtt/observations-creation"
    assert settings[create] == {"endpoints": endpoints}
    assert create in settings["conformance"]
    assert (receive in settings["conformance"]) is isinstance(broker, Mosquitto)


@pytest.mark.parametrize("database", ["embedded"], indirect=True)
async def test_what_lags_is_measured_kept_and_given_up_in_the_end(database: str, broker: Broker) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for age in ("2 hours", "30 min"):
            connection.execute("INSERT INTO notice (entity, number, made) VALUES ('thing', 1, now() - %s::interval)", (age,))
        broker.stop()
        settings = NotifierSettings(database_url=database, mqtt_port=broker.port, public_url="http://region.example")
        notifier = Notifier(settings, settings.url)
        thread = threading.Thread(target=notifier.run)
        thread.start()
        try:
            until(lambda: figure(notifier.registry, "lag_seconds") > 1_700, "the lag is not told")
            assert figure(notifier.registry, "given_up_total") == 1
            assert notifier.complaints() == ["not connected to the MQTT broker"]
            assert connection.execute("SELECT count(*) FROM notice").fetchone() == (1,)
        finally:
            notifier.stopping.set()
            thread.join()
