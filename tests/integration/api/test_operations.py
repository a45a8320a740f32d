"""Dead letters, quarantine and pauses over HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import psycopg
import pytest

LETTERS = "http://test/operations/v1/dead-letters"
OPERATIONS = "http://test/operations/v1"


@pytest.fixture
def letters(database: str) -> list[int]:
    with psycopg.connect(database, autocommit=True) as connection:
        return [
            row[0]
            for number in range(5)
            for row in connection.execute(
                "INSERT INTO dead_letter (received, topic, payload, tenant, device, reason, detail, readings)"
                " VALUES ('2026-03-01T12:00:00Z'::timestamptz + %s * interval '1 minute', 'region/1/default/dev/up/json', %s,"
                " 'default', %s, 'unknown_device', 'x', 1) RETURNING id",
                (number, b"\xff\x00" if number == 0 else payload(number), "dev" if number < 4 else "other"),
            ).fetchall()
        ]


def payload(minute: int) -> bytes:
    reading = {"property": "t", "value": minute, "time": f"2026-03-01T11:{minute:02}:00Z"}
    return json.dumps({"readings": [reading]}).encode()


THING = {
    "name": "t", "description": "x", "properties": {"device": "dev"},
    "Locations": [{"name": "t", "description": "x", "encodingType": "application/geo+json",
                   "location": {"type": "Point", "coordinates": [9.4, 54.8]}}],
    "Datastreams": [{"name": "t", "description": "x", "observationType": "x", "properties": {"channel": "t"},
                     "unitOfMeasurement": {"name": "", "symbol": "", "definition": "Cel"},
                     "Sensor": {"name": "s", "description": "x", "encodingType": "text/html", "metadata": "x"},
                     "ObservedProperty": {"name": "p", "definition": "urn:p", "description": "x"}}],
}  # fmt: skip


async def ids(client: httpx.AsyncClient, address: str) -> tuple[list[int], Any]:
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["letters"]], answer.json()["next"]


async def test_letters_are_listed_by_pages_and_filters(client: httpx.AsyncClient, letters: list[int]) -> None:
    first, following = await ids(client, f"{LETTERS}?limit=3")
    second, end = await ids(client, f"http://test{following}")
    assert (first + second, end) == (letters[::-1], None)
    assert (await ids(client, f"{LETTERS}?device=default/other"))[0] == [letters[4]]
    assert (await ids(client, f"{LETTERS}?since=2026-03-01T12:03:00Z&until=2026-03-01T13:04:00%2B01:00"))[0] == [letters[3]]
    assert (await ids(client, f"{LETTERS}?reason=wrong_unit"))[0] == []


async def test_a_letter_is_shown_with_its_bytes(client: httpx.AsyncClient, letters: list[int]) -> None:
    text, binary = [(await client.get(f"{LETTERS}/{number}")).json() for number in (letters[1], letters[0])]
    assert text["payload_text"].encode() == base64.b64decode(text["payload_base64"]) == payload(1)
    assert (binary["payload_text"], base64.b64decode(binary["payload_base64"])) == (None, b"\xff\x00")
    assert (await client.get(f"{LETTERS}/999999")).status_code == 404


async def test_replaying_stores_what_can_be_read_by_now(client: httpx.AsyncClient, letters: list[int]) -> None:
    assert (await client.post("Things", json=THING)).status_code == 201
    answer = (await client.post(f"{LETTERS}/replay?device=default/dev")).json()
    assert (answer["stored"], answer["letters"], answer["left"], answer["next_after"]) == (3, 3, 1, None)
    assert [(each["id"], each["reason"]) for each in answer["examples"]] == [(letters[0], "invalid_json")]
    assert (await client.get("Observations?$count=true&$top=0")).json()["@iot.count"] == 3
    one = (await client.post(f"{LETTERS}/{letters[4]}/replay")).json()
    assert (one["stored"], one["left"]) == (1, 0)  # its topic, not its row, names the device
    assert (await client.post(f"{LETTERS}/{letters[4]}/replay")).status_code == 404


async def test_dropping_wants_the_number_of_letters(client: httpx.AsyncClient, letters: list[int], database: str) -> None:
    wrong = await client.delete(f"{LETTERS}?device=default/dev&confirm=3")
    assert (wrong.status_code, wrong.json()["message"]) == (409, "4 letters would be dropped, not 3: confirm=4 drops them")
    assert (await client.delete(f"{LETTERS}?device=default/dev")).status_code == 400
    assert (await client.delete(f"{LETTERS}?device=default/dev&confirm=4&who=Ada")).json() == {"dropped": 4}
    assert (await client.delete(f"{LETTERS}/{letters[4]}?confirm=1")).json() == {"dropped": 1}
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT who, count(*) FROM intervention GROUP BY who ORDER BY who").fetchall() == [
            ("Ada", 4),
            ("api", 1),
        ]


async def test_a_device_is_released_and_workers_are_resumed(client: httpx.AsyncClient, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO device_state (tenant, device, refused_run, quarantined, since) VALUES ('a', 'b', 100, true, now())"
        )
        connection.execute(
            "INSERT INTO worker_pause (worker, failures, messages, devices, example) VALUES ('worker-1', 501, 501, 10, 'x')"
        )
    standing = (await client.get(f"{OPERATIONS}/standing")).json()
    assert [(each["tenant"], each["device"]) for each in standing["quarantined"]] == [("a", "b")]
    assert [(each["worker"], each["failures"]) for each in standing["paused"]] == [("worker-1", 501)]
    health = (await client.get("http://test/health/ready")).json()
    assert (health["status"], health["paused_workers"], health["quarantined_devices"]) == ("degraded", ["worker-1"], 1)
    assert (await client.post(f"{OPERATIONS}/devices/a/b/release")).json() == {"released": "a/b"}
    assert (await client.post(f"{OPERATIONS}/devices/a/b/release")).status_code == 404
    assert (await client.post(f"{OPERATIONS}/resume?worker=worker-9")).status_code == 409
    assert (await client.post(f"{OPERATIONS}/resume")).json() == {"resumed": ["worker-1"]}
    assert (await client.get(f"{OPERATIONS}/standing")).json() == {"quarantined": [], "paused": []}
    assert (await client.get("http://test/health/ready")).json()["quarantined_devices"] == 0


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", LETTERS), ("GET", f"{LETTERS}/1"), ("POST", f"{LETTERS}/replay"), ("POST", f"{LETTERS}/1/replay"),
        ("DELETE", f"{LETTERS}?confirm=0"), ("DELETE", f"{LETTERS}/1?confirm=1"), ("GET", f"{OPERATIONS}/standing"),
        ("POST", f"{OPERATIONS}/devices/a/b/release"), ("POST", f"{OPERATIONS}/resume"),
    ],
)  # fmt: skip
async def test_all_of_it_is_for_writers_alone(client: httpx.AsyncClient, method: str, address: str) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
        assert (await client.request(method, address, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "query", ["since=2026-03-01T12:00:00", "limit=0", "limit=1001", "device=dev", "before=x", "since=0001-01-01T00:00:00%2B14:00"]
)
async def test_wrong_parameters_are_400(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"{LETTERS}?{query}")).status_code == 400
