"""Imports an inventory: entities that are not there yet, in one transaction; may be repeated (decisions.md 23).

Shared Sensors and ObservedProperties are matched by `properties.key`, Things by tenant and device, Datastreams by channel.
What is there stays as it is, edited or not: an import only adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

from api.database import statement
from api.sensorthings.writer.creator import Clock, utc_now
from api.sensorthings.writer.plan import Existing, Plan, Target
from api.sensorthings.writer.planner import plan_entity
from api.sensorthings.writer.rows import set_of, write_rows
from infra.database import conninfo_for

_REGISTERED = statement(__file__, "registered.sql")
_LOCK = b"SELECT pg_advisory_xact_lock(hashtext('grenzregion import'))"
_DEFAULT_TENANT = "default"
_SHARED = (("Sensor", "Sensors"), ("ObservedProperty", "ObservedProperties"))


class Inventory(Protocol):
    """What can be imported, as `devices.inventory.Inventory` has it."""

    def observed_properties(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """Key and body of each ObservedProperty."""
        ...

    def sensors(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """Key and body of each Sensor."""
        ...

    def things(self) -> Iterable[dict[str, Any]]:
        """Bodies for a deep insert, with `{"$ref": key}` in place of each Sensor and ObservedProperty."""
        ...


async def import_entities(database_url: str, inventory: Inventory, *, clock: Clock = utc_now) -> dict[str, int]:
    """Add what is missing; gives the number of new entities by set.

    Raises `InvalidEntityError` for an entity that SensorThings would refuse, `KeyError` for an unknown `$ref`, and
    `psycopg.Error`; then nothing was written.
    """
    connection = await psycopg.AsyncConnection.connect(conninfo_for(database_url, process="import"))
    async with connection:
        await connection.execute(_LOCK)
        cursor = await connection.execute(_REGISTERED)
        there = {(name, owner, key): number for name, owner, key, number in await cursor.fetchall()}
        merger = _Merger(there=there)
        merger.add(inventory)
        if any(merger.plan.rows.values()):
            await write_rows(connection, merger.plan, clock())
    return {name: len(rows) for name, rows in merger.plan.rows.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merger:
    there: Mapping[tuple[str, str, str], int]
    plan: Plan = field(default_factory=Plan)
    shared: dict[tuple[str, str], Target] = field(default_factory=dict[tuple[str, str], Target])

    def add(self, inventory: Inventory) -> None:
        for key, body in inventory.sensors():
            self._share("Sensors", key, body)
        for key, body in inventory.observed_properties():
            self._share("ObservedProperties", key, body)
        for body in inventory.things():
            self._add_thing(body)

    def _share(self, set_name: str, key: str, body: dict[str, Any]) -> None:
        number = self.there.get((set_name, key, ""))
        known = None if number is None else Existing(entity_set=set_name, id=number)
        self.shared[set_name, key] = known or plan_entity(self.plan, set_of(set_name), body)

    def _add_thing(self, body: dict[str, Any]) -> None:
        properties = body["properties"]
        device = properties["device"]
        number = self.there.get(("Things", properties.get("tenant", _DEFAULT_TENANT), device))
        alone = {name: value for name, value in body.items() if name != "Datastreams"}
        thing: Target = (
            plan_entity(self.plan, set_of("Things"), alone, path=device)
            if number is None
            else Existing(entity_set="Things", id=number)
        )
        for datastream in body.get("Datastreams", ()):
            channel = datastream["properties"]["channel"]
            if number is None or ("Datastreams", str(number), channel) not in self.there:
                self._add_datastream(thing, datastream, f"{device}.{channel}")

    def _add_datastream(self, thing: Target, body: dict[str, Any], path: str) -> None:
        given = {"Thing": thing} | {name: self.shared[set_name, body[name]["$ref"]] for name, set_name in _SHARED}
        alone = {name: value for name, value in body.items() if name not in given}
        plan_entity(self.plan, set_of("Datastreams"), alone, path=path, given=given)
