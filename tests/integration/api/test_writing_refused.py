"""What is refused: with 4xx, a reason, the field where there is one, and no trace in the database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from writing import (
    DATASTREAM,
    FEATURE,
    LOCATION,
    OBSERVED_PROPERTY,
    POINT,
    SENSOR,
    THING,
    TOKEN,
    UNIT,
    counts,
    having,
    running,
    settings_for,
)

pytestmark = pytest.mark.integration

NO_PLACE = having(THING, Locations=None, Datastreams=None)
HISTORY = {"time": "2026-01-01T00:00:00Z", "Thing": NO_PLACE, "Locations": [LOCATION]}
WHOLE = having(DATASTREAM, Thing=having(THING, Datastreams=None))
OBSERVATION = {"result": 1, "Datastream": WHOLE}
BODIES = {
    "Things": THING,
    "Locations": LOCATION,
    "HistoricalLocations": HISTORY,
    "Datastreams": WHOLE,
    "Sensors": SENSOR,
    "ObservedProperties": OBSERVED_PROPERTY,
    "Observations": OBSERVATION,
    "FeaturesOfInterest": FEATURE,
}
MANDATORY = {
    "Things": ("name", "description"),
    "Locations": ("name", "description", "encodingType", "location"),
    "HistoricalLocations": ("time", "Thing", "Locations"),
    "Datastreams": ("name", "description", "observationType", "unitOfMeasurement", "Thing", "Sensor", "ObservedProperty"),
    "Sensors": ("name", "description", "encodingType", "metadata"),
    "ObservedProperties": ("name", "definition", "description"),
    "Observations": ("result", "Datastream"),
    "FeaturesOfInterest": ("name", "description", "encodingType", "feature"),
}


async def refused(client: httpx.AsyncClient, database: str, path: str, body: Any, *, status: int = 400) -> dict[str, Any]:
    before = counts(database)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == status, response.text
    found = response.json()
    assert (found["code"], found["type"]) == (status, "error")
    assert found["message"]
    for word in ("Traceback", "psycopg", "SQLSTATE", "DETAIL", 'relation "', "violates"):
        assert word not in response.text
    assert counts(database) == before
    return found


@pytest.mark.parametrize("entity_set", MANDATORY)
async def test_each_mandatory_name_is_asked_for(client: httpx.AsyncClient, database: str, entity_set: str) -> None:
    for name in MANDATORY[entity_set]:
        error = await refused(client, database, entity_set, having(BODIES[entity_set], **{name: None}))
        assert error["field"] == name
        assert name in error["message"]
        if name != "result":
            explicit = BODIES[entity_set] | {name: None}
            assert (await refused(client, database, entity_set, explicit))["field"] == name
    assert (await client.post(entity_set, json=BODIES[entity_set])).status_code == 201


@pytest.mark.parametrize("entity_set", MANDATORY)
async def test_names_that_no_set_has_are_refused(client: httpx.AsyncClient, database: str, entity_set: str) -> None:
    for name in ("colour", "Name", "@iot.id", "", "name'; DROP TABLE thing --"):
        error = await refused(client, database, entity_set, BODIES[entity_set] | {name: 1})
        assert error["field"] == name
    if "name" in BODIES[entity_set]:
        assert "did you mean name?" in (await refused(client, database, entity_set, BODIES[entity_set] | {"Name": "x"}))["message"]


BAD_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("Things", {"name": 5}, "name"),
    ("Things", {"name": " "}, "name"),
    ("Things", {"properties": []}, "properties"),
    ("Things", {"properties": {"device": "Großbuchstabe"}}, "properties.device"),
    ("Things", {"properties": {"device": "a" * 64}}, "properties.device"),
    ("Things", {"properties": {"device": 5}}, "properties.device"),
    ("Things", {"properties": {"tenant": "-x"}}, "properties.tenant"),
    ("Things", {"properties": {"tenant": "a/b"}}, "properties.tenant"),
    ("Things", {"properties": {"device": "a\n"}}, "properties.device"),
    ("Things", {"properties": {"timezone": "Europe/Flensburg"}}, "properties.timezone"),
    ("Things", {"properties": {"timezone": "../../etc/passwd"}}, "properties.timezone"),
    ("Things", {"properties": {"public": "no"}}, "properties.public"),
    ("Things", {"properties": {"location_radius_m": -1}}, "properties.location_radius_m"),
    ("Things", {"properties": {"bbox": [1, 2, 3]}}, "properties.bbox"),
    ("Things", {"Datastreams": {}}, "Datastreams"),
    ("Things", {"Datastreams": [5]}, "Datastreams[0]"),
    ("Things", {"Datastreams": [DATASTREAM, having(DATASTREAM, unitOfMeasurement=None)]}, "Datastreams[1].unitOfMeasurement"),
    ("Things", {"Datastreams": [having(DATASTREAM, Sensor=None)]}, "Datastreams[0].Sensor"),
    ("Things", {"Datastreams": [having(DATASTREAM, Sensor={"@iot.id": 99})]}, "Datastreams[0].Sensor"),
    ("Things", {"Datastreams": [having(DATASTREAM, Thing={"@iot.id": 1})]}, "Datastreams[0].Thing"),
    ("Things", {"Datastreams": [{"@iot.id": 99}]}, "Datastreams[0]"),
    ("Things", {"Datastreams": [having(DATASTREAM, Observations=[{"result": 1}, {}])]}, "Datastreams[0].Observations[1].result"),
    ("Things", {"Locations": [{"@iot.id": 0}]}, "Locations[0].@iot.id"),
    ("Things", {"Locations": [{"@iot.id": "1"}]}, "Locations[0].@iot.id"),
    ("Things", {"Locations": [{"@iot.id": True}]}, "Locations[0].@iot.id"),
    ("Things", {"Locations": [{"@iot.id": 2**53}]}, "Locations[0].@iot.id"),
    ("Things", {"Locations": [{"@iot.id": 1, "name": "x"}]}, "Locations[0]"),
    ("Things", {"HistoricalLocations": [{"time": "2026-01-01T00:00:00Z"}]}, "HistoricalLocations[0].Locations"),
    ("Locations", {"encodingType": 5}, "encodingType"),
    ("Locations", {"location": "here"}, "location"),
    ("Locations", {"location": {}}, "location.type"),
    ("Locations", {"location": {"type": "Circle", "coordinates": [1, 2]}}, "location.type"),
    ("Locations", {"location": {"type": ["Point"], "coordinates": [1, 2]}}, "location.type"),
    ("Locations", {"location": {"type": "Point"}}, "location.coordinates"),
    ("Locations", {"location": {"type": "Point", "coordinates": [1]}}, "location.coordinates"),
    ("Locations", {"location": {"type": "Point", "coordinates": [1, "2"]}}, "location.coordinates"),
    ("Locations", {"location": {"type": "Point", "coordinates": [180.1, 0]}}, "location.coordinates"),
    ("Locations", {"location": {"type": "Point", "coordinates": [9, 90.1]}}, "location.coordinates"),
    ("Locations", {"location": {"type": "LineString", "coordinates": [[9, 54], [9]]}}, "location.coordinates[1]"),
    ("Locations", {"location": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}}, "location.coordinates[0]"),
    ("Locations", {"location": {"type": "Feature", "geometry": None}}, "location.geometry"),
    ("Locations", {"location": {"type": "FeatureCollection", "features": [POINT]}}, "location.features[0].type"),
    ("HistoricalLocations", {"time": "yesterday"}, "time"),
    ("HistoricalLocations", {"Locations": []}, "Locations"),
    ("Datastreams", {"unitOfMeasurement": "m"}, "unitOfMeasurement"),
    ("Datastreams", {"unitOfMeasurement": having(UNIT, symbol=None)}, "unitOfMeasurement.symbol"),
    ("Datastreams", {"unitOfMeasurement": UNIT | {"factor": 1}}, "unitOfMeasurement.factor"),
    ("Datastreams", {"unitOfMeasurement": UNIT | {"name": 1}}, "unitOfMeasurement.name"),
    ("Datastreams", {"observedArea": {"type": "Point", "coordinates": [1, 99]}}, "observedArea.coordinates"),
    ("Datastreams", {"properties": {"channel": "PM 2.5"}}, "properties.channel"),
    ("Datastreams", {"properties": {"fail_span": [5, 1]}}, "properties.fail_span"),
    ("Datastreams", {"properties": {"interval_s": 0}}, "properties.interval_s"),
    ("Datastreams", {"Sensor": [SENSOR]}, "Sensor"),
    ("Datastreams", {"Sensor": having(SENSOR, name=None)}, "Sensor.name"),
    ("Datastreams", {"Thing": {"@iot.id": 77}}, "Thing"),
    ("Sensors", {"Datastreams": [{"@iot.id": 5}]}, "Datastreams[0]"),
    ("Observations", {"phenomenonTime": "2026-01-01"}, "phenomenonTime"),
    ("Observations", {"phenomenonTime": "2026-01-01T00:00:00"}, "phenomenonTime"),
    ("Observations", {"phenomenonTime": "2026-02-30T00:00:00Z"}, "phenomenonTime"),
    ("Observations", {"phenomenonTime": "10000-01-01T00:00:00Z"}, "phenomenonTime"),
    ("Observations", {"phenomenonTime": "0001-01-01T00:00:00+01:00"}, "phenomenonTime"),
    ("Observations", {"phenomenonTime": "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z"}, "phenomenonTime"),
    ("Observations", {"phenomenonTime": 1_700_000_000}, "phenomenonTime"),
    ("Observations", {"resultTime": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"}, "resultTime"),
    ("Observations", {"validTime": "2026-01-01T00:00:00Z"}, "validTime"),
    ("Observations", {"parameters": [1]}, "parameters"),
    ("Observations", {"Datastream": {"@iot.id": 99}}, "Datastream"),
    ("Observations", {"FeatureOfInterest": {"@iot.id": 99}}, "FeatureOfInterest"),
    ("Observations", {"FeatureOfInterest": {"name": "x"}}, "FeatureOfInterest.description"),
    ("Observations", {"Datastream": having(DATASTREAM, Thing=NO_PLACE)}, "FeatureOfInterest"),
    ("FeaturesOfInterest", {"Observations": [{"@iot.id": 1}]}, "Observations[0]"),
]


async def test_each_wrong_field_is_named(client: httpx.AsyncClient, database: str) -> None:
    for entity_set, changes, field in BAD_FIELDS:
        error = await refused(client, database, entity_set, BODIES[entity_set] | changes)
        assert error.get("field") == field, (entity_set, changes, error)
    assert counts(database) == dict.fromkeys(counts(database), 0)


BAD_BYTES: list[tuple[bytes, str]] = [
    (b"", "empty"),
    (b"  ", "empty"),
    (b"{", "not JSON"),
    (b"[]", "object"),
    (b"null", "object"),
    (b'"text"', "object"),
    (b"\xef\xbb\xbf{}", "not JSON"),
    (b'{"name": "\xff"}', "UTF-8"),
    (b'{"name": "a", "name": "b", "description": ""}', "twice"),
    (b'{"name": "a", "description": "", "properties": {"x": 1, "x": 2}}', "twice"),
    (b'{"name": "a", "description": "", "properties": {"x": NaN}}', "not JSON"),
    (b'{"name": "a", "description": "", "properties": {"x": Infinity}}', "not JSON"),
    (b'{"name": "a", "description": "", "properties": {"x": 1e400}}', "range"),
    (b'{"name": "a", "description": "", "properties": {"x": ' + b"9" * 5_000 + b"}}", "range"),
    (b'{"name": "a", "description": "", "properties": {"x": 9223372036854775808}}', "64 bits"),
    (b'{"name": "a", "description": "", "properties": {"x": -9223372036854775809}}', "64 bits"),
    (b'{"name": "a", "description": "", "properties": {"x": "\\ud800"}}', "not JSON"),
    (b'{"name": "a", "description": "", "properties": {"x": "\\u0000"}}', "NUL"),
    (b'{"name": "a", "description": "", "properties": {"\\u0000": 1}}', "NUL"),
    (b'{"name": "a", "description": "", "properties": {"x": ' + b"[" * 90 + b"]" * 90 + b"}}", "deeper"),
    (b'{"name": "a", "description": "", "properties": {"x": ' + b"[" * 90_000 + b"]" * 90_000 + b"}}", "deeper"),
    (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, "deeper"),
    (b"[" * 190_000, "deeper"),
    (b'{"name": "a", "description": ""} {}', "not JSON"),
    (b"name=a&description=b", "not JSON"),
]


async def test_bytes_that_are_no_json_of_ours(client: httpx.AsyncClient, database: str) -> None:
    for raw, reason in BAD_BYTES:
        error = await refused(client, database, "Things", raw)
        assert reason in error["message"], (raw[:80], error)
    assert (
        await client.post("Things", content=b'{"name": "\\\\u0000", "description": "", "properties": {"x": 9223372036854775807}}')
    ).status_code == 201


async def test_results_that_json_can_not_say(client: httpx.AsyncClient, database: str) -> None:
    number = await datastream(client)
    for text in (b"NaN", b"-Infinity", b"1e400", b'"\\udfff"', b'"\\u0000"', b"9" * 400):
        await refused(client, database, f"Datastreams({number})/Observations", b'{"result": ' + text + b"}")


async def datastream(client: httpx.AsyncClient) -> int:
    thing = (await client.post("Things", json=THING)).json()
    return (await client.get(f"Things({thing['@iot.id']})/Datastreams")).json()["value"][0]["@iot.id"]


async def test_addresses_that_take_no_new_entity(client: httpx.AsyncClient, database: str) -> None:
    number = await datastream(client)
    for path, status in [
        ("Cars", 404),
        ("Things(99)/Datastreams", 404),
        ("Things(99)/Locations", 404),
        ("Datastreams(99)/Observations", 404),
        ("Things(99999999999999999)/Datastreams", 404),
        ("Things/Datastreams", 404),
        ("Things(1)/Colours", 404),
        ("Things(99)/Datastreams(1)/Observations", 404),
        (f"Things(1)/Datastreams({number + 1})/Observations", 404),
        ("Things(1)", 405),
        (f"Datastreams({number})/Thing", 405),
        ("", 405),
        ("Things(1", 400),
        ("Things('a')/Datastreams", 400),
        ("Things(1)/name/$value", 400),
        ("Things(1%20or%201=1)/Datastreams", 400),
        ("Things?$top=1", 400),
        ("Things//", 201),
    ]:
        name = path.partition("?")[0].rpartition("/")[2]
        body = BODIES.get(name, THING)
        if name in {"Observations", "Datastreams"}:
            body = {k: v for k, v in body.items() if k not in {"Datastream", "Thing"}}
        if status == 201:
            assert (await client.post(path, json=body)).status_code == 201
        else:
            await refused(client, database, path, body, status=status)


async def test_other_methods_are_told_what_there_is(client: httpx.AsyncClient) -> None:
    response = await client.put("Things", json=THING)
    assert response.status_code == 405
    assert {"GET", "HEAD", "POST"} <= {m.strip() for m in response.headers["allow"].split(",")}


async def test_only_json_is_read(client: httpx.AsyncClient, database: str) -> None:
    before = counts(database)
    for headers in (
        {"Content-Type": "text/xml"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Encoding": "gzip"},
    ):
        assert (await client.post("Things", content=b"{}", headers=headers)).status_code == 415
    assert counts(database) == before
    for content_type in ("application/json;charset=utf-8", "application/geo+json", "APPLICATION/JSON"):
        assert (await client.post("Sensors", content=json.dumps(SENSOR), headers={"Content-Type": content_type})).status_code == 201


async def test_the_bodys_limit_holds_on_both_sides(client: httpx.AsyncClient, database: str) -> None:
    async def chunks(length: int) -> AsyncIterator[bytes]:
        body = json.dumps(SENSOR).encode()
        yield body + b" " * (50_000 - len(body))
        yield b" " * (length - 50_000)

    assert (await client.post("Sensors", content=chunks(200_000))).status_code == 201
    before = counts(database)
    for content in (chunks(200_001), b" " * 200_001):
        response = await client.post("Sensors", content=content)
        assert response.status_code == 413
        assert "200000" in response.json()["message"]
    assert counts(database) == before


async def test_writing_needs_the_token(database: str, tmp_path: Path) -> None:
    async with running(settings_for(database, tmp_path)) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}):
            response = await client.post("Things", json=THING, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
        assert set(counts(database).values()) == {0}
        assert (await client.post("Things", json=THING, headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 201
    async with running(settings_for(database, tmp_path, auth=False)) as client:
        assert (await client.post("Things", json=THING)).status_code == 201


async def test_without_the_token_private_things_are_not_seen(client: httpx.AsyncClient, database: str, tmp_path: Path) -> None:
    hidden = (await client.post("Things", json=having(THING, properties={"public": False}))).json()["@iot.id"]
    shown = (await client.post("Things", json=THING)).json()["@iot.id"]
    assert (await client.get(f"Things({hidden})")).status_code == 200
    async with running(settings_for(database, tmp_path)) as anybody:
        assert (await anybody.get(f"Things({hidden})")).status_code == 404
        assert [t["@iot.id"] for t in (await anybody.get("Things")).json()["value"]] == [shown]
        assert (await anybody.get("Things", headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_a_database_that_goes_away_is_503_and_comes_back(client: httpx.AsyncClient, database: str) -> None:
    name = database.rpartition("/")[2]
    admin = database.rpartition("/")[0] + "/postgres"
    assert (await client.get("http://test/health/ready")).status_code == 200
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            for path in ("Sensors", "Datastreams(1)/Observations"):
                response = await client.post(path, json=SENSOR if path == "Sensors" else {"result": 1})
                assert response.status_code == 503
                assert response.headers["retry-after"]
                assert "terminat" not in response.text
            assert (await client.get("http://test/health/ready")).status_code == 503
            assert (await client.get("http://test/health/live")).status_code == 200
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    for _ in range(10):  # connections that broke are replaced when they are used
        response = await client.post("Sensors", json=SENSOR)
        if response.status_code == 201:
            break
    assert response.status_code == 201


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4).map(repr)
NAMES = st.sampled_from(
    [*{n for names in MANDATORY.values() for n in names}, "@iot.id", "properties", "Datastreams", "Locations", "x"]
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)
CHANGED = st.builds(
    lambda name, path, value: (name, path, value), st.sampled_from(list(BODIES)), st.lists(st.integers(0, 9), max_size=4), JSON
)


def changed(body: Any, path: list[int], value: Any) -> Any:
    """The body with a value in some place of its tree."""
    if not path or not isinstance(body, dict | list) or not body:
        return value
    keys = list(body) if isinstance(body, dict) else list(range(len(body)))
    key = keys[path[0] % len(keys)]
    copy = dict(body) if isinstance(body, dict) else list(body)
    copy[key] = changed(copy[key], path[1:], value)
    return copy


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=CHANGED)
async def test_any_body_is_created_or_refused_whole(
    client: httpx.AsyncClient, database: str, case: tuple[str, list[int], Any]
) -> None:
    entity_set, path, value = case
    before = counts(database)
    content = json.dumps(changed(BODIES[entity_set], path, value)).encode()
    response = await client.post(entity_set, content=content)
    assert response.status_code in {201, 400, 409}, (content, response.text)
    if response.status_code != 201:
        assert response.json()["message"]
        assert counts(database) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(st.characters(codec="utf-8"), max_size=30) | st.from_regex(r"\A[A-Z][a-z]+(\([0-9]+\))?/[A-Z][a-z]+\Z"))
async def test_any_address_is_answered(client: httpx.AsyncClient, database: str, path: str) -> None:
    url = httpx.URL("http://test").copy_with(raw_path=b"/v1.1/" + quote(path, safe="()/").encode())
    before = counts(database)
    response = await client.post(url, json={})
    assert 400 <= response.status_code < 500
    assert response.json()["message"]
    assert counts(database) == before
