"""More Things and more Observations than requests would make in a benchmark's time: by SQL, as the store would have left them."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import psycopg

from benchmarks.api_client import Connection
from benchmarks.api_region import Region

SLICE = 100  # rows of a Datastream that one statement adds
LONGEST_S = 1_200.0
IDS = 500


def _sql(name: str) -> bytes:
    return Path(__file__).with_name(name).read_bytes()


def add_things(url: str, things: int) -> None:
    """Add Things with Locations."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_sql("more_things.sql"), {"things": things})
        connection.execute("ANALYZE thing, location, thing_location")


def tidy(url: str) -> None:
    """Vacuum what was filled in a moment, as pgbench does: else the server's own vacuum runs beside some stage or other."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) observation, aggregate, datastream_summary")


def grow(url: str, region: Region, observations: int) -> int:
    """Add Observations until there are so many, or until the time is up; gives how many there are."""
    begin = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        while (there := _count(connection)) < observations and time.perf_counter() - begin < LONGEST_S:
            each = min(SLICE, -(-(observations - there) // len(region.datastreams)))
            connection.execute(_sql("more_observations.sql"), {"rows": each, "datastreams": region.datastreams})
    tidy(url)
    return there


def _count(connection: psycopg.Connection) -> int:
    found = connection.execute("SELECT sum(n)::bigint FROM datastream_summary").fetchone()
    return found[0] if found else 0


async def some_ids(connection: Connection, region: Region, ids: int = IDS) -> list[int]:
    """Give ids of Observations, old and new, of many Datastreams."""
    found: list[int] = []
    for turn in range(ids // 2):
        datastream = region.datastreams[turn * 37 % len(region.datastreams)]
        for order in ("asc", "desc"):
            path = f"Datastreams({datastream})/Observations?$top=1&$select=id&$orderby=phenomenonTime {order}&$skip={turn}"
            status, body = await connection.request("GET", path)
            if status == 200:
                found.extend(entity["@iot.id"] for entity in msgspec.json.decode(body)["value"])
    return found
