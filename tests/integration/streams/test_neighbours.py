"""Judging across stations: against the median of those nearby, whatever came first (decisions.md 15)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from streams import neighbours, store
from streams.sessions import open_pool
from tests.integration.streams.conftest import REGISTER, Road, message, reading

LIMITS = store.StoreLimits()
NOW = timedelta(0)
QUALITY = {"neighbour": {"suspect": 5, "fail": 20, "radius_km": 10, "least": 2, "within_s": 600}}
STATIONS = {"dev-1": 9.43, "near-1": 9.44, "near-2": 9.45, "near-3": 9.46, "far-1": 11.0}


@pytest.fixture
async def stations(road: Road) -> Road:
    for device in STATIONS:
        if device != "dev-1":
            await road.connection.execute(REGISTER, {"device": device, "channels": ["t"]})
    await road.connection.execute(
        "UPDATE datastream SET properties = properties || %s, observed_property_id = (SELECT min(id) FROM observed_property)"
        " WHERE channel = 't'",
        (Jsonb({"quality": QUALITY}),),
    )
    for device, lon in STATIONS.items():
        await road.connection.execute(
            "UPDATE location l SET location = %s FROM thing_location tl JOIN thing t ON t.id = tl.thing_id"
            " WHERE l.id = tl.location_id AND t.device = %s",
            (json.dumps({"type": "Point", "coordinates": [lon, 54.79]}), device),
        )
    return road


async def judge(road: Road) -> int:
    pool = open_pool(road.connection.info.dsn + f" password={road.connection.info.password}", 1, "test")
    await pool.open()
    try:
        return await neighbours.judge_due(pool, LIMITS, NOW)
    finally:
        await pool.close()


async def flags(road: Road, device: str = "dev-1") -> list[tuple[Any, ...]]:
    return await road.rows(
        "SELECT o.number, o.flag, o.tests >> 40 & 15 FROM read.observation o JOIN datastream d ON d.id = o.datastream_id"
        " JOIN thing t ON t.id = d.thing_id WHERE t.device = %s ORDER BY o.phenomenon_time",
        device,
    )


def of(device: str, minute: float, value: float, seq: int = 0) -> Any:
    return message(reading(minute, value), device=device, seq=seq)


async def test_a_value_far_from_the_median_of_its_neighbours_is_suspect(stations: Road) -> None:
    await stations.run(of("dev-1", 0, 30), of("near-1", 1, 20), of("near-2", -1, 21), of("near-3", 9, 22), of("far-1", 0, 30))
    assert await flags(stations) == [(30.0, 1, 0)]
    assert await judge(stations) > 0
    assert await flags(stations) == [(30.0, 3, 3)]
    assert await flags(stations, "near-1") == [(20.0, 1, 1)]
    assert await flags(stations, "far-1") == [(30.0, 1, 2)]  # alone: not evaluated
    assert await judge(stations) == 0
    assert await stations.rows("SELECT flag, n FROM read.aggregate_hour a JOIN datastream d ON d.id = a.datastream_id"
                               " JOIN thing t ON t.id = d.thing_id WHERE t.device = 'dev-1'") == [(3, 1)]  # fmt: skip


async def test_a_neighbour_that_comes_late_completes_the_verdict_as_a_revision(stations: Road) -> None:
    await stations.run(of("dev-1", 0, 30), of("near-1", 1, 20))
    await judge(stations)
    assert await flags(stations) == [(30.0, 1, 2)]
    await stations.run(of("near-2", 2, 20))
    await judge(stations)
    assert await flags(stations) == [(30.0, 3, 3)]
    assert await stations.rows("SELECT cause, old ->> 'flag', new ->> 'flag' FROM revision") == [("neighbour", "1", "3")]


async def test_the_order_of_stations_does_not_matter_and_other_verdicts_stay(stations: Road) -> None:
    sent = [of("dev-1", 0, 30), of("near-1", 1, 50), of("near-2", 2, 20), of("near-3", 3, 20)]
    await stations.run(*sent)
    await judge(stations)
    at_once = [await flags(stations, device) for device in STATIONS]
    await stations.connection.execute("TRUNCATE observation, aggregate, datastream_summary, receipt, revision, stored_outbox")
    for one in reversed(sent):
        await stations.run(one)
        await judge(stations)
    assert [await flags(stations, device) for device in STATIONS] == at_once
    assert at_once[1] == [(50.0, 4, 4)]
    await stations.run(of("dev-1", 1, 20.5, seq=1))  # judged in context beside it: its verdict by the neighbours stays
    assert (await flags(stations))[0] == (30.0, 3, 3)
