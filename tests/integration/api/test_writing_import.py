from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Iterable
from typing import Any

import psycopg
import pytest
from writing import DATASTREAM, OBSERVED_PROPERTY, SENSOR, THING, counts, having

from api.errors import InvalidEntityError
from api.sensorthings.writer.importer import import_entities
from devices.inventory import load_inventory

pytestmark = pytest.mark.integration


class Small:
    def __init__(self, *channels: str, device: str = "d-1", **datastream: Any) -> None:
        reference = {"Sensor": {"$ref": "s"}, "ObservedProperty": {"$ref": "p"}}
        self.datastreams = [having(DATASTREAM, **reference, properties={"channel": c}, **datastream) for c in channels]
        self.device = device

    def sensors(self) -> Iterable[tuple[str, dict[str, Any]]]:
        yield "s", having(SENSOR, properties={"key": "s"})

    def observed_properties(self) -> Iterable[tuple[str, dict[str, Any]]]:
        yield "p", having(OBSERVED_PROPERTY, properties={"key": "p"})

    def things(self) -> Iterable[dict[str, Any]]:
        yield having(THING, properties={"device": self.device}, Datastreams=copy.deepcopy(self.datastreams))


async def test_the_regions_inventory_is_imported_once_and_quickly(database: str) -> None:
    inventory = load_inventory()
    begin = time.perf_counter()
    added = await import_entities(database, inventory)
    assert time.perf_counter() - begin < 5  # 2 s on an idle machine
    things = list(inventory.things())
    assert added["Things"] == len(things) >= 60
    assert added["Datastreams"] == sum(len(thing["Datastreams"]) for thing in things)
    found = counts(database)
    assert (found["thing"], found["location"], found["historical_location"]) == (len(things),) * 3
    assert await import_entities(database, inventory) == {}
    assert counts(database) == found
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM datastream d JOIN sensor s ON s.id = d.sensor_id JOIN observed_property p"
            " ON p.id = d.observed_property_id JOIN thing_location USING (thing_id)"
            " WHERE p.properties ->> 'key' IS NOT NULL AND s.properties ->> 'key' IS NOT NULL"
        ).fetchone()
    assert rows == (found["datastream"],)


async def test_an_import_adds_what_is_missing_and_changes_nothing(database: str) -> None:
    await import_entities(database, Small("a"))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE thing SET name = 'edited'")
    assert await import_entities(database, Small("a", "b")) == {"Datastreams": 1}
    assert await import_entities(database, Small("a", device="d-2")) == {"Things": 1, "Locations": 1, "Datastreams": 1}
    found = counts(database)
    assert (found["thing"], found["datastream"], found["sensor"], found["observed_property"]) == (2, 3, 1, 1)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT name FROM thing WHERE device = 'd-1'").fetchone() == ("edited",)


async def test_an_import_is_whole_or_not_at_all(database: str) -> None:
    with pytest.raises(InvalidEntityError) as caught:
        await import_entities(database, Small("a", "b", unitOfMeasurement={"name": "x"}))
    assert caught.value.field == "d-1.a.unitOfMeasurement.symbol"
    assert set(counts(database).values()) == {0}


async def test_imports_at_the_same_time_make_everything_once(database: str) -> None:
    await asyncio.gather(*(import_entities(database, Small("a", "b")) for _ in range(4)))
    found = counts(database)
    assert (found["thing"], found["datastream"], found["sensor"]) == (1, 2, 1)
