"""How devices are, over the planning API."""

from __future__ import annotations

import httpx
import psycopg
import pytest

DEVICES = "http://test/planning/v1/devices"


FILL = """
    INSERT INTO thing (name, description, properties)
    VALUES ('a', '', '{"device": "a"}'), ('b', '', '{"device": "b"}'),
           ('c', '', '{"device": "c", "public": false}'), ('d', '', '{}');
    INSERT INTO device_health VALUES ('default', 'a', now(), 0.5);
    INSERT INTO receipt (tenant, device, epoch, first, runs, repeats) VALUES ('default', 'a', 1, 0, '{[0,90),[91,100)}', 3);
    INSERT INTO device_state (tenant, device, refused_run, quarantined, since) VALUES ('default', 'b', 100, true, now());
"""


@pytest.fixture
def devices(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FILL)


@pytest.mark.usefixtures("devices")
async def test_devices_of_public_things_are_told_page_by_page(client: httpx.AsyncClient) -> None:
    answer = (await client.get(DEVICES)).json()
    one, two = answer["devices"]
    assert answer["next"] is None
    assert (one["device"], one["silent"], one["clock_offset_s"], one["battery"]) == ("a", False, 0.5, None)
    assert (one["messages"], one["missing"], one["gap_rate"], one["repeats"]) == (99, 1, 0.01, 3)
    assert (two["quarantined"], two["silent"], two["messages"], two["gap_rate"]) == (True, True, None, None)
    first = (await client.get(f"{DEVICES}?limit=1")).json()
    second = (await client.get(f"{DEVICES}?limit=1&after={first['next']}")).json()
    assert [each["device"] for each in first["devices"] + second["devices"]] == ["a", "b"]
    assert (await client.get(f"{DEVICES}?limit=1&after={second['next']}")).json()["devices"] == []


@pytest.mark.usefixtures("devices")
@pytest.mark.parametrize(
    ("query", "found"), [("quarantined=true", ["b"]), ("silent=false", ["a"]), ("thing=3", []), ("thing=1", ["a"])]
)
async def test_devices_are_filtered(client: httpx.AsyncClient, query: str, found: list[str]) -> None:
    assert [each["device"] for each in (await client.get(f"{DEVICES}?{query}")).json()["devices"]] == found


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=-1", "thing=x", "silent=perhaps"])
async def test_wrong_parameters_name_what_is_wrong(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"{DEVICES}?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, query.partition("=")[0])
