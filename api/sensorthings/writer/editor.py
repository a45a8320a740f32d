"""Changes and deletes entities, each in one transaction. Observations are changed by the store."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from psycopg import AsyncConnection
from psycopg import errors as pg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Identifier

from api.database import PATIENCE_S, Pool, statement
from api.errors import ConflictError, InvalidEntityError, UnknownEntityError
from api.sensorthings.entities.model import EntitySet
from api.sensorthings.writer.asked import Asked
from api.sensorthings.writer.changes import Change, read_change
from api.sensorthings.writer.creator import Clock, utc_now
from api.sensorthings.writer.plan import Existing
from api.sensorthings.writer.rows import pair_statement, set_of
from api.store import Store
from api.unit import within
from devices.units import is_known
from streams.contract import (
    RegistryMovedError,
    UnfitResultError,
    UnknownObservationError,
    delete_of_feature,
    lock_thing,
    recompute_days,
)

_HAS_READINGS = statement(__file__, "stored_entity.sql")
_ATTEMPTS = 8
_PAUSE_S = 0.02
_AGAIN = (pg.DeadlockDetected, pg.SerializationFailure, pg.ForeignKeyViolation, RegistryMovedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Writes what PATCH, PUT and DELETE ask for. `store` gives the store, which exists only while the application runs."""

    pool: Pool
    store: Callable[[], Store]
    clock: Clock = utc_now

    async def change(self, entity: Existing, asked: Asked) -> None:
        """Change an entity; raises `ApiError`s, and then it is as it was."""
        if entity.entity_set == "Observations":
            await self._change_observation(entity, asked)
        else:
            await self._repeated(lambda connection: self._change(connection, entity, asked))

    async def delete(self, entity: Existing, asked: Asked) -> None:
        """Delete an entity with all that can't be without it; raises `ApiError`s."""
        if entity.entity_set == "Observations":
            await self._delete_observation(entity, asked)
        else:
            await self._repeated(lambda connection: self._delete(connection, entity, asked))

    async def link(self, table: str, columns: Mapping[str, int]) -> None:
        """Link two entities of a many-to-many relation; a Thing's new Location takes the place of its old ones."""

        async def work(connection: AsyncConnection[Any]) -> None:
            await _write_pairs(connection, table, [columns], self.clock())

        await self._repeated(work)

    async def unlink(self, table: str, columns: Mapping[str, int]) -> bool:
        """Take a link away; gives whether there was one."""
        one, other = columns.items()
        asked = SQL("DELETE FROM {} WHERE {} = %s AND {} = %s").format(Identifier(table), Identifier(one[0]), Identifier(other[0]))
        async with self.pool.connection() as connection:
            return (await connection.execute(asked, (one[1], other[1]))).rowcount > 0

    async def _repeated(self, work: Callable[[AsyncConnection[Any]], Awaitable[None]]) -> None:
        """Do it again where others were writing the same entities."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self.pool.connection(timeout=PATIENCE_S) as connection:
                    await work(connection)
            except _AGAIN as error:
                if attempt == _ATTEMPTS:
                    raise ConflictError("others are writing the same entities: try again") from error
                await asyncio.sleep(_PAUSE_S * attempt * random.random())  # noqa: S311 -- no secret
            else:
                return

    async def _change(self, connection: AsyncConnection[Any], entity: Existing, asked: Asked) -> None:
        described = set_of(entity.entity_set)
        stored = await _lock(connection, described, entity.id, SQL("FOR NO KEY UPDATE"))
        body = await asked.resolve(described, entity.id)
        change = read_change(described, body, number=entity.id, stored=stored, whole=asked.whole)
        new_days = await _check_allowed(connection, entity, change, stored)
        await _check_targets(connection, change)
        columns = {**change.values, **{column: target.id for column, target in change.links.items()}}
        if columns:
            try:
                await connection.execute(
                    _update(described, columns), {"id": entity.id, "row": msgspec.json.encode(columns).decode()}
                )
            except pg.UniqueViolation as error:
                raise ConflictError("this device or channel is there already", field="properties") from error
        if change.locations is not None:
            pairs = [{"thing_id": entity.id, "location_id": target.id} for target in change.locations]
            await _write_pairs(connection, "thing_location", pairs, self.clock())
        if new_days is not None:
            await recompute_days(connection, new_days)

    async def _delete(self, connection: AsyncConnection[Any], entity: Existing, asked: Asked) -> None:
        described = set_of(entity.entity_set)
        if entity.entity_set == "FeaturesOfInterest":
            # Datastreams before features, as those who write Observations take them; what came in between is met again below.
            await delete_of_feature(connection, entity.id)
        await _lock(connection, described, entity.id, SQL("FOR UPDATE"))
        await asked.resolve(described, entity.id)
        if entity.entity_set == "FeaturesOfInterest":
            await delete_of_feature(connection, entity.id)
        await connection.execute(SQL("DELETE FROM {} WHERE id = %s").format(Identifier(described.table)), (entity.id,))

    async def _change_observation(self, entity: Existing, asked: Asked) -> None:
        described = set_of("Observations")

        async def values(connection: AsyncConnection[Any], stored: Mapping[str, Any]) -> Mapping[str, Any]:
            body = await asked.resolve(described, entity.id)
            change = read_change(described, body, number=entity.id, stored=stored, whole=asked.whole)
            await _check_targets(connection, change, not_locked="Datastreams")
            links = {column: target.id for column, target in change.links.items()}
            return _observation_values(change.values) | links

        try:
            await self.store().change_observation(entity.id, values, within())
        except UnknownObservationError as error:
            raise UnknownEntityError(f"there is no Observation {entity.id}") from error
        except UnfitResultError as error:
            raise InvalidEntityError(str(error), field="result") from error
        except RegistryMovedError as error:
            raise ConflictError("others are writing the same entities: try again") from error

    async def _delete_observation(self, entity: Existing, asked: Asked) -> None:
        async def allow(_connection: AsyncConnection[Any], _stored: Mapping[str, Any]) -> Mapping[str, Any]:
            await asked.resolve(set_of("Observations"), entity.id)
            return {}

        try:
            await self.store().delete_observation(entity.id, allow, within())
        except UnknownObservationError as error:
            raise UnknownEntityError(f"there is no Observation {entity.id}") from error


def _observation_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the columns of an Observation; its result is one value, and the verdict on it is the store's."""
    found = {name: value for name, value in values.items() if name not in {"number", "result", "flag", "tests", "ruleset"}}
    if "number" in values:
        found["result"] = values["number"]
    if found.get("phenomenon_time", found) is None:
        raise InvalidEntityError("phenomenonTime is mandatory", field="phenomenonTime")
    return found


async def _lock(connection: AsyncConnection[Any], described: EntitySet, number: int, strength: SQL) -> dict[str, Any]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        asked = SQL("SELECT * FROM {} WHERE id = %s {}").format(Identifier(described.table), strength)
        stored = await (await cursor.execute(asked, (number,))).fetchone()
    if stored is None:
        raise UnknownEntityError(f"there is no {described.singular} {number}")
    return stored


async def _write_pairs(connection: AsyncConnection[Any], table: str, pairs: Sequence[Mapping[str, int]], now: Any) -> None:
    for pair in pairs:
        for column, number in pair.items():
            described = set_of({"thing_id": "Things", "location_id": "Locations"}.get(column, "HistoricalLocations"))
            strength = SQL("FOR NO KEY UPDATE") if column == "thing_id" else SQL("FOR KEY SHARE")
            await _lock(connection, described, number, strength)
    await connection.execute(pair_statement(table), {"pairs": msgspec.json.encode(pairs).decode(), "now": now})


def _has_code(units: Any) -> bool:
    """Tell whether readings are converted to a unit; what is no UCUM code (a URL, say) is words alone, and may be put right."""
    each = cast("list[dict[str, Any] | None]", units if isinstance(units, list) else [units])
    return any(is_known(str(unit.get("definition"))) for unit in each if unit)


async def _check_allowed(
    connection: AsyncConnection[Any], entity: Existing, change: Change, stored: Mapping[str, Any]
) -> int | None:
    """Refuse what would make stored readings mean something else (decisions.md 18).

    Gives the Thing whose local days are to be made anew (decisions.md 9); its readings' writers then wait.
    """
    if any(
        change.values.get(column) is not None
        and change.values[column] != stored[column]
        and (_has_code(change.values[column]) or _has_code(stored[column]))
        for column in ("unit_of_measurement", "unit_of_measurements")
    ):
        await connection.execute(SQL("SELECT id FROM datastream WHERE id = %s FOR UPDATE"), (entity.id,))
        row = await (await connection.execute(_HAS_READINGS, {"entity_set": entity.entity_set, "id": entity.id})).fetchone()
        if row == (True,):
            raise ConflictError("unitOfMeasurement can't change: there are Observations in it", field="unitOfMeasurement")
    thing: int | None = None
    if entity.entity_set == "Things" and "properties" in change.values and _zone(change) != stored["timezone"]:
        thing = entity.id
    elif "thing_id" in change.links and change.links["thing_id"].id != stored["thing_id"]:
        thing = change.links["thing_id"].id
        await connection.execute(SQL("SELECT id FROM datastream WHERE id = %s FOR UPDATE"), (entity.id,))
    if thing is not None:
        await lock_thing(connection, thing)
    return thing


def _zone(change: Change) -> str:
    properties = cast("dict[str, Any]", change.values.get("properties") or {})
    return properties.get("timezone") or "Europe/Berlin"


async def _check_targets(connection: AsyncConnection[Any], change: Change, *, not_locked: str = "") -> None:
    """Refuse links to what is not there. `not_locked` ends the names of sets that the store locks itself, in its order."""
    for target in (*change.links.values(), *(change.locations or ())):
        described = set_of(target.entity_set)
        strength = SQL("") if not_locked and target.entity_set.endswith(not_locked) else SQL(" FOR KEY SHARE")
        asked = SQL("SELECT id FROM {} WHERE id = %s{}").format(Identifier(described.table), strength)
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
