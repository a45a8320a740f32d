"""Observations and entities changed in every way that SensorThings has."""

from __future__ import annotations

from typing import Any, LiteralString

import httpx
import psycopg
import pytest
from writing import DATASTREAM, FEATURE, LOCATION, OBSERVED_PROPERTY, POINT, ROOT, SENSOR, THING, UNIT, counts, having

pytestmark = pytest.mark.integration

AT = "2026-03-01T10:00:00Z"


async def made(client: httpx.AsyncClient, path: str, body: Any) -> int:
    response = await client.post(path, json=body)
    assert response.status_code == 201, response.text
    return response.json()["@iot.id"]


async def station(client: httpx.AsyncClient, **properties: Any) -> tuple[int, int]:
    thing = await made(client, "Things", having(THING, properties=properties))
    found = await client.get(f"Things({thing})/Datastreams")
    return thing, found.json()["value"][0]["@iot.id"]


def asked(database: str, sql: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(sql).fetchall()


CONSISTENT = """
    WITH rows AS (SELECT datastream_id, count(*) AS n, min(phenomenon_time) AS first_time, max(phenomenon_time) AS last_time,
                         max(coalesce(phenomenon_end, phenomenon_time)) AS end_time, min(result_time) AS result_first,
                         max(result_time) AS result_last, sum(number::text::numeric) AS sum
                    FROM observation WHERE NOT deleted GROUP BY 1),
         days AS (SELECT datastream_id, span, sum(n) AS n, sum(sum) AS sum FROM aggregate GROUP BY 1, 2)
    SELECT r.*, s.n, d.* FROM rows r FULL JOIN datastream_summary s USING (datastream_id) FULL JOIN days d USING (datastream_id)
     WHERE (r.n, r.first_time, r.last_time, r.end_time, r.result_first, r.result_last)
               IS DISTINCT FROM (s.n, s.first_time, s.last_time, s.end_time, s.result_first, s.result_last)
        OR (r.n, coalesce(r.sum, 0)) IS DISTINCT FROM (d.n, d.sum)
"""


def assert_consistent(database: str) -> None:
    assert asked(database, CONSISTENT) == []
    assert (
        asked(database, "SELECT id FROM observation o WHERE NOT EXISTS (SELECT FROM datastream d WHERE d.id = o.datastream_id)")
        == []
    )
    lost = "SELECT id FROM observation WHERE NOT deleted AND feature_id NOT IN (SELECT id FROM feature_of_interest)"
    assert asked(database, lost) == []


async def test_a_changed_observation_changes_all_that_follows_from_it(client: httpx.AsyncClient, database: str) -> None:
    _, datastream = await station(client)
    path = f"Datastreams({datastream})/Observations"
    first = await made(client, path, {"result": 1, "phenomenonTime": AT, "resultTime": AT})
    last = await made(client, path, {"result": 5, "phenomenonTime": "2026-03-01T11:00:00Z/2026-03-01T12:00:00Z"})
    changed = await client.patch(f"Observations({last})", json={"result": 2.5, "parameters": {"by": "hand"}})
    assert (changed.status_code, changed.json()["result"], changed.json()["parameters"]["by"]) == (200, 2.5, "hand")
    assert_consistent(database)
    moved = await client.patch(f"Observations({first})", json={"phenomenonTime": "2026-05-01T00:00:00Z", "resultTime": None})
    assert (moved.json()["@iot.id"], moved.json()["phenomenonTime"], moved.json()["resultTime"]) == (
        first,
        "2026-05-01T00:00:00Z",
        None,
    )
    assert_consistent(database)
    shown = (await client.get(f"Datastreams({datastream})")).json()
    assert shown["phenomenonTime"] == "2026-03-01T11:00:00Z/2026-05-01T00:00:00Z"
    assert shown.get("resultTime") is None
    assert asked(database, "SELECT cause FROM revision") == [("patched",), ("patched",)]
    back = await client.patch(f"Observations({first})", json={"phenomenonTime": AT, "result": None})
    assert (back.status_code, back.json()["result"]) == (200, None)
    assert_consistent(database)


async def test_a_deleted_observation_leaves_a_tombstone_and_no_figures(client: httpx.AsyncClient, database: str) -> None:
    _, datastream = await station(client)
    path = f"Datastreams({datastream})/Observations"
    numbers = [await made(client, path, {"result": n, "phenomenonTime": f"2026-03-0{n}T00:00:00Z"}) for n in (1, 2, 3)]
    for gone in numbers:
        assert (await client.delete(f"Observations({gone})")).status_code == 200
        assert (await client.get(f"Observations({gone})")).status_code == 404
        assert (await client.delete(f"Observations({gone})")).status_code == 404
        assert_consistent(database)
    assert asked(database, "SELECT count(*) FROM observation WHERE deleted") == [(3,)]
    shown = (await client.get(f"Datastreams({datastream})")).json()
    assert ("phenomenonTime" in shown, "observedArea" in shown) == (False, False)


async def test_an_observation_may_get_another_datastream_and_feature(client: httpx.AsyncClient, database: str) -> None:
    _, one = await station(client)
    _, other = await station(client)
    number = await made(client, f"Datastreams({one})/Observations", {"result": 1, "phenomenonTime": AT})
    place = {"type": "Point", "coordinates": [10.0, 55.0]}
    feature = await made(client, "FeaturesOfInterest", having(FEATURE, feature=place))
    links = {"Datastream": {"@iot.id": other}, "FeatureOfInterest": {"@iot.id": feature}}
    assert (await client.patch(f"Observations({number})", json=links)).status_code == 200
    assert (await client.get(f"Observations({number})/Datastream")).json()["@iot.id"] == other
    assert (await client.get(f"Datastreams({other})")).json()["observedArea"] == place
    assert "observedArea" not in (await client.get(f"Datastreams({one})")).json()
    assert_consistent(database)
    await made(client, f"Datastreams({other})/Observations", {"result": 1, "phenomenonTime": AT})
    area = (await client.get(f"Datastreams({other})")).json()["observedArea"]
    assert area == {"type": "Polygon", "coordinates": [[[9.43, 54.78], [10.0, 54.78], [10.0, 55.0], [9.43, 55.0], [9.43, 54.78]]]}
    await client.patch(f"FeaturesOfInterest({feature})", json={"feature": POINT})
    assert (await client.get(f"Datastreams({other})")).json()["observedArea"] == POINT
    for body in (
        {"Datastream": {"@iot.id": 99}},
        {"FeatureOfInterest": {"@iot.id": 99}},
        {"phenomenonTime": None},
        {"result": 1, "x": 1},
    ):
        assert (await client.patch(f"Observations({number})", json=body)).status_code == 400
    assert_consistent(database)


async def test_put_takes_away_what_it_does_not_name(client: httpx.AsyncClient) -> None:
    thing, datastream = await station(client, colour="red")
    put = await client.put(f"Things({thing})", json={"@iot.id": thing, "name": "new", "description": "d"})
    assert (put.status_code, put.json()["name"], "properties" in put.json()) == (200, "new", False)
    for body, field in [({"name": "new"}, "description"), ({"@iot.id": thing + 1, "name": "n", "description": "d"}, "@iot.id")]:
        wrong = await client.put(f"Things({thing})", json=body)
        assert (wrong.status_code, wrong.json()["field"]) == (400, field)
    number = await made(client, f"Datastreams({datastream})/Observations", {"result": 1, "parameters": {"a": 1}})
    put = await client.put(f"Observations({number})", json={"result": 2})
    assert (put.json()["result"], put.json().get("parameters", {}).get("a")) == (2, None)


async def test_a_json_patch_changes_inside_of_properties(client: httpx.AsyncClient) -> None:
    thing, _ = await station(client, colour="red", list=[1, 2])
    headers = {"Content-Type": "application/json-patch+json"}

    async def patch(*operations: dict[str, Any]) -> httpx.Response:
        return await client.patch(f"Things({thing})", json=list(operations), headers=headers)

    done = await patch(
        {"op": "test", "path": "/properties/colour", "value": "red"},
        {"op": "replace", "path": "/properties/colour", "value": "blue"},
        {"op": "add", "path": "/properties/list/-", "value": 3},
        {"op": "remove", "path": "/properties/list/0"},
        {"op": "copy", "from": "/name", "path": "/description"},
    )
    assert (done.status_code, done.json()["properties"], done.json()["description"]) == (
        200,
        {"colour": "blue", "list": [2, 3]},
        "station",
    )
    assert (await patch({"op": "test", "path": "/name", "value": "x"}, {"op": "remove", "path": "/name"})).status_code == 409
    for wrong in ({"op": "remove", "path": "/name"}, {"op": "add"}, {"op": "remove", "path": "/no"}, {"op": "x", "path": ""}):
        assert (await patch(wrong)).status_code == 400
    assert (await client.get(f"Things({thing})")).json()["name"] == "station"


async def test_if_match_guards_every_change(client: httpx.AsyncClient) -> None:
    thing, datastream = await station(client)
    number = await made(client, f"Datastreams({datastream})/Observations", {"result": 1})
    for path, body in ((f"Things({thing})", {"name": "new"}), (f"Observations({number})", {"result": 2})):
        old = (await client.patch(path, json={})).headers["etag"]
        assert (await client.patch(path, json=body, headers={"If-Match": '"x"'})).status_code == 412
        assert (await client.patch(path, json=body, headers={"If-Match": f'"y", {old}'})).status_code == 200
        for late in (client.patch(path, json=body, headers={"If-Match": old}), client.delete(path, headers={"If-Match": old})):
            assert (await late).status_code == 412
        new = (await client.patch(path, json={}, headers={"If-Match": "*"})).headers["etag"]
        if path.startswith("Obs"):
            assert (await client.delete(path, headers={"If-Match": new})).status_code == 200


async def test_links_are_resources(client: httpx.AsyncClient, database: str) -> None:
    thing, datastream = await station(client)
    other, _ = await station(client)
    sensor = await made(client, "Sensors", SENSOR)
    place = await made(client, "Locations", LOCATION)
    assert (
        await client.put(f"Datastreams({datastream})/Sensor/$ref", json={"@odata.id": f"{ROOT}/Sensors({sensor})"})
    ).status_code == 200
    assert (await client.get(f"Datastreams({datastream})/Sensor")).json()["@iot.id"] == sensor
    assert (await client.post(f"Things({other})/Datastreams/$ref", json={"@iot.id": datastream})).status_code == 200
    assert (await client.get(f"Datastreams({datastream})/Thing")).json()["@iot.id"] == other
    assert (await client.post(f"Things({thing})/Locations/$ref", json={"@iot.id": place})).status_code == 200
    assert [v["@iot.id"] for v in (await client.get(f"Things({thing})/Locations")).json()["value"]] == [place]
    history = (await client.get(f"Things({thing})/HistoricalLocations?$count=true")).json()
    assert history["@iot.count"] == 2
    assert (await client.patch(f"Things({other})", json={"Locations": [{"@iot.id": place}]})).status_code == 200
    assert (await client.get(f"Locations({place})/Things?$count=true")).json()["@iot.count"] == 2
    assert (await client.delete(f"Things({thing})/Locations({place})/$ref")).status_code == 200
    assert (await client.delete(f"Things({thing})/Locations({place})/$ref")).status_code == 404
    assert (await client.delete(f"Things({other})/Locations/$ref?$id=Locations({place})")).status_code == 200
    assert counts(database)["thing_location"] == 0
    for method, path, status in [
        ("DELETE", f"Datastreams({datastream})/Sensor/$ref", 405),
        ("POST", f"Datastreams({datastream})/Sensor/$ref", 405),
        ("PUT", f"Things({thing})/Locations/$ref", 405),
        ("POST", f"Things({thing})/Cars/$ref", 404),
        ("POST", f"Things({thing})/Locations/$ref", 400),
    ]:
        assert (await client.request(method, path, json={})).status_code == status, path
    assert (await client.post(f"Things({thing})/Locations/$ref", json={"@iot.id": 999})).status_code == 404


async def test_a_filter_says_what_is_deleted(client: httpx.AsyncClient, database: str) -> None:
    _, datastream = await station(client)
    _, other = await station(client)
    for number in (datastream, other):
        rows = [[f"2026-03-01T00:00:{n:02d}Z", n] for n in range(60)]
        array = {"Datastream": {"@iot.id": number}, "components": ["phenomenonTime", "result"], "dataArray": rows}
        assert (await client.post("CreateObservations", json=[array])).status_code == 201
    anonymous = await client.delete("Observations?$filter=result gt 5", headers={"Authorization": ""})
    assert (anonymous.status_code, counts(database)["observation"]) == (401, 120)
    assert (await client.delete(f"Datastreams({datastream})/Observations?$filter=result lt 50")).status_code == 200
    assert (await client.get("Observations?$count=true&$top=0")).json()["@iot.count"] == 70
    assert_consistent(database)
    assert (await client.delete("Datastreams?$filter=name eq 'dust'")).status_code == 200
    assert counts(database)["observation"] == 0
    for path, status in (
        ("Things?$top=1", 400),
        ("Things?$filter=name eq", 400),
        ("Things?$filter=name eq 'x'&$top=1", 400),
        ("Things", 405),
    ):
        assert (await client.delete(path)).status_code == status, path
    assert counts(database)["thing"] == 2


async def test_data_arrays_answer_row_by_row(client: httpx.AsyncClient, database: str) -> None:
    _, datastream = await station(client)
    feature = await made(client, "FeaturesOfInterest", FEATURE)
    components = ["phenomenonTime", "result", "FeatureOfInterest/id"]
    rows = [[AT, 1, feature], [AT, "x"], ["yesterday", 1, feature], [AT, 2, 999], [AT, 3, None], [AT, 4, feature]]
    body = [
        {"Datastream": {"@iot.id": datastream}, "components": components, "dataArray@iot.count": 6, "dataArray": rows},
        {"Datastream": {"@iot.id": 999}, "components": ["result"], "dataArray": [[1]]},
    ]
    answer = await client.post("CreateObservations", json=body)
    assert answer.status_code == 201
    answers: list[str] = answer.json()
    assert [a.startswith(f"{ROOT}/Observations(") for a in answers] == [True, False, False, False, True, True, False]
    assert all(a.startswith("error: ") for a in answers if not a.startswith(ROOT))
    results = [(await client.get(a.removeprefix(f"{ROOT}/"))).json()["result"] for a in answers if a.startswith(ROOT)]
    assert results == [1, 3, 4]
    assert_consistent(database)
    unknown: Any = {"Datastream": {"@iot.id": datastream}, "components": ["time"], "dataArray": []}
    wrongs: list[Any] = [{}, [1], [unknown], [{"components": ["result"]}]]
    for wrong in wrongs:
        assert (await client.post("CreateObservations", json=wrong)).status_code == 400


async def test_another_time_zone_makes_the_days_anew(client: httpx.AsyncClient, database: str) -> None:
    thing, datastream = await station(client)
    for time in ("2026-03-01T10:00:00Z", "2026-03-01T16:00:00Z"):
        await made(client, f"Datastreams({datastream})/Observations", {"result": 1, "phenomenonTime": time})
    assert asked(database, "SELECT n FROM read.aggregate_day") == [(2,)]
    assert (await client.patch(f"Things({thing})", json={"properties": {"timezone": "Asia/Tokyo"}})).status_code == 200
    assert asked(database, "SELECT n FROM read.aggregate_day") == [(1,), (1,)]
    assert_consistent(database)
    await made(client, f"Datastreams({datastream})/Observations", {"result": 1, "phenomenonTime": "2026-03-01T15:30:00Z"})
    assert asked(database, "SELECT n FROM read.aggregate_day ORDER BY bucket") == [(1,), (2,)]


async def test_a_thing_of_a_datastream_may_be_another(client: httpx.AsyncClient) -> None:
    _, datastream = await station(client)
    other = await made(client, "Things", having(THING, Datastreams=None))
    assert (await client.patch(f"Datastreams({datastream})", json={"Thing": {"@iot.id": other}})).status_code == 200
    body = having(DATASTREAM, unitOfMeasurement=UNIT, ObservedProperty=OBSERVED_PROPERTY, Thing={"@iot.id": other})
    await made(client, "Datastreams", body)
    assert (await client.get(f"Things({other})/Datastreams?$count=true")).json()["@iot.count"] == 2
