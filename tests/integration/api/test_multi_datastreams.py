"""MultiDatastreams (18-088, 8.3) over HTTP: created, read, refused, and apart from Datastreams."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest
from writing import DATASTREAM, LOCATION, OBSERVED_PROPERTY, SENSOR, THING, UNIT, having

pytestmark = pytest.mark.integration

MEASUREMENT = DATASTREAM["observationType"]
COMPLEX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"
WIND = having(OBSERVED_PROPERTY, name="wind speed")
DIRECTION = having(OBSERVED_PROPERTY, name="direction")
MULTI: dict[str, Any] = {
    "name": "wind",
    "description": "speed and direction",
    "multiObservationDataTypes": [MEASUREMENT, MEASUREMENT],
    "unitOfMeasurements": [UNIT, having(UNIT, definition="deg")],
    "Sensor": SENSOR,
    "ObservedProperties": [WIND, DIRECTION],
}


async def post(client: httpx.AsyncClient, path: str, body: Any, status: int = 201) -> Any:
    response = await client.post(path, json=body)
    assert response.status_code == status, response.text
    return response.json()


async def read(client: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    response = await client.get(path)
    assert response.status_code == status, response.text
    return response.json()


async def names(client: httpx.AsyncClient, path: str) -> list[str]:
    return [entity["name"] for entity in (await read(client, path))["value"]]


@pytest.fixture
async def thing(client: httpx.AsyncClient) -> int:
    return (await post(client, "Things", having(THING, MultiDatastreams=[MULTI])))["@iot.id"]


@pytest.fixture
async def multi(client: httpx.AsyncClient, thing: int) -> int:
    return (await read(client, f"Things({thing})/MultiDatastreams"))["value"][0]["@iot.id"]


async def test_a_multi_datastream_comes_with_its_thing_and_is_no_datastream(client: httpx.AsyncClient, multi: int) -> None:
    found = await read(client, f"MultiDatastreams({multi})")
    assert found["observationType"] == COMPLEX
    assert found["multiObservationDataTypes"] == [MEASUREMENT, MEASUREMENT]
    assert [unit["definition"] for unit in found["unitOfMeasurements"]] == ["ug/m3", "deg"]
    assert await names(client, "Datastreams") == ["dust"]
    assert await names(client, "MultiDatastreams") == ["wind"]
    await read(client, f"Datastreams({multi})", 404)
    single = (await read(client, "Datastreams"))["value"][0]["@iot.id"]
    await read(client, f"MultiDatastreams({single})", 404)
    for method in ("PATCH", "DELETE"):
        assert (await client.request(method, f"Datastreams({multi})", json={})).status_code == 404
        assert (await client.request(method, f"MultiDatastreams({single})", json={})).status_code == 404


async def test_observed_properties_keep_the_order_of_the_results(client: httpx.AsyncClient) -> None:
    second = (await post(client, "ObservedProperties", DIRECTION))["@iot.id"]
    first = (await post(client, "ObservedProperties", WIND))["@iot.id"]
    body = having(
        MULTI,
        ObservedProperties=[{"@iot.id": first}, {"@iot.id": second}],
        Thing=having(THING, Datastreams=None),
    )
    number = (await post(client, "MultiDatastreams", body))["@iot.id"]
    assert await names(client, f"MultiDatastreams({number})/ObservedProperties") == ["wind speed", "direction"]
    assert await names(client, f"MultiDatastreams({number})/ObservedProperties?$top=1") == ["wind speed"]
    link = (await read(client, f"MultiDatastreams({number})/ObservedProperties?$top=1"))["@iot.nextLink"]
    assert await names(client, link.partition("/v1.1/")[2]) == ["direction"]
    expanded = await read(client, f"MultiDatastreams({number})?$expand=ObservedProperties,Thing,Sensor")
    assert [p["name"] for p in expanded["ObservedProperties"]] == ["wind speed", "direction"]
    assert expanded["Sensor"]["name"] == "SPS30"
    assert await names(client, f"ObservedProperties({second})/MultiDatastreams") == ["wind"]
    sensor = expanded["Sensor"]["@iot.id"]
    assert await names(client, f"Sensors({sensor})/MultiDatastreams?$filter=ObservedProperties/name eq 'direction'") == ["wind"]
    assert await names(client, f"Sensors({sensor})/MultiDatastreams?$filter=ObservedProperties/name eq 'rain'") == []


async def test_results_are_arrays_with_a_part_for_each_property(client: httpx.AsyncClient, thing: int, multi: int) -> None:
    created = await post(client, f"MultiDatastreams({multi})/Observations", {"result": [3.5, 270]})
    assert created["result"] == [3.5, 270]
    assert "Datastream@iot.navigationLink" not in created
    number = created["@iot.id"]
    assert (await read(client, f"Observations({number})/MultiDatastream"))["@iot.id"] == multi
    await read(client, f"Observations({number})/Datastream", 404)
    other = {"result": [None, 12], "MultiDatastream": {"@iot.id": multi}}
    await post(client, "Observations", other)
    page = await read(client, f"MultiDatastreams({multi})/Observations?$count=true&$expand=MultiDatastream")
    assert page["@iot.count"] == 2
    assert {o["MultiDatastream"]["@iot.id"] for o in page["value"]} == {multi}
    newest = await read(
        client, f"Things({thing})?$expand=MultiDatastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))"
    )
    assert newest["MultiDatastreams"][0]["Observations"][0]["result"] == [None, 12]
    assert newest["MultiDatastreams"][0]["phenomenonTime"].count("/") == 1
    counted = await read(client, "Observations?$count=true&$filter=MultiDatastream/name eq 'wind'")
    assert counted["@iot.count"] == 2
    single = (await read(client, "Datastreams"))["value"][0]["@iot.id"]
    plain = await post(client, f"Datastreams({single})/Observations", {"result": 1})
    assert "MultiDatastream@iot.navigationLink" not in plain
    text = await post(client, f"Datastreams({single})/Observations", {"result": "calm"})
    assert {"Datastream@iot.navigationLink"} == {k for k in text if "atastream@" in k}


@pytest.mark.parametrize("result", [[1], [1, 2, 3], 1, "a", None, {"a": 1}, []])
async def test_another_result_is_refused(client: httpx.AsyncClient, multi: int, result: Any) -> None:
    answer = await post(client, f"MultiDatastreams({multi})/Observations", {"result": result}, 400)
    assert "array of 2" in str(answer)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"unitOfMeasurements": [UNIT]}, "unitOfMeasurements"),
        ({"multiObservationDataTypes": [MEASUREMENT] * 3}, "multiObservationDataTypes"),
        ({"ObservedProperties": [WIND]}, "multiObservationDataTypes"),
        ({"ObservedProperties": []}, "ObservedProperties"),
        ({"ObservedProperties": None}, "ObservedProperties"),
        ({"unitOfMeasurements": None}, "unitOfMeasurements"),
        ({"unitOfMeasurements": [UNIT, "deg"]}, "unitOfMeasurements[1]"),
        ({"multiObservationDataTypes": [MEASUREMENT, 1]}, "multiObservationDataTypes[1]"),
        ({"multiObservationDataTypes": "x"}, "multiObservationDataTypes"),
        ({"observationType": MEASUREMENT}, "observationType"),
        ({"properties": {"fail_span": [1, 2]}}, "properties.fail_span"),
    ],
)
async def test_unequal_arrays_and_wrong_types_are_refused(client: httpx.AsyncClient, changes: dict[str, Any], named: str) -> None:
    thing = (await post(client, "Things", having(THING, Datastreams=None)))["@iot.id"]
    answer = await post(client, f"Things({thing})/MultiDatastreams", having(MULTI, **changes), 400)
    assert named in str(answer)
    assert await names(client, "ObservedProperties") == []


async def test_parts_keep_their_meaning(client: httpx.AsyncClient, multi: int) -> None:
    for body in ({"unitOfMeasurements": [UNIT]}, {"multiObservationDataTypes": []}, {"ObservedProperties": [WIND, DIRECTION]}):
        assert (await client.patch(f"MultiDatastreams({multi})", json=body)).status_code == 400
    await post(client, f"MultiDatastreams({multi})/ObservedProperties", OBSERVED_PROPERTY, 400)
    await post(client, "ObservedProperties", having(OBSERVED_PROPERTY, MultiDatastreams=[{"@iot.id": multi}]), 400)
    units = [having(UNIT, definition="m/s"), having(UNIT, definition="deg")]
    assert (await client.patch(f"MultiDatastreams({multi})", json={"unitOfMeasurements": units})).status_code == 200
    await post(client, f"MultiDatastreams({multi})/Observations", {"result": [1, 2]})
    assert (await client.patch(f"MultiDatastreams({multi})", json={"unitOfMeasurements": [UNIT, UNIT]})).status_code == 409
    assert (await client.patch(f"MultiDatastreams({multi})", json={"name": "breeze"})).json()["name"] == "breeze"


async def test_a_datastream_and_a_multi_datastream_share_the_names_of_channels(client: httpx.AsyncClient, thing: int) -> None:
    channel = {"properties": {"channel": "wind"}}
    await post(client, f"Things({thing})/MultiDatastreams", MULTI | channel)
    await post(client, f"Things({thing})/Datastreams", DATASTREAM | channel, 409)
    await post(client, f"Things({thing})/MultiDatastreams", MULTI | channel, 409)


async def test_one_of_datastream_and_multi_datastream_is_wanted(client: httpx.AsyncClient, multi: int) -> None:
    single = (await read(client, "Datastreams"))["value"][0]["@iot.id"]
    both = {"Datastream": {"@iot.id": single}, "MultiDatastream": {"@iot.id": multi}}
    assert "MultiDatastream" in str(await post(client, "Observations", {"result": [1, 2], **both}, 400))
    assert "MultiDatastream" in str(await post(client, "Observations", {"result": [1, 2]}, 400))
    for wrong in ({"Datastream": {"@iot.id": multi}}, {"MultiDatastream": {"@iot.id": single}}):
        await post(client, "Observations", {"result": [1, 2], **wrong}, 400)
    await post(client, f"Datastreams({multi})/Observations", {"result": [1, 2]}, 404)


async def test_it_goes_with_any_of_its_observed_properties(client: httpx.AsyncClient, multi: int, database: str) -> None:
    await post(client, f"MultiDatastreams({multi})/Observations", {"result": [1, 2]})
    last = (await read(client, f"MultiDatastreams({multi})/ObservedProperties"))["value"][1]["@iot.id"]
    assert (await client.delete(f"ObservedProperties({last})")).status_code == 200
    await read(client, f"MultiDatastreams({multi})", 404)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM observation").fetchone() == (0,)
    assert await names(client, "Datastreams") == ["dust"]


async def test_what_a_private_thing_has_is_hidden(client: httpx.AsyncClient) -> None:
    body = having(THING, Datastreams=None, Locations=[LOCATION], properties={"public": False}, MultiDatastreams=[MULTI])
    await post(client, "Things", body)
    assert await names(client, "MultiDatastreams") == ["wind"]
    response = await client.get("MultiDatastreams", headers={"Authorization": ""})
    assert response.json()["value"] == []


async def test_aggregates_count_arrays_as_no_numbers(client: httpx.AsyncClient, multi: int, database: str) -> None:
    await post(client, f"MultiDatastreams({multi})/Observations", {"result": [1, 2]})
    with psycopg.connect(database) as connection:
        query = "SELECT n, numbers, sum FROM aggregate WHERE datastream_id = %s AND span = 'day'"
        assert connection.execute(query, (multi,)).fetchall() == [(1, 0, 0)]
