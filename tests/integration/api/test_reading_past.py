"""`as_of`: Observations as they were known at an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from reading import fill
from writing import THING, having

pytestmark = pytest.mark.integration

AIR = "Datastreams(1)/Observations"


def now(database: str) -> str:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return row[0].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def results(client: httpx.AsyncClient, as_of: str, path: str = AIR, **options: str) -> list[Any]:
    answer = await client.get(path, params={"as_of": as_of, **options})
    assert answer.status_code == 200, answer.text
    return [(o["phenomenonTime"][11:16], o["result"], o["resultQuality"]["flag"]) for o in answer.json()["value"]]


async def post(client: httpx.AsyncClient, minute: int, result: object) -> int:
    answer = await client.post(AIR, json={"phenomenonTime": f"2026-03-01T00:{minute:02}:00Z", "result": result})
    assert answer.status_code == 201, answer.text
    return answer.json()["@iot.id"]


@pytest.fixture
async def thing(client: httpx.AsyncClient) -> None:
    assert (await client.post("Things", json=having(THING))).status_code == 201


@pytest.mark.usefixtures("thing")
async def test_the_past_is_what_was_known_then(client: httpx.AsyncClient, database: str) -> None:
    empty = now(database)
    first, second = await post(client, 0, 1.5), await post(client, 10, 2.5)
    both = now(database)
    assert (await client.patch(f"Observations({first})", json={"result": 7.5})).status_code == 200
    patched = now(database)
    assert (await client.patch(f"Observations({first})", json={"result": 8.5})).status_code == 200
    assert (await client.delete(f"Observations({second})")).status_code == 200
    third = await post(client, 20, 3.5)
    deleted = now(database)
    assert await results(client, empty) == []
    assert [(time, result) for time, result, _ in await results(client, both)] == [("00:00", 1.5), ("00:10", 2.5)]
    assert [(time, result) for time, result, _ in await results(client, patched)] == [("00:00", 7.5), ("00:10", 2.5)]
    assert [(time, result) for time, result, _ in await results(client, deleted)] == [("00:00", 8.5), ("00:20", 3.5)]
    for as_of, status in ((empty, 404), (both, 200), (patched, 200), (deleted, 404)):
        assert (await client.get(f"Observations({second})", params={"as_of": as_of})).status_code == status
    assert (await client.get(f"Observations({first})/result", params={"as_of": both})).json() == {"result": 1.5}
    assert (await client.get(f"Observations({third})", params={"as_of": deleted})).json()["result"] == 3.5


@pytest.mark.usefixtures("thing")
async def test_options_go_with_the_past(client: httpx.AsyncClient, database: str) -> None:
    ids = [await post(client, minute, float(minute)) for minute in range(6)]
    before = now(database)
    for number in ids[::2]:
        assert (await client.delete(f"Observations({number})")).status_code == 200
    page = (await client.get("Observations", params={"as_of": before, "$top": "2", "$count": "true"})).json()
    assert page["@iot.count"] == 6
    seen = [o["@iot.id"] for o in page["value"]]
    while "@iot.nextLink" in page:
        link = page["@iot.nextLink"]
        assert "as_of=" in link
        page = (await client.get(link.partition("/v1.1/")[2])).json()
        seen += [o["@iot.id"] for o in page["value"]]
    assert seen == ids
    assert [r for _, r, _ in await results(client, before, **{"$orderby": "phenomenonTime desc", "$top": "1"})] == [5.0]
    assert [r for _, r, _ in await results(client, before, **{"$filter": "result gt 2.5 and parameters/qc lt 5"})] == [
        3.0,
        4.0,
        5.0,
    ]
    window = "phenomenonTime ge 2026-03-01T00:02:00Z and phenomenonTime lt 2026-03-01T00:04:00Z"
    counted = await client.get("Observations", params={"as_of": before, "$filter": window, "$count": "true"})
    assert counted.json()["@iot.count"] == 2
    table = await client.get(AIR, params={"as_of": before, "$resultFormat": "CSV", "$select": "result"})
    assert table.text.split() == ["result", "0", "1", "2", "3", "4", "5"]
    array = await client.get(AIR, params={"as_of": before, "$resultFormat": "dataArray", "$select": "result"})
    assert array.json()["value"][0]["dataArray"] == [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]


@pytest.mark.usefixtures("thing")
async def test_an_observation_that_was_moved_was_where_it_was(client: httpx.AsyncClient, database: str) -> None:
    number = await post(client, 0, 1.5)
    before = now(database)
    moved = await client.patch(f"Observations({number})", json={"phenomenonTime": "2026-04-05T10:30:00Z"})
    assert moved.status_code == 200, moved.text
    assert [(time, result) for time, result, _ in await results(client, before)] == [("00:00", 1.5)]
    assert [(time, result) for time, result, _ in await results(client, now(database))] == [("10:30", 1.5)]
    assert (await client.get(f"Observations({number})", params={"as_of": before})).json()[
        "phenomenonTime"
    ] == "2026-03-01T00:00:00Z"


@pytest.mark.usefixtures("thing")
async def test_what_telemetry_overruled_was_known_before(client: httpx.AsyncClient, database: str) -> None:
    number = await post(client, 0, 1.5)
    fill(
        database,
        f"""UPDATE observation SET received = '2026-03-10Z', number = 9.5 WHERE id = {number};
            INSERT INTO revision (at, cause, datastream_id, phenomenon_time, discriminator, observation_id, old, new)
            SELECT '2026-03-10Z', 'overruled', datastream_id, phenomenon_time, discriminator, id,
                   '{{"number": 1.5, "result": null, "flag": 3, "tests": 769}}', '{{}}' FROM observation WHERE id = {number}""",
    )
    assert await results(client, "2026-03-05T00:00:00Z") == [("00:00", 1.5, 3)]
    assert [r for _, r, _ in await results(client, "2026-03-11T00:00:00Z")] == [9.5]
    fill(database, """UPDATE revision SET old = old || '{"received": "2026-03-06T00:00:00Z"}'""")
    assert await results(client, "2026-03-05T00:00:00Z") == []
    assert await results(client, "2026-03-07T00:00:00Z") == [("00:00", 1.5, 3)]


@pytest.mark.usefixtures("thing")
async def test_private_things_are_hidden_in_the_past_too(client: httpx.AsyncClient, database: str) -> None:
    number = await post(client, 0, 1.5)
    await client.delete(f"Observations({number})")
    before = datetime(2026, 1, 1, tzinfo=UTC)
    fill(database, f"UPDATE observation SET received = '{before.isoformat()}'")
    fill(database, """UPDATE thing SET properties = '{"public": false}'""")
    for path in ("Observations", f"Observations({number})", AIR):
        asked = {"as_of": "2026-01-02T00:00:00Z"}
        assert (await client.get(path, params=asked)).json() != {"value": []}
        anonymous = await client.get(path, params=asked, headers={"Authorization": ""})
        assert anonymous.status_code == 404 or anonymous.json() == {"value": []}


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("Things?as_of=2026-01-01T00:00:00Z", "is for Observations"),
        ("Observations(1)/Datastream?as_of=2026-01-01T00:00:00Z", "is for Observations"),
        ("Observations?as_of=2026-01-01T00:00:00Z&$expand=Datastream", "$expand"),
        ("Observations?as_of=2026-01-01T00:00:00Z&$apply=aggregate($count as n)", "$apply"),
        ("Observations?as_of=yesterday", "a time such as"),
        ("Observations?as_of=", "a time such as"),
        ("Observations?as_of=2026-13-01T00:00:00Z", "is not a time"),
        ("Observations?as_of=2026-01-01T00:00:00Z and", "the end"),
        ("Observations?as_of=2026-01-01&as_of=2026-01-01", "given twice"),
    ],
)
async def test_the_past_of_anything_else_is_refused(client: httpx.AsyncClient, url: str, part: str) -> None:
    answer = await client.get(url)
    assert answer.status_code == 400, answer.text
    assert part in answer.json()["message"]
