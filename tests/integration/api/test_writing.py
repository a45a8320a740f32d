from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from writing import (
    DATASTREAM,
    FEATURE,
    LOCATION,
    OBSERVED_PROPERTY,
    ROOT,
    SENSOR,
    THING,
    counts,
    having,
)

pytestmark = pytest.mark.integration


async def created(client: httpx.AsyncClient, path: str, body: Any) -> dict[str, Any]:
    response = await client.post(path, json=body)
    assert response.status_code == 201, response.text
    entity = response.json()
    assert response.headers["location"] == entity["@iot.selfLink"]
    assert entity["@iot.selfLink"].startswith(f"{ROOT}/")
    assert entity["@iot.selfLink"].endswith(f"({entity['@iot.id']})")
    return entity


async def read(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_thing_comes_with_all_that_its_body_brings_along(client: httpx.AsyncClient, database: str) -> None:
    thing = await created(client, "Things", THING)
    assert (thing["name"], thing["description"]) == ("station", "at the harbour")
    number = thing["@iot.id"]
    assert (await read(client, f"Things({number})/Locations"))["value"][0]["location"]["coordinates"] == [9.43, 54.78]
    datastream = (await read(client, f"Things({number})/Datastreams?$expand=Sensor,ObservedProperty"))["value"][0]
    assert datastream["unitOfMeasurement"]["definition"] == "ug/m3"
    assert (datastream["Sensor"]["name"], datastream["ObservedProperty"]["name"]) == ("SPS30", "PM2.5")
    history = (await read(client, f"Things({number})/HistoricalLocations?$expand=Locations"))["value"]
    assert [h["Locations"][0]["name"] for h in history] == ["Flensburg"]
    assert counts(database) == {
        **dict.fromkeys(counts(database), 0),
        **dict.fromkeys(
            ("thing", "location", "thing_location", "historical_location", "historical_location_location", "sensor"), 1
        ),
        **dict.fromkeys(("observed_property", "datastream"), 1),
    }


async def test_every_set_can_be_created(client: httpx.AsyncClient) -> None:
    thing = {"@iot.id": (await created(client, "Things", having(THING, Locations=None, Datastreams=None)))["@iot.id"]}
    location = {"@iot.id": (await created(client, "Locations", having(LOCATION, Things=[thing])))["@iot.id"]}
    sensor = {"@iot.id": (await created(client, "Sensors", having(SENSOR, metadata={"any": ["json"]})))["@iot.id"]}
    observed = {"@iot.id": (await created(client, "ObservedProperties", OBSERVED_PROPERTY))["@iot.id"]}
    body = having(DATASTREAM, Thing=thing, Sensor=sensor, ObservedProperty=observed)
    datastream = {"@iot.id": (await created(client, "Datastreams", body))["@iot.id"]}
    feature = {"@iot.id": (await created(client, "FeaturesOfInterest", FEATURE))["@iot.id"]}
    observation = await created(
        client,
        "Observations",
        {
            "phenomenonTime": "2026-11-22T10:00:00+01:00/2026-11-22T11:00:00+01:00",
            "resultTime": "2026-11-22T10:00:01.5Z",
            "result": 12.5,
            "validTime": "2026-11-22T00:00:00Z/2026-11-23T00:00:00Z",
            "parameters": {"who": "me"},
            "Datastream": datastream,
            "FeatureOfInterest": feature,
        },
    )
    assert observation["phenomenonTime"] == "2026-11-22T09:00:00Z/2026-11-22T10:00:00Z"
    assert observation["result"] == 12.5
    assert observation["parameters"]["who"] == "me"
    number = observation["@iot.id"]
    assert (await read(client, f"Observations({number})/FeatureOfInterest"))["@iot.id"] == feature["@iot.id"]
    body = {"time": "2020-01-01T00:00:00Z", "Thing": thing, "Locations": [location]}
    assert (await created(client, "HistoricalLocations", body))["time"] == "2020-01-01T00:00:00Z"


async def test_a_relation_of_the_address_needs_not_stand_in_the_body(client: httpx.AsyncClient) -> None:
    thing = await created(client, "Things", having(THING, Datastreams=None))
    number = thing["@iot.id"]
    datastream = await created(client, f"Things({number})/Datastreams", DATASTREAM)
    again = await created(client, f"Things({number})/Datastreams", having(DATASTREAM, Thing={"@iot.id": number}))
    observation = await created(client, f"Datastreams({datastream['@iot.id']})/Observations", {"result": 1})
    longer = f"Things({number})/Datastreams({again['@iot.id']})/Observations"
    await created(client, longer, {"result": 2})
    around = f"Observations({observation['@iot.id']})/Datastream/Observations"
    await created(client, around, {"result": 3})
    assert (await read(client, f"Datastreams({datastream['@iot.id']})/Observations?$count=true"))["@iot.count"] == 2
    sensor = await created(client, "Sensors", SENSOR)
    body = having(DATASTREAM, Sensor=None, Thing={"@iot.id": number})
    mine = await created(client, f"Sensors({sensor['@iot.id']})/Datastreams", body)
    assert (await read(client, f"Datastreams({mine['@iot.id']})/Sensor"))["@iot.id"] == sensor["@iot.id"]


async def test_a_new_location_replaces_the_old_one_and_makes_history(client: httpx.AsyncClient) -> None:
    number = (await created(client, "Things", THING))["@iot.id"]
    second = await created(client, f"Things({number})/Locations", having(LOCATION, name="Tønder"))
    now = (await read(client, f"Things({number})/Locations"))["value"]
    assert [location["@iot.id"] for location in now] == [second["@iot.id"]]
    history = (await read(client, f"Things({number})/HistoricalLocations?$expand=Locations&$orderby=id"))["value"]
    assert [h["Locations"][0]["name"] for h in history] == ["Flensburg", "Tønder"]
    third = await created(client, "Locations", having(LOCATION, name="Husum", Things=[{"@iot.id": number}]))
    now = (await read(client, f"Things({number})/Locations"))["value"]
    assert [location["@iot.id"] for location in now] == [third["@iot.id"]]


@pytest.mark.parametrize(("days", "current"), [(-1, "Flensburg"), (1, "Tønder")])
async def test_the_newest_historical_location_is_the_current_place(client: httpx.AsyncClient, days: int, current: str) -> None:
    number = (await created(client, "Things", THING))["@iot.id"]
    time = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    await created(client, f"Things({number})/HistoricalLocations", {"time": time, "Locations": [having(LOCATION, name="Tønder")]})
    now = (await read(client, f"Things({number})/Locations"))["value"]
    assert [location["name"] for location in now] == [current]


async def test_observations_come_along_with_their_datastream_or_feature(client: httpx.AsyncClient, database: str) -> None:
    rows = [{"result": n, "phenomenonTime": f"2026-01-01T00:0{n}:00Z"} for n in range(3)]
    thing = await created(client, "Things", having(THING, Datastreams=[having(DATASTREAM, Observations=rows)]))
    found = (await read(client, f"Things({thing['@iot.id']})/Datastreams?$expand=Observations($orderby=phenomenonTime)"))["value"]
    assert [o["result"] for o in found[0]["Observations"]] == [0, 1, 2]
    datastream = {"@iot.id": found[0]["@iot.id"]}
    feature = await created(client, "FeaturesOfInterest", having(FEATURE, Observations=[{"result": 9, "Datastream": datastream}]))
    assert (await read(client, f"FeaturesOfInterest({feature['@iot.id']})/Observations"))["value"][0]["result"] == 9
    assert counts(database)["observation"] == 4
    observation = await created(client, "Observations", {"result": 1, "Datastream": datastream, "FeatureOfInterest": FEATURE})
    place = await read(client, f"Observations({observation['@iot.id']})/FeatureOfInterest")
    assert place["@iot.id"] != feature["@iot.id"]
    whole = await created(
        client, "Observations", {"result": 1, "Datastream": having(DATASTREAM, Thing=having(THING, Datastreams=None))}
    )
    assert (await read(client, f"Observations({whole['@iot.id']})/Datastream/Thing"))["name"] == "station"


@pytest.mark.parametrize("result", [12.5, 0, -3, True, "text", None, [1, 2], {"a": {"b": None}}, "ø", 1e300])
async def test_a_result_comes_back_as_it_was_sent(client: httpx.AsyncClient, result: Any) -> None:
    thing = await created(client, "Things", THING)
    datastream = (await read(client, f"Things({thing['@iot.id']})/Datastreams"))["value"][0]["@iot.id"]
    observation = await created(client, f"Datastreams({datastream})/Observations", {"result": result})
    assert observation["result"] == result
    assert type(observation["result"]) is type(result)


async def test_an_observation_without_time_is_of_now(client: httpx.AsyncClient) -> None:
    thing = await created(client, "Things", THING)
    datastream = (await read(client, f"Things({thing['@iot.id']})/Datastreams"))["value"][0]["@iot.id"]
    observation = await created(client, f"Datastreams({datastream})/Observations", {"result": 1})
    age = datetime.now(UTC) - datetime.fromisoformat(observation["phenomenonTime"])
    assert timedelta(0) <= age < timedelta(seconds=20)


async def test_an_existing_datastream_moves_to_a_new_sensor(client: httpx.AsyncClient) -> None:
    thing = await created(client, "Things", THING)
    datastream = (await read(client, f"Things({thing['@iot.id']})/Datastreams"))["value"][0]["@iot.id"]
    sensor = await created(client, "Sensors", having(SENSOR, name="newer", Datastreams=[{"@iot.id": datastream}]))
    assert (await read(client, f"Datastreams({datastream})/Sensor"))["@iot.id"] == sensor["@iot.id"]


async def test_what_was_read_can_be_written_again_without_its_id(client: httpx.AsyncClient) -> None:
    sensor = await created(client, "Sensors", SENSOR)
    del sensor["@iot.id"]
    await created(client, "Sensors", sensor)


async def test_prefer_minimal_leaves_the_body_out(client: httpx.AsyncClient) -> None:
    response = await client.post("Sensors", json=SENSOR, headers={"Prefer": "return=minimal"})
    assert (response.status_code, response.content) == (201, b"")
    assert response.headers["location"].startswith(f"{ROOT}/Sensors(")


async def test_of_32_who_create_the_same_device_one_succeeds(client: httpx.AsyncClient, database: str) -> None:
    body = having(THING, properties={"tenant": "kiel", "device": "d-1"})
    responses = await asyncio.gather(*(client.post("Things", json=body) for _ in range(32)))
    assert sorted(r.status_code for r in responses) == [201] + [409] * 31
    refused = next(r for r in responses if r.status_code == 409).json()
    assert refused["field"] == "properties.device"
    assert "d-1" in refused["message"]
    found = counts(database)
    assert (found["thing"], found["location"], found["datastream"], found["sensor"]) == (1, 1, 1, 1)


async def test_a_channel_is_unique_within_its_thing(client: httpx.AsyncClient, database: str) -> None:
    one = having(DATASTREAM, properties={"channel": "pm2.5"})
    before = counts(database)
    response = await client.post("Things", json=having(THING, Datastreams=[one, one]))
    assert (response.status_code, response.json()["field"]) == (409, "Datastreams[0].properties.channel")
    assert counts(database) == before
    first, second = [await created(client, "Things", having(THING, Datastreams=[one])) for _ in range(2)]
    assert first["@iot.id"] != second["@iot.id"]
    again = await client.post(f"Things({first['@iot.id']})/Datastreams", json=one)
    assert again.status_code == 409
    await created(client, f"Things({first['@iot.id']})/Datastreams", having(one, properties={"channel": "pm10"}))


async def test_many_writers_of_one_things_location_leave_one_place(client: httpx.AsyncClient) -> None:
    number = (await created(client, "Things", THING))["@iot.id"]
    responses = await asyncio.gather(*(client.post(f"Things({number})/Locations", json=LOCATION) for _ in range(12)))
    assert {r.status_code for r in responses} == {201}
    assert len((await read(client, f"Things({number})/Locations"))["value"]) == 1
    assert len((await read(client, f"Things({number})/HistoricalLocations"))["value"]) == 13


async def test_when_the_store_fails_nothing_is_left(client: httpx.AsyncClient, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE stored_outbox RENAME TO elsewhere")
        try:
            body = having(THING, Datastreams=[having(DATASTREAM, Observations=[{"result": 1}])])
            with pytest.raises(psycopg.Error):
                await client.post("Things", json=body)
        finally:
            connection.execute("ALTER TABLE elsewhere RENAME TO stored_outbox")
    assert set(counts(database).values()) == {0}
