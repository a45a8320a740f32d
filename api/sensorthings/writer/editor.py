"""Changes and deletes entities, each in one transaction. Observations belong to the store and are not changed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from psycopg import AsyncConnection
from psycopg import errors as pg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Identifier

from api.database import Pool, statement
from api.errors import ConflictError, InvalidEntityError, NotSupportedError, UnknownEntityError
from api.sensorthings.entities.model import EntitySet
from api.sensorthings.writer.changes import Change, read_change
from api.sensorthings.writer.plan import Existing
from api.sensorthings.writer.rows import set_of

_IN_USE = statement(__file__, "feature_in_use.sql")
_HAS_READINGS = statement(__file__, "stored_entity.sql")
_LATER = "Observations can't be changed or deleted one by one yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Writes what PATCH and DELETE ask for."""

    pool: Pool

    async def change(self, entity: Existing, body: Any) -> None:
        """Change an entity; raises `ApiError`s, and then it is as it was."""
        described = _editable(entity)
        async with self.pool.connection() as connection:
            stored = await _lock(connection, described, entity.id, SQL("FOR NO KEY UPDATE"))
            change = read_change(described, body, number=entity.id, stored=stored)
            await _check_allowed(connection, entity, change, stored)
            await _check_targets(connection, change)
            columns = {**change.values, **{column: target.id for column, target in change.links.items()}}
            if not columns:
                return
            try:
                await connection.execute(
                    _update(described, columns), {"id": entity.id, "row": msgspec.json.encode(columns).decode()}
                )
            except pg.UniqueViolation as error:
                raise ConflictError("this device or channel is there already", field="properties") from error

    async def delete(self, entity: Existing) -> None:
        """Delete an entity with all that can't be without it; raises `ApiError`s."""
        described = _editable(entity)
        async with self.pool.connection() as connection:
            await _lock(connection, described, entity.id, SQL("FOR UPDATE"))
            if entity.entity_set == "FeaturesOfInterest":
                await _check_unused(connection, entity.id)
            await connection.execute(SQL("DELETE FROM {} WHERE id = %s").format(Identifier(described.table)), (entity.id,))


def _editable(entity: Existing) -> EntitySet:
    if entity.entity_set == "Observations":
        raise NotSupportedError(_LATER)
    return set_of(entity.entity_set)


async def _lock(connection: AsyncConnection[Any], described: EntitySet, number: int, strength: SQL) -> dict[str, Any]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        asked = SQL("SELECT * FROM {} WHERE id = %s {}").format(Identifier(described.table), strength)
        stored = await (await cursor.execute(asked, (number,))).fetchone()
    if stored is None:
        raise UnknownEntityError(f"there is no {described.singular} {number}")
    return stored


async def _check_unused(connection: AsyncConnection[Any], number: int) -> None:
    row = await (await connection.execute(_IN_USE, {"id": number})).fetchone()
    if row == (True,):
        raise NotSupportedError(f"this FeatureOfInterest has Observations, and {_LATER}")


async def _check_allowed(connection: AsyncConnection[Any], entity: Existing, change: Change, stored: Mapping[str, Any]) -> None:
    """Refuse what would make stored readings mean something else (decisions.md 9 and 18)."""
    changes_unit = any(
        change.values.get(column) is not None and change.values[column] != stored[column]
        for column in ("unit_of_measurement", "unit_of_measurements")
    )
    changes_zone = entity.entity_set == "Things" and "properties" in change.names and _zone(change) != stored["timezone"]
    if not changes_unit and not changes_zone:
        return
    row = await (await connection.execute(_HAS_READINGS, {"entity_set": entity.entity_set, "id": entity.id})).fetchone()
    if row != (True,):
        return
    if changes_unit:
        raise ConflictError("unitOfMeasurement can't change: there are Observations in it", field="unitOfMeasurement")
    raise NotSupportedError("properties.timezone can't change yet: there are aggregates of local days")


def _zone(change: Change) -> str:
    properties = cast("dict[str, Any]", change.values.get("properties") or {})
    return properties.get("timezone") or "Europe/Berlin"


async def _check_targets(connection: AsyncConnection[Any], change: Change) -> None:
    for target in change.links.values():
        described = set_of(target.entity_set)
        asked = SQL("SELECT id FROM {} WHERE id = %s FOR KEY SHARE").format(Identifier(described.table))
        if await (await connection.execute(asked, (target.id,))).fetchone() is None:
            message = f"{target.path}: there is no {described.singular} {target.id}"
            raise InvalidEntityError(message, field=target.path)


def _update(described: EntitySet, columns: Mapping[str, Any]) -> Composed:
    """Set columns from one JSON object, whose values get the columns' own types."""
    names = [Identifier(column) for column in columns]
    return SQL(
        "UPDATE {table} SET ({names}) = (SELECT {values} FROM jsonb_populate_record(NULL::{table}, %(row)s::jsonb) AS r)"
        " WHERE id = %(id)s"
    ).format(
        table=Identifier(described.table),
        names=SQL(", ").join(names),
        values=SQL(", ").join(SQL("r.") + name for name in names),
    )
