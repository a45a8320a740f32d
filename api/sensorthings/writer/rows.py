"""A plan's rows, written in one transaction by a handful of statements, however many entities it has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection
from psycopg import errors as pg
from psycopg.sql import SQL, Composed, Identifier

from api.database import statement
from api.errors import ConflictError, InvalidEntityError, UnknownEntityError
from api.sensorthings.entities.model import EntitySet, Forward, Kind
from api.sensorthings.entities.schema import entity_set
from api.sensorthings.writer.plan import Existing, Move, Plan, Row, Target

Connection = AsyncConnection[Any]

# A set stands behind those that its rows point to.
ORDER = (
    "Things",
    "Locations",
    "Sensors",
    "ObservedProperties",
    "Datastreams",
    "MultiDatastreams",
    "FeaturesOfInterest",
    "HistoricalLocations",
)

_ALLOCATE = statement(__file__, "allocate_ids.sql")
_REPLACE_LOCATIONS = statement(__file__, "replace_locations.sql")
_LINK_HISTORY = statement(__file__, "link_history.sql")
_RANK_PROPERTIES = statement(__file__, "rank_properties.sql")
_PAIRS = {
    "thing_location": _REPLACE_LOCATIONS,
    "historical_location_location": _LINK_HISTORY,
    "multi_datastream_observed_property": _RANK_PROPERTIES,
}
_PROMOTE_HISTORY = statement(__file__, "promote_history.sql")
_PLACELESS = statement(__file__, "placeless_datastreams.sql")
_TAKEN = re.compile(r"=\(([^,]+), ([^)]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """Ids of the plan's new entities, by set and in their order."""

    by_set: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])

    def of(self, target: Target) -> int:
        """Give the id of any target of the plan."""
        return target.id if isinstance(target, Existing) else self.by_set[target.entity_set][target.index]


async def write_rows(connection: Connection, plan: Plan, now: datetime) -> Ids:
    """Write all of a plan but its Observations, in the caller's transaction; raises `ApiError`s naming the field."""
    ids = await _prepare(connection, plan)
    try:
        await _insert(connection, plan, ids, now)
    except pg.UniqueViolation as error:
        raise _conflict(error, plan) from error
    await _check_places(connection, plan, ids)
    return ids


async def _prepare(connection: Connection, plan: Plan) -> Ids:
    """Take ids, and lock what the plan points to, so that it is still there at the commit."""
    wanted = [{"name": set_of(name).table, "n": len(plan.rows[name])} for name in ORDER if plan.rows.get(name)]
    asked = {name: sorted({e.id for e in plan.existing if e.entity_set == name}) for name in ORDER}
    async with connection.pipeline():
        allocated = await connection.execute(_ALLOCATE, {"wanted": _json(wanted)}) if wanted else None
        found = {
            name: await connection.execute(_lock_statement(name, "thing_location" in plan.pairs), (numbers,))
            for name, numbers in asked.items()
            if numbers
        }
    there = {name: {row[0] for row in await cursor.fetchall()} for name, cursor in found.items()}
    for target in plan.existing:
        if target.id not in there[target.entity_set]:
            raise _unknown(target)
    by_table: dict[str, list[int]] = {}
    for table, number in await allocated.fetchall() if allocated is not None else ():
        by_table.setdefault(table, []).append(number)
    return Ids(by_set={name: by_table.get(set_of(name).table, []) for name in ORDER})


def _unknown(target: Existing) -> Exception:
    message = f"there is no {set_of(target.entity_set).singular} {target.id}"
    if not target.path:
        return UnknownEntityError(message)
    return InvalidEntityError(f"{target.path}: {message}", field=target.path)


async def _insert(connection: Connection, plan: Plan, ids: Ids, now: datetime) -> None:
    for name in ORDER:
        rows = plan.new(name)
        if rows:
            await connection.execute(_insert_statement(name), (_json(_records(rows, ids.by_set[name], ids)),))
    for move in plan.moves:
        await connection.execute(_move_statement(move), (ids.of(move.target), move.entity.id))
    for table, asked in _PAIRS.items():
        pairs = [{column: ids.of(target) for column, target in pair.columns.items()} for pair in plan.pairs.get(table, [])]
        if pairs:
            await connection.execute(asked, {"pairs": _json(pairs), "now": now})
    if ids.by_set["HistoricalLocations"]:
        await connection.execute(_PROMOTE_HISTORY, {"ids": list(ids.by_set["HistoricalLocations"])})


def pair_statement(table: str) -> bytes:
    """Give the statement that links entities through `table`."""
    return _PAIRS[table]


def _records(rows: Sequence[Row], numbers: Sequence[int], ids: Ids) -> list[dict[str, Any]]:
    return [
        {"id": number, **row.values, **{column: ids.of(target) for column, target in row.links.items()}}
        for row, number in zip(rows, numbers, strict=True)
    ]


async def _check_places(connection: Connection, plan: Plan, ids: Ids) -> None:
    """Refuse Observations without a feature before anything is committed: the store would refuse them after."""
    featureless = {ids.of(row.links["datastream_id"]): row for row in plan.new("Observations") if "feature_id" not in row.links}
    if not featureless:
        return
    cursor = await connection.execute(_PLACELESS, {"ids": sorted(featureless)})
    for (number,) in await cursor.fetchall():
        raise no_feature(featureless[number])


def no_feature(row: Row) -> InvalidEntityError:
    """Say that an Observation has no place."""
    name = f"{row.path}.FeatureOfInterest" if row.path else "FeatureOfInterest"
    return InvalidEntityError(f"{name} is missing, and the Thing has no Location to take it from", field=name)


def _conflict(error: pg.UniqueViolation, plan: Plan) -> ConflictError:
    """Name what is taken; the driver's words stay here."""
    found = _TAKEN.search(error.diag.message_detail or "")
    taken = found.groups() if found else ("", "")
    if error.diag.constraint_name == "thing_device":
        row = next((r for r in plan.new("Things") if (r.values.get("properties") or {}).get("device") == taken[1]), None)
        return ConflictError(f"there is a Thing with device {taken[1]!r} of tenant {taken[0]!r} already", field=_at(row, "device"))
    if error.diag.constraint_name == "datastream_channel":
        row = next((r for r in plan.new("Datastreams") if (r.values.get("properties") or {}).get("channel") == taken[1]), None)
        return ConflictError(f"the Thing has a Datastream with channel {taken[1]!r} already", field=_at(row, "channel"))
    return ConflictError("this entity is there already")


def _at(row: Row | None, name: str) -> str | None:
    if row is None:
        return None
    return f"{row.path}.properties.{name}" if row.path else f"properties.{name}"


def set_of(name: str) -> EntitySet:
    """Give the description of a set that is known to exist."""
    found = entity_set(name)
    assert found is not None
    return found


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@cache
def _insert_statement(name: str) -> Composed:
    """Write rows given as one JSON array; the columns come from the set's description."""
    described = set_of(name)
    typed: dict[str, LiteralString] = {"id": "bigint"}
    for prop in described.properties:
        if prop.writable:
            typed.update(dict.fromkeys(prop.columns, _column_type(prop.kind)))
    typed.update((n.join.column, "bigint") for n in described.navigations if isinstance(n.join, Forward))
    columns = SQL(", ").join(map(Identifier, typed))
    fields = SQL(", ").join(Identifier(column) + SQL(" ") + SQL(kind) for column, kind in typed.items())
    return SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_to_recordset(%s::jsonb) AS r ({fields})").format(
        table=Identifier(described.table), columns=columns, fields=fields
    )


def _column_type(kind: Kind) -> LiteralString:
    match kind:
        case Kind.STRING:
            return "text"
        case Kind.INSTANT | Kind.INTERVAL:
            return "timestamptz"
        case _:
            return "jsonb"


@cache
def _lock_statement(name: str, moves: bool) -> Composed:
    """Lock rows in the order of their ids: two writers can't wait for each other."""
    strength = SQL("FOR NO KEY UPDATE") if moves and name == "Things" else SQL("FOR KEY SHARE")
    return SQL("SELECT id FROM {} WHERE id = ANY (%s) ORDER BY id ").format(Identifier(set_of(name).table)) + strength


def _move_statement(move: Move) -> Composed:
    return SQL("UPDATE {} SET {} = %s WHERE id = %s").format(
        Identifier(set_of(move.entity.entity_set).table), Identifier(move.column)
    )
