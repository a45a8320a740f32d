"""Many writers at the same Things, Datastreams and Observations: no 5xx, no orphan, no wrong count."""

from __future__ import annotations

import asyncio
import random

import httpx
import psycopg
import pytest
from test_writing_edits import assert_consistent, station
from writing import DATASTREAM, LOCATION, having

pytestmark = pytest.mark.integration

WRITERS = 32
TURNS = 10


async def test_32_writers_leave_no_orphan_and_no_wrong_count(client: httpx.AsyncClient, database: str) -> None:
    places = [await station(client, colour="red") for _ in range(4)]
    things, datastreams = [thing for thing, _ in places], [datastream for _, datastream in places]
    statuses: list[tuple[str, int]] = []
    made: list[int] = []

    async def turn(chance: random.Random) -> None:
        thing, datastream = chance.choice(things), chance.choice(datastreams)
        time = f"2026-03-0{chance.randint(1, 3)}T0{chance.randint(0, 2)}:00:00Z"
        observation = chance.choice(made) if made else 1
        feature = chance.randint(1, 6)
        zone = chance.choice(["Europe/Berlin", "Asia/Tokyo"])
        rows = [[time, 1], [time, 2]]
        array = {"Datastream": {"@iot.id": datastream}, "components": ["phenomenonTime", "result"], "dataArray": rows}
        method, path, body = chance.choices(
            [
                ("POST", f"Datastreams({datastream})/Observations", {"result": chance.randint(0, 9), "phenomenonTime": time}),
                ("POST", "CreateObservations", [array]),
                ("PATCH", f"Observations({observation})", {"result": 5, "phenomenonTime": time}),
                ("PATCH", f"Observations({observation})", {"Datastream": {"@iot.id": datastream}}),
                ("DELETE", f"Observations({observation})", None),
                ("PATCH", f"Things({thing})", {"properties": {"timezone": zone}}),
                ("PATCH", f"Datastreams({datastream})", {"Thing": {"@iot.id": thing}}),
                ("POST", f"Things({thing})/Locations", LOCATION),
                ("DELETE", f"FeaturesOfInterest({feature})", None),
                ("POST", f"Things({thing})/Datastreams", DATASTREAM),
                ("POST", f"Things({thing})/Datastreams", having(DATASTREAM, Observations=[{"result": 1, "phenomenonTime": time}])),
                ("DELETE", f"Datastreams({chance.randint(1, 12)})", None),
                ("DELETE", f"Things({things[0]})", None),
            ],
            [30, 10, 10, 5, 5, 3, 3, 3, 2, 3, 3, 2, 0.3],
        )[0]
        response = await client.request(method, path, json=body)
        statuses.append((f"{method} {path}: {response.text[:150]}", response.status_code))
        if method == "POST" and path.endswith("/Observations") and response.status_code == 201:
            made.append(response.json()["@iot.id"])

    async def write(number: int) -> None:
        chance = random.Random(number)
        for _ in range(TURNS):
            await turn(chance)

    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    assert [(said, status) for said, status in statuses if status >= 500] == []
    assert {201, 200} <= {status for _, status in statuses}
    assert_consistent(database)
    with psycopg.connect(database) as connection:
        days = connection.execute(
            "SELECT a.datastream_id, a.bucket, t.timezone FROM aggregate a JOIN datastream d ON d.id = a.datastream_id"
            " JOIN thing t ON t.id = d.thing_id WHERE a.span = 'day' AND a.bucket <> date_trunc('day', a.bucket, t.timezone)"
        ).fetchall()
    assert days == []
