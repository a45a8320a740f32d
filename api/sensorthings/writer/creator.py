"""Writes plans: entities in one transaction, then their Observations through the store.

The store commits on its own, so that concurrent posts share a transaction. A plan that has both is checked as a whole
before its entities are committed; where the store fails all the same (its database went away in between), the entities
are taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import errors as pg

from api.database import PATIENCE_S, Pool, statement
from api.errors import ApiError, InvalidEntityError, UnknownEntityError
from api.sensorthings.writer.plan import Existing, Plan, Row, Target
from api.sensorthings.writer.rows import ORDER, Ids, no_feature, set_of, write_rows
from api.store import Store
from streams.contract import NewObservation, NoFeatureError, RefusedObservationError, UnknownDatastreamError, UnknownFeatureError

Clock = Callable[[], datetime]

_ATTEMPTS = 8
_UNDO = statement(__file__, "undo.sql")


def utc_now() -> datetime:
    """Give the time that rows get when a client names none."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The entity that a request asked for. `shown` is what readers see of it, where that is at hand."""

    id: int
    shown: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Creator:
    """Writes what a plan says. `store` gives the store, which exists only while the application runs."""

    pool: Pool
    store: Callable[[], Store]
    clock: Clock = utc_now

    async def create(self, plan: Plan, root: Target) -> Created:
        """Write a plan; raises `ApiError`s. After an error nothing of the plan is there."""
        now = self.clock()
        ids = await self._write(plan, now) if _needs_rows(plan) else Ids()
        rows = plan.new("Observations")
        if not rows:
            return Created(id=ids.of(root))
        try:
            numbers, shown = await self._store(rows, ids, now)
        except Exception:
            await self._undo(ids)
            raise
        if root.entity_set != "Observations" or isinstance(root, Existing):
            return Created(id=ids.of(root))
        return Created(id=numbers[root.index], shown=shown.get(numbers[root.index]))

    async def _write(self, plan: Plan, now: datetime) -> Ids:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self.pool.connection(timeout=PATIENCE_S) as connection:
                    return await write_rows(connection, plan, now)
            except (pg.DeadlockDetected, pg.SerializationFailure):
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError

    async def _store(self, rows: Sequence[Row], ids: Ids, now: datetime) -> tuple[list[int], dict[int, bytes]]:
        results, shown = await self.store().write_shown([_observation(row, ids, now) for row in rows])
        for row, result in zip(rows, results, strict=True):
            if not isinstance(result, int):
                raise _refused(row, result)
        return [result for result in results if isinstance(result, int)], shown

    async def _undo(self, ids: Ids) -> None:
        if any(ids.by_set.values()):
            async with self.pool.connection() as connection:
                await connection.execute(_UNDO, {name: list(ids.by_set[name]) for name in ORDER})


def _needs_rows(plan: Plan) -> bool:
    """Tell whether a transaction of our own is needed: the store itself looks for the Datastream of an Observation."""
    if plan.pairs or plan.moves or any(plan.rows.get(name) for name in ORDER):
        return True
    return any(e.entity_set not in {"Datastreams", "MultiDatastreams"} for e in plan.existing)


def _observation(row: Row, ids: Ids, now: datetime) -> NewObservation:
    values: dict[str, Any] = dict(row.values)
    feature = row.links.get("feature_id")
    return NewObservation(
        datastream_id=ids.of(row.links["datastream_id"]),
        multi=row.links["datastream_id"].entity_set == "MultiDatastreams",
        phenomenon_time=values.get("phenomenon_time", now),
        phenomenon_end=values.get("phenomenon_end"),
        result=values["number"],
        result_time=values.get("result_time"),
        valid_start=values.get("valid_start"),
        valid_end=values.get("valid_end"),
        feature_id=None if feature is None else ids.of(feature),
        parameters=values.get("parameters"),
        quality=values.get("quality"),
    )


def _refused(row: Row, error: UnknownDatastreamError | UnknownFeatureError | NoFeatureError | RefusedObservationError) -> ApiError:
    if isinstance(error, NoFeatureError):
        return no_feature(row)
    if isinstance(error, UnknownFeatureError):
        field = f"{row.path}.FeatureOfInterest" if row.path else "FeatureOfInterest"
        return InvalidEntityError(f"{field}: there is no FeatureOfInterest {error.feature_id}", field=field)
    if isinstance(error, RefusedObservationError):
        return InvalidEntityError(f"the database refuses this Observation: {error}", field=row.path or None)
    datastream = row.links["datastream_id"]
    singular = set_of(datastream.entity_set).singular
    message = f"there is no {singular} {error.datastream_id}"
    if isinstance(datastream, Existing) and not datastream.path:
        return UnknownEntityError(message)
    field = datastream.path if isinstance(datastream, Existing) else singular
    return InvalidEntityError(f"{field}: {message}", field=field)
