from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from devices.inventory import load_inventory
from tests.conftest import Servers

SEED = Path(__file__).with_name("seed.sql").read_text(encoding="utf-8")


def insert_thing(connection: psycopg.Connection[Any], thing: dict[str, Any], observed: dict[str, int]) -> int:
    thing_id = _one(
        connection,
        "INSERT INTO thing (name, description, properties) VALUES (%s, %s, %s) RETURNING id",
        (thing["name"], thing["description"], Jsonb(thing["properties"])),
    )
    for place in thing["Locations"]:
        location_id = _one(
            connection,
            "INSERT INTO location (name, description, encoding_type, location) VALUES (%s, %s, %s, %s) RETURNING id",
            (place["name"], place["description"], place["encodingType"], Jsonb(place["location"])),
        )
        connection.execute("INSERT INTO thing_location VALUES (%s, %s)", (thing_id, location_id))
    sensor = _one(
        connection,
        "INSERT INTO sensor (name, description, encoding_type, metadata) VALUES ('s', 's', 'text/plain', '\"s\"') RETURNING id",
        (),
    )
    for stream in thing["Datastreams"]:
        connection.execute(
            "INSERT INTO datastream (name, description, observation_type, unit_of_measurement, properties, thing_id, sensor_id,"
            " observed_property_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                stream["name"],
                stream["description"],
                stream["observationType"],
                Jsonb(stream["unitOfMeasurement"]),
                Jsonb(stream["properties"]),
                thing_id,
                sensor,
                observed[stream["ObservedProperty"]["$ref"]],
            ),
        )
    return thing_id


def insert_observed_properties(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return {
        key: _one(
            connection,
            "INSERT INTO observed_property (name, definition, description, properties) VALUES (%s, %s, %s, %s) RETURNING id",
            (entry["name"], entry["definition"], entry["description"], Jsonb(entry["properties"])),
        )
        for key, entry in load_inventory().observed_properties()
    }


def _one(connection: psycopg.Connection[Any], statement: Any, values: tuple[Any, ...]) -> int:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]


def _sample() -> list[dict[str, Any]]:
    """Two stations of each kind; one of them with a name that tries to leave its literal, one that is not public."""
    kinds: dict[str, int] = {}
    chosen: list[dict[str, Any]] = []
    for thing in load_inventory().things():
        kind = thing["properties"]["kind"]
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] <= 2:
            chosen.append(thing)
    chosen[0]["name"] = "L'Étang; DROP TABLE thing --"
    chosen[0]["properties"]["municipality"] = "O'Hara $__timeFilter(x)"
    hidden = next(thing for thing in load_inventory().things() if thing["properties"]["kind"] == "air")
    hidden["name"] = "SECRET"
    hidden["properties"] |= {"public": False, "device": "secret"}
    return [*chosen, hidden]


@pytest.fixture(scope="package")
def seeded(servers: Servers) -> Iterator[str]:
    """Conninfo of a database with readings of every theme."""
    with servers.database("embedded") as conninfo:
        with psycopg.connect(conninfo) as connection:
            observed = insert_observed_properties(connection)
            for thing in _sample():
                insert_thing(connection, thing, observed)
            connection.execute(SEED.encode())
            connection.execute("ANALYZE")
        yield conninfo
