"""The answer to a POST of an Observation is made by the statement that writes it: it must be what a GET shows."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from writing import FEATURE, THING

pytestmark = pytest.mark.integration

BODIES: dict[str, dict[str, Any]] = {
    "a number": {"result": 1.5},
    "an integer": {"result": 4},
    "an integer that no float holds": {"result": 2**62 + 1},
    "a very small number": {"result": 1e-300},
    "a text": {"result": 'wet "snow" \\ øre'},
    "an object": {"result": {"b": 1, "a": [None, True, 1.10]}},
    "null": {"result": None},
    "an instant of microseconds": {"result": 1, "phenomenonTime": "2026-03-01T10:00:00.123456Z"},
    "an interval of another zone": {"result": 1, "phenomenonTime": "2026-03-01T10:00:00+01:00/2026-03-01T11:00:00+01:00"},
    "a time long ago": {"result": 1, "phenomenonTime": "0001-01-01T00:00:00Z"},
    "all times": {
        "result": 1, "phenomenonTime": "2026-03-01T10:00:00Z", "resultTime": "2026-03-01T10:00:01.5Z",
        "validTime": "2026-03-01T10:00:00Z/2027-03-01T10:00:00Z",
    },
    "parameters": {"result": 1, "parameters": {"z": 1, "a": {"c": "ü"}, "big": 12345678901234567890.5}},
    "a quality of its own": {"result": 1, "resultQuality": {"by": "hand", "ok": [1, 2]}},
    "a feature of its own": {"result": 1, "FeatureOfInterest": FEATURE},
}  # fmt: skip


@pytest.fixture
async def datastream(client: httpx.AsyncClient) -> int:
    thing = (await client.post("Things", json=THING)).json()["@iot.id"]
    return (await client.get(f"Things({thing})/Datastreams")).json()["value"][0]["@iot.id"]


async def test_the_body_of_a_post_is_that_of_a_get(client: httpx.AsyncClient, datastream: int) -> None:
    await client.post(f"Datastreams({datastream})/Observations", json={"result": 0})  # the first makes the FeatureOfInterest
    for what, body in BODIES.items():
        posted = await client.post(f"Datastreams({datastream})/Observations", json=body)
        assert posted.status_code == 201, (what, posted.text)
        shown = await client.get(f"Observations({posted.json()['@iot.id']})")
        assert posted.content == shown.content, what
        assert posted.headers["ETag"] == shown.headers["ETag"], what
        assert posted.headers["Location"] == posted.json()["@iot.selfLink"], what


async def test_the_body_of_the_very_first_post_is_that_of_a_get(client: httpx.AsyncClient, datastream: int) -> None:
    posted = await client.post(f"Datastreams({datastream})/Observations", json={"result": 21})
    shown = await client.get(f"Observations({posted.json()['@iot.id']})")
    assert posted.content == shown.content


async def test_posts_that_share_a_transaction_get_their_own_bodies(client: httpx.AsyncClient, datastream: int) -> None:
    await client.post(f"Datastreams({datastream})/Observations", json={"result": 0})
    sent = [{"result": number, "parameters": {"number": number}} for number in range(40)]
    posted = await asyncio.gather(*(client.post(f"Datastreams({datastream})/Observations", json=body) for body in sent))
    assert [(answer.status_code, answer.json()["result"]) for answer in posted] == [(201, number) for number in range(40)]
    assert [answer.json()["parameters"]["number"] for answer in posted] == list(range(40))
    assert len({answer.json()["@iot.id"] for answer in posted}) == 40
