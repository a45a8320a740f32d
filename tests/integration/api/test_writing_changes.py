from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from writing import DATASTREAM, FEATURE, LOCATION, POINT, SENSOR, THING, TOKEN, UNIT, counts, having, running, settings_for

pytestmark = pytest.mark.integration


async def made(client: httpx.AsyncClient, path: str, body: Any) -> int:
    response = await client.post(path, json=body)
    assert response.status_code == 201, response.text
    return response.json()["@iot.id"]


async def station(client: httpx.AsyncClient, **properties: Any) -> tuple[int, int]:
    thing = await made(client, "Things", having(THING, properties=properties))
    found = await client.get(f"Things({thing})/Datastreams")
    return thing, found.json()["value"][0]["@iot.id"]


async def test_a_patch_changes_what_it_names_and_nothing_else(client: httpx.AsyncClient) -> None:
    thing, datastream = await station(client, device="d-1", colour="red")
    changed = (
        await client.patch(f"Things({thing})", json={"name": "new", "properties": {"device": "d-2"}, "@iot.id": thing})
    ).json()
    assert (changed["name"], changed["description"], changed["properties"]) == ("new", "at the harbour", {"device": "d-2"})
    sensor = await made(client, "Sensors", SENSOR)
    body = {"Sensor": {"@iot.id": sensor}, "unitOfMeasurement": {**UNIT, "name": "better"}, "observedArea": None}
    changed = (await client.patch(f"Datastreams({datastream})", json=body)).json()
    assert changed["unitOfMeasurement"]["name"] == "better"
    assert (await client.get(f"Datastreams({datastream})/Sensor")).json()["@iot.id"] == sensor
    through = await client.patch(f"Things({thing})/Datastreams({datastream})/Sensor", json={"metadata": {"a": 1}})
    assert (through.json()["@iot.id"], through.json()["metadata"]) == (sensor, {"a": 1})
    assert (await client.patch(f"Things({thing})", json={})).status_code == 200


async def test_wrong_patches_change_nothing(client: httpx.AsyncClient) -> None:
    thing, datastream = await station(client, device="d-1")
    await station(client, device="taken")
    await client.post(f"Datastreams({datastream})/Observations", json={"result": 1})
    location = (await client.get(f"Things({thing})/Locations")).json()["value"][0]["@iot.id"]
    for path, body, status, field in [
        (f"Things({thing})", {"name": None}, 400, "name"),
        (f"Things({thing})", {"name": 5}, 400, "name"),
        (f"Things({thing})", {"colour": 5}, 400, "colour"),
        (f"Things({thing})", [], 400, None),
        (f"Things({thing})", {"@iot.id": thing + 1}, 400, "@iot.id"),
        (f"Things({thing})", {"properties": {"device": "taken"}}, 409, "properties"),
        (f"Things({thing})", {"Datastreams": []}, 400, "Datastreams"),
        (f"Datastreams({datastream})", {"unitOfMeasurement": {**UNIT, "definition": "mg/m3"}}, 409, "unitOfMeasurement"),
        (f"Datastreams({datastream})", {"Sensor": {"@iot.id": 999}}, 400, "Sensor"),
        (f"Datastreams({datastream})", {"Sensor": SENSOR}, 400, "Sensor"),
        (f"Locations({location})", {"location": {"type": "Point", "coordinates": [500, 0]}}, 400, "location.coordinates"),
        ("Things(99)", {"name": "x"}, 404, None),
        ("Cars(1)", {"name": "x"}, 404, None),
        ("Things", {"name": "x"}, 405, None),
        ("", {"name": "x"}, 405, None),
        (f"Things({thing})/Datastreams", {"name": "x"}, 405, None),
        ("Observations(1)", {"result": 2}, 404, None),
    ]:
        before = (await client.get("Things?$expand=Datastreams,Locations")).json()
        response = await client.patch(path, json=body)
        assert response.status_code == status, (path, body, response.text)
        assert response.json().get("field") == field
        assert (await client.get("Things?$expand=Datastreams,Locations")).json() == before
    kept = {"unitOfMeasurement": UNIT, "properties": {"channel": "x"}}
    assert (await client.patch(f"Datastreams({datastream})", json=kept)).status_code == 200


async def test_a_place_must_suit_a_new_encoding(client: httpx.AsyncClient) -> None:
    location = await made(client, "Locations", having(LOCATION, encodingType="text/plain", location={"street": "Norderstraße"}))
    wrong = await client.patch(f"Locations({location})", json={"encodingType": "application/geo+json"})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "location.type")
    right = await client.patch(f"Locations({location})", json={"encodingType": "application/geo+json", "location": POINT})
    assert right.status_code == 200


async def test_a_thing_goes_with_its_datastreams_history_and_readings(client: httpx.AsyncClient, database: str) -> None:
    thing, datastream = await station(client)
    other, kept = await station(client)
    for number in (datastream, kept):
        await client.post(f"Datastreams({number})/Observations", json={"result": 1})
    assert (await client.delete(f"Things({thing})")).status_code == 200
    found = counts(database)
    assert (found["thing"], found["datastream"], found["observation"], found["datastream_summary"]) == (1, 1, 1, 1)
    assert (found["historical_location"], found["location"], found["sensor"]) == (1, 2, 2)
    assert (await client.get(f"Things({thing})")).status_code == 404
    assert (await client.get(f"Things({other})/Datastreams?$count=true")).json()["@iot.count"] == 1


@pytest.mark.parametrize("relation", ["Sensor", "ObservedProperty"])
async def test_what_a_datastream_needs_takes_it_along(client: httpx.AsyncClient, database: str, relation: str) -> None:
    _, datastream = await station(client)
    await client.post(f"Datastreams({datastream})/Observations", json={"result": 1})
    assert (await client.delete(f"Datastreams({datastream})/{relation}")).status_code == 200
    found = counts(database)
    assert (found["thing"], found["datastream"], found["observation"]) == (1, 0, 0)


async def test_a_location_goes_with_its_history(client: httpx.AsyncClient, database: str) -> None:
    thing, _ = await station(client)
    await made(client, f"Things({thing})/Locations", having(LOCATION, name="second"))
    location = (await client.get(f"Things({thing})/Locations")).json()["value"][0]["@iot.id"]
    assert (await client.delete(f"Locations({location})")).status_code == 200
    found = counts(database)
    assert (found["location"], found["historical_location"], found["thing"]) == (1, 1, 1)


async def test_wrong_deletes_delete_nothing(client: httpx.AsyncClient, database: str) -> None:
    _, datastream = await station(client)
    feature = await made(
        client, "FeaturesOfInterest", having(FEATURE, Observations=[{"result": 1, "Datastream": {"@iot.id": datastream}}])
    )
    unused = await made(client, "FeaturesOfInterest", FEATURE)
    before = counts(database)
    for path, status in [
        ("Things", 405),
        ("", 405),
        ("Things(99)", 404),
        ("Observations(1)", 404),
    ]:
        assert (await client.delete(path)).status_code == status
    assert (await client.delete("Things(1)", headers={"Authorization": "none"})).status_code == 401
    assert counts(database) == before
    assert (await client.delete(f"FeaturesOfInterest({unused})")).status_code == 200
    assert (await client.get(f"Datastreams({datastream})")).json()["observedArea"] == POINT
    assert (await client.delete(f"FeaturesOfInterest({feature})")).status_code == 200
    left = (await client.get(f"Datastreams({datastream})?$expand=Observations")).json()
    assert (left["Observations"], "observedArea" in left, "phenomenonTime" in left) == ([], False, False)
    await made(client, f"Things({await made(client, 'Things', THING)})/Datastreams", DATASTREAM)


async def test_a_life_of_a_thing_on_each_set_of_servers(database_on_each: str, tmp_path: Path) -> None:
    async with running(settings_for(database_on_each, tmp_path), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        thing, datastream = await station(client, device="d-1")
        made = [await client.post(f"Datastreams({datastream})/Observations", json={"result": n}) for n in range(3)]
        assert [response.json()["result"] for response in made] == [0, 1, 2]
        for time in ("0001-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"):
            far = await client.post(f"Datastreams({datastream})/Observations", json={"result": 1, "phenomenonTime": time})
            assert (far.status_code, far.json().get("phenomenonTime")) == (201, time), far.text
        assert (await client.patch(f"Things({thing})", json={"name": "new"})).json()["name"] == "new"
        assert (await client.delete(f"Things({thing})")).status_code == 200
        found = counts(database_on_each)
        assert (found["thing"], found["datastream"], found["observation"], found["datastream_summary"]) == (0, 0, 0, 0)
