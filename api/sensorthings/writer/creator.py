"""Writes plans: entities, and their Observations through the store.

Observations alone are the store's to commit, so that concurrent posts share a transaction. A plan that has both is one transaction
of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.database import PATIENCE_S, Pool
from api.errors import ApiError, InvalidEntityError, UnknownEntityError
from api.sensorthings.writer.plan import Existing, New, Plan, Row, Target
from api.sensorthings.writer.rows import ORDER, Ids, no_feature, set_of, write_rows
from api.store import Store
from api.unit import AGAIN, unit, within
from streams.contract import (
    NewObservation,
    NoFeatureError,
    RefusedObservationError,
    RegistryMovedError,
    UnknownDatastreamError,
    UnknownFeatureError,
)

Clock = Callable[[], datetime]

_ATTEMPTS = 8
_AGAIN = (*AGAIN, RegistryMovedError)


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
        if not _needs_rows(plan):
            rows = plan.new("Observations")
            numbers, shown = await self._store(rows, Ids(), now)
            assert isinstance(root, New)  # an Observation of the plan
            return Created(id=numbers[root.index], shown=shown.get(numbers[root.index]))
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._create_together(plan, root, now)
            except _AGAIN:
                if attempt == _ATTEMPTS or within() is not None:
                    raise
        raise AssertionError

    async def _create_together(self, plan: Plan, root: Target, now: datetime) -> Created:
        async with unit(self.pool, PATIENCE_S) as opened:
            ids = await write_rows(opened.connection, plan, now)
            rows = plan.new("Observations")
            numbers, _ = await self._store(rows, ids, now) if rows else ([], {})
        if root.entity_set != "Observations" or isinstance(root, Existing):
            return Created(id=ids.of(root))
        return Created(id=numbers[root.index])

    async def _store(self, rows: Sequence[Row], ids: Ids, now: datetime) -> tuple[list[int], dict[int, bytes]]:
        observations, connection = [observation_of(row, ids, now) for row in rows], within()
        shown: dict[int, bytes] = {}
        if connection is not None:
            results = await self.store().write_observations(observations, connection)
        else:
            results, shown = await self.store().write_shown(observations)
        for row, result in zip(rows, results, strict=True):
            if not isinstance(result, int):
                raise _refused(row, result)
        return [result for result in results if isinstance(result, int)], shown


def _needs_rows(plan: Plan) -> bool:
    """Tell whether a transaction of our own is needed: the store itself looks for the Datastream of an Observation."""
    if plan.pairs or plan.moves or any(plan.rows.get(name) for name in ORDER):
        return True
    return any(e.entity_set not in {"Datastreams", "MultiDatastreams"} for e in plan.existing)


def observation_of(row: Row, ids: Ids, now: datetime) -> NewObservation:
    """Give the Observation of a plan's row, once its entities have ids."""
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
