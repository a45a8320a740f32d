"""The planning API on a database: what it tells, what it keeps to itself, and what it refuses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from page_sample import PRIVATE, THINGS, write
from page_server import Site, site_on

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def site(servers: Any) -> Iterator[Site]:
    with site_on(servers) as site:
        yield site


@pytest.fixture
def streams(site: Site) -> dict[str, int]:
    return site.streams


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url + "planning/v1/", timeout=20) as client:
        yield client


def _series(client: httpx.Client, datastream: int, **options: Any) -> dict[str, Any]:
    return client.get("series", params={"datastream": datastream, **options}).raise_for_status().json()


def test_stations_come_whole_and_private_ones_never(client: httpx.Client, site: Site) -> None:
    with psycopg.connect(site.database) as connection:
        connection.execute(
            "INSERT INTO location (id, name, description, encoding_type, location) VALUES "
            "(900, 'odd', '', 'application/geo+json', '{\"type\": \"Point\", \"coordinates\": [\"x\", null]}'), "
            "(901, 'odder', '', 'application/geo+json', '[]'), (902, 'plan', '', 'application/pdf', '\"plan\"')"
        )
        connection.execute("INSERT INTO thing (id, name, description) VALUES (900, 'Zuletzt', '') ON CONFLICT DO NOTHING")
        connection.execute("INSERT INTO thing_location VALUES (900, 900), (900, 901), (900, 902)")
    stations = {one["name"]: one for one in client.get("stations").raise_for_status().json()["stations"]}
    assert set(stations) == {thing[0] for thing in THINGS} | {"Zuletzt"}
    assert PRIVATE[0] not in stations
    assert stations["Zuletzt"]["position"] is None
    assert stations["Zuletzt"]["datastreams"] == []
    air = stations["Luft Bahnhofstraße"]
    assert air["position"] == [9.4355, 54.7757]
    assert (air["theme"], air["municipality"], air["country"], air["source"]) == ("air", "Flensburg", "DE", "simulated")
    first = air["datastreams"][0]
    assert first["names"]["da"] == "Partikler PM2,5"
    assert (first["channel"], first["unit"], first["ucum"], first["decimals"], first["flag"]) == ("pm2.5", "µg/m³", "ug/m3", 1, 1)
    assert datetime.fromisoformat(first["time"]) > datetime.now(UTC) - timedelta(minutes=5)


def test_a_series_of_few_readings_is_whole(client: httpx.Client, streams: dict[str, int]) -> None:
    answer = _series(client, streams["Luft Aabenraa/pm2.5"])
    assert answer["thinned"] is False
    assert answer["n"] == len(answer["points"]) >= 95
    times = [point[0] for point in answer["points"]]
    assert times == sorted(times)
    assert {point[2] for point in answer["points"]} == {1, 3, 4}


def test_a_series_of_many_readings_keeps_peaks_and_faults(client: httpx.Client, streams: dict[str, int], site: Site) -> None:
    stream = streams["Pegel Husum/water_level"]
    start = datetime.now(UTC) - timedelta(hours=2)
    rows: list[Any] = [(start + timedelta(seconds=index), float(index % 7), None, 1) for index in range(6_000)]
    rows[1_234] = (rows[1_234][0], 99.5, None, 1)
    rows[2_345] = (rows[2_345][0], -99.5, None, 1)
    rows[3_456] = (rows[3_456][0], 3.0, None, 4)
    rows[4_567] = (rows[4_567][0], None, None, 9)
    with psycopg.connect(site.database) as connection:
        write(connection, stream, rows)
    answer = _series(client, stream, hours=2)
    assert answer["thinned"] is True
    assert answer["n"] >= 5_990
    assert 100 < len(answer["points"]) <= 410
    values = [point[1] for point in answer["points"]]
    assert 99.5 in values
    assert -99.5 in values
    assert [point[1:] for point in answer["points"] if point[2] != 1] == [[3.0, 4], [None, 9]]


def test_states_are_given_where_they_change(client: httpx.Client, streams: dict[str, int]) -> None:
    answer = _series(client, streams["Ladesäule Exe/status"])
    assert answer["numeric"] is False
    states = [point[1] for point in answer["points"]]
    assert states[:3] == ["AVAILABLE", "CHARGING", "BLOCKED"]
    assert all(one != other for one, other in itertools.pairwise(states))


def test_a_window_may_end_in_the_past(client: httpx.Client, streams: dict[str, int]) -> None:
    until = datetime.now(UTC) - timedelta(hours=12)
    answer = _series(client, streams["Luft Aabenraa/pm2.5"], hours=1, until=until.isoformat())
    assert [until.timestamp() - 3_600 <= point[0] / 1_000 <= until.timestamp() for point in answer["points"]] == [True] * 4


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 422),
        ({"datastream": "x"}, 422),
        ({"datastream": "0"}, 422),
        ({"datastream": str(2**53)}, 422),
        ({"datastream": str(2**53 - 1)}, 404),
        ({"datastream": "999999"}, 404),
        ({"datastream": "1", "hours": "0"}, 422),
        ({"datastream": "1", "hours": "0.5"}, 200),
        ({"datastream": "1", "hours": "168"}, 200),
        ({"datastream": "1", "hours": "168.1"}, 422),
        ({"datastream": "1", "hours": "nan"}, 422),
        ({"datastream": "1", "until": "yesterday"}, 422),
        ({"datastream": "1", "until": "2026-11-22T10:00:00"}, 400),
        ({"datastream": "1", "until": "0001-01-01T00:00:00+14:00"}, 400),
        ({"datastream": "1", "until": "0001-01-01T00:00:00Z"}, 400),
        ({"datastream": "1", "until": "9999-12-31T23:59:59Z"}, 400),
    ],
)
def test_bad_parameters_are_answered(client: httpx.Client, query: dict[str, str], status: int) -> None:
    assert client.get("series", params=query).status_code == status


def test_a_private_datastream_does_not_exist(client: httpx.Client, streams: dict[str, int]) -> None:
    hidden = client.get("series", params={"datastream": streams["Geheimer Sensor/co2"]})
    assert hidden.status_code == 404
    assert "Geheim" not in hidden.text


def test_live_tells_changes_and_never_private_ones(client: httpx.Client, streams: dict[str, int], site: Site) -> None:
    public, private = streams["Luft Aabenraa/pm2.5"], streams["Geheimer Sensor/co2"]
    with client.stream("GET", "live") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 3000"
        with psycopg.connect(site.database) as connection:
            for stream in (private, public):
                write(connection, stream, [(datetime.now(UTC), 12.5, None, 3)])
        seen: list[dict[str, Any]] = []
        while not any(one["id"] == public and one["value"] == 12.5 for one in seen):
            line = next(lines)
            if line.startswith("data: "):
                seen += json.loads(line.removeprefix("data: "))
    assert private not in {one["id"] for one in seen}
    assert next(one for one in seen if one["value"] == 12.5)["flag"] == 3
