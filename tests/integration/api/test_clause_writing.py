"""18-088, chapter 10 clause by clause, where no other file has it: every entity set changed, replaced and deleted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from writing import DATASTREAM, FEATURE, LOCATION, OBSERVED_PROPERTY, SENSOR, THING, UNIT, counts, having

pytestmark = pytest.mark.integration

AT = "2026-03-01T10:00:00Z"
MULTI = {
    "name": "wind", "description": "speed and direction",
    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation",
    "multiObservationDataTypes": ["x", "y"], "unitOfMeasurements": [UNIT, UNIT], "Sensor": SENSOR,
    "ObservedProperties": [OBSERVED_PROPERTY, having(OBSERVED_PROPERTY, name="other")],
}  # fmt: skip
# What a PATCH changes of each set, and what of it a JSON Patch changes back.
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "Things": ({"description": "changed"}, "description"),
    "Locations": ({"description": "changed"}, "description"),
    "Sensors": ({"metadata": "changed"}, "metadata"),
    "ObservedProperties": ({"definition": "https://example.org/changed"}, "definition"),
    "Datastreams": ({"description": "changed"}, "description"),
    "MultiDatastreams": ({"description": "changed"}, "description"),
    "FeaturesOfInterest": ({"name": "changed"}, "name"),
    "HistoricalLocations": ({"time": "2026-03-02T00:00:00Z"}, "time"),
    "Observations": ({"result": 99}, "result"),
}
# 18-088, table 25: what goes with an entity of the Thing below. Everything else stays.
ALONG: dict[str, dict[str, int]] = {
    "Things": {"thing": 1, "datastream": 2, "observation": 3, "historical_location": 1},
    "Locations": {"location": 1, "historical_location": 1},
    "Sensors": {"sensor": 1, "datastream": 1, "observation": 2},
    "ObservedProperties": {"observed_property": 1, "datastream": 1, "observation": 2},
    "Datastreams": {"datastream": 1, "observation": 2},
    "MultiDatastreams": {"datastream": 1, "observation": 1},
    "FeaturesOfInterest": {"feature_of_interest": 1, "observation": 1},
    "HistoricalLocations": {"historical_location": 1},
    "Observations": {"observation": 1},
}


async def made(client: httpx.AsyncClient, path: str, body: Any) -> int:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["@iot.id"]


@pytest.fixture
async def entities(client: httpx.AsyncClient) -> dict[str, int]:
    """One entity of each set: a Thing with a Datastream of two Observations, one of another place, and with a MultiDatastream."""
    feature = await made(client, "FeaturesOfInterest", FEATURE)
    thing = await made(client, "Things", having(THING, MultiDatastreams=[MULTI]))

    async def of(path: str) -> int:
        return (await client.get(f"{path}?$orderby=id")).json()["value"][0]["@iot.id"]

    datastream, multi = await of(f"Things({thing})/Datastreams"), await of(f"Things({thing})/MultiDatastreams")
    await made(
        client,
        f"Datastreams({datastream})/Observations",
        {"result": 1, "phenomenonTime": AT, "FeatureOfInterest": {"@iot.id": feature}},
    )
    own = await made(client, f"Datastreams({datastream})/Observations", {"result": 2, "phenomenonTime": "2026-03-01T11:00:00Z"})
    await made(client, f"MultiDatastreams({multi})/Observations", {"result": [1, 2], "phenomenonTime": AT})
    return {
        "Things": thing, "Datastreams": datastream, "MultiDatastreams": multi, "FeaturesOfInterest": feature, "Observations": own,
        "Locations": await of(f"Things({thing})/Locations"),
        "HistoricalLocations": await of(f"Things({thing})/HistoricalLocations"),
        "Sensors": (await client.get(f"Datastreams({datastream})/Sensor")).json()["@iot.id"],
        "ObservedProperties": (await client.get(f"Datastreams({datastream})/ObservedProperty")).json()["@iot.id"],
    }  # fmt: skip


async def test_every_set_is_patched_merged_and_by_operations(client: httpx.AsyncClient, entities: dict[str, int]) -> None:
    for name, (change, member) in CHANGES.items():
        path = f"{name}({entities[name]})"
        before = (await client.get(path)).json()
        patched = await client.patch(path, json=change)
        assert (patched.status_code, patched.json() | change) == (200, patched.json()), patched.text
        assert {key: value for key, value in patched.json().items() if key not in {*change, "resultQuality", "parameters"}} == {
            key: value for key, value in before.items() if key not in {*change, "resultQuality", "parameters"}
        }, name
        operations = [
            {"op": "test", "path": f"/{member}", "value": change[member]},
            {"op": "replace", "path": f"/{member}", "value": before[member]},
        ]
        back = await client.patch(path, json=operations, headers={"Content-Type": "application/json-patch+json"})
        assert (back.status_code, back.json()[member]) == (200, before[member]), back.text
        assert (await client.get(path)).json()[member] == before[member]
        refused = await client.patch(path, json=[operations[0]], headers={"Content-Type": "application/json-patch+json"})
        assert refused.status_code in {400, 409}, name  # the value is another by now


async def test_what_was_read_can_be_put_again(client: httpx.AsyncClient, entities: dict[str, int]) -> None:
    for name, number in entities.items():
        shown = (await client.get(f"{name}({number})")).json()
        body = {key: value for key, value in shown.items() if key not in {"resultQuality", "parameters"}}
        replaced = await client.put(f"{name}({number})", json=body)
        assert replaced.status_code == 200, (name, replaced.text)
        assert {key: value for key, value in replaced.json().items() if key in body} == body


@pytest.mark.parametrize("name", list(ALONG))
async def test_what_cannot_be_without_an_entity_goes_with_it(
    client: httpx.AsyncClient, entities: dict[str, int], database: str, name: str
) -> None:
    before = counts(database)
    path = f"{name}({entities[name]})"
    assert (await client.delete(path)).status_code == 200
    assert (await client.get(path)).status_code == 404
    shown = {key: (await client.get(f"{key}?$count=true&$top=0")).json()["@iot.count"] for key in CHANGES}
    visible = {"observation": 3, "thing": 1, "datastream": 2, "location": 1, "sensor": 2, "observed_property": 3,
               "feature_of_interest": 2, "historical_location": 1}  # fmt: skip
    assert {key: before[key] for key in visible} == visible
    left = {key: count - ALONG[name].get(key, 0) for key, count in visible.items()}
    assert left == {
        "thing": shown["Things"], "observation": shown["Observations"],
        "datastream": shown["Datastreams"] + shown["MultiDatastreams"],
        "location": shown["Locations"], "sensor": shown["Sensors"], "observed_property": shown["ObservedProperties"],
        "feature_of_interest": shown["FeaturesOfInterest"], "historical_location": shown["HistoricalLocations"],
    }  # fmt: skip


async def test_derived_properties_follow_insert_change_and_delete(client: httpx.AsyncClient, entities: dict[str, int]) -> None:
    path = f"Datastreams({entities['Datastreams']})"

    async def derived() -> tuple[Any, Any, Any]:
        shown = (await client.get(path)).json()
        return shown.get("phenomenonTime"), shown.get("resultTime"), shown.get("observedArea", {}).get("type")

    assert await derived() == (f"{AT}/2026-03-01T11:00:00Z", None, "Point")
    away = having(FEATURE, feature={"type": "Point", "coordinates": [10.0, 55.0]})
    new = await made(
        client, f"{path}/Observations",
        {"result": 3, "phenomenonTime": "2026-03-03T00:00:00Z/2026-03-04T00:00:00Z", "resultTime": "2026-03-04T00:00:05Z",
         "FeatureOfInterest": away},
    )  # fmt: skip
    assert await derived() == (f"{AT}/2026-03-04T00:00:00Z", "2026-03-04T00:00:05Z/2026-03-04T00:00:05Z", "Polygon")
    moved = {"phenomenonTime": "2026-02-01T00:00:00Z", "resultTime": "2026-02-02T00:00:00Z"}
    assert (await client.patch(f"Observations({new})", json=moved)).status_code == 200
    assert await derived() == ("2026-02-01T00:00:00Z/2026-03-01T11:00:00Z", "2026-02-02T00:00:00Z/2026-02-02T00:00:00Z", "Polygon")
    assert (await client.delete(f"Observations({new})")).status_code == 200
    assert await derived() == (f"{AT}/2026-03-01T11:00:00Z", None, "Point")


async def test_a_thing_that_moves_keeps_where_it_was(client: httpx.AsyncClient, entities: dict[str, int]) -> None:
    thing = f"Things({entities['Things']})"
    await made(client, f"{thing}/Locations", having(LOCATION, name="second"))
    third = await made(client, "Locations", having(LOCATION, name="third"))
    assert (await client.patch(thing, json={"Locations": [{"@iot.id": third}]})).status_code == 200
    now = (await client.get(f"{thing}/Locations")).json()["value"]
    history = (await client.get(f"{thing}/HistoricalLocations?$expand=Locations&$orderby=time,id")).json()["value"]
    assert [location["name"] for location in now] == ["third"]
    assert [[location["name"] for location in entry["Locations"]] for entry in history] == [["Flensburg"], ["second"], ["third"]]
    assert await made(client, "HistoricalLocations", {
        "time": "2020-01-01T00:00:00Z", "Thing": {"@iot.id": entities["Things"]}, "Locations": [{"@iot.id": entities["Locations"]}],
    })  # fmt: skip
    assert [location["name"] for location in (await client.get(f"{thing}/Locations")).json()["value"]] == ["third"]


async def test_a_filter_deletes_over_relations(client: httpx.AsyncClient, entities: dict[str, int]) -> None:
    other = await made(client, "Things", having(THING, Datastreams=[DATASTREAM, having(DATASTREAM, name="kept")]))
    asked = f"Things({other})/Datastreams?$filter=name eq 'dust'"
    assert (await client.delete(asked, headers={"Authorization": ""})).status_code == 401
    assert (await client.delete(asked)).status_code == 200
    assert [d["name"] for d in (await client.get(f"Things({other})/Datastreams")).json()["value"]] == ["kept"]
    assert (await client.get(f"Things({entities['Things']})/Datastreams?$count=true")).json()["@iot.count"] == 1
    assert (await client.delete(f"Things({other})/Datastreams?$filter=Sensor/name eq 'SPS30'")).status_code == 200
    assert (await client.get(f"Things({other})/Datastreams?$count=true")).json()["@iot.count"] == 0
    assert (await client.delete("Observations?$filter=Datastream/Thing/name eq 'station' and result eq 2")).status_code == 200
    assert (await client.get("Observations?$count=true&$top=0")).json()["@iot.count"] == 2
