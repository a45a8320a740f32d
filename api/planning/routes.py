"""The planning API's routes: stations, readings of some hours, live values, figures. Public Things only, whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Response

from api.database import PoolGetter
from api.planning.devices import planning_devices_router
from api.planning.figure_routes import figures_router
from api.planning.live import Change, LiveHub, LiveResponse
from api.planning.sql import CHANGES, SERIES, STATIONS
from api.planning.times import aware

MOST_POINTS = 400
LONGEST_HOURS = 168.0
LARGEST_ID = 2**53 - 1
EVENT_ID = r"^\d{1,15}$"

Hours = Annotated[float, Query(gt=0, le=LONGEST_HOURS, allow_inf_nan=False, description="length of the window in hours")]
DatastreamId = Annotated[int, Query(ge=1, le=LARGEST_ID, description="id of a Datastream")]
Until = Annotated[datetime | None, Query(description="end of the window, ISO 8601 with zone; absent: now")]
LastEventId = Annotated[str | None, Header(description="id of the last event received: what changed since then is sent first")]


def planning_router(pool: PoolGetter, *, most_listeners: int = 256) -> APIRouter:
    """Routes below `/planning/v1`; `pool` gives connections of the reading role, at most `most_listeners` clients listen live."""
    router = APIRouter(prefix="/planning/v1", tags=["planning"])
    router.include_router(figures_router(pool))
    router.include_router(planning_devices_router(pool))
    hub = LiveHub(_changes_from(pool), most=most_listeners)

    @router.get("/stations", response_class=Response, responses={200: {"content": {"application/json": {}}}})
    async def stations() -> Response:  # pyright: ignore[reportUnusedFunction] - the router keeps it
        """All public Things with place (degrees, longitude first), theme, source and the latest value of each Datastream."""
        text = await _one_text(pool, STATIONS, {})
        return _json(text or "{}")

    @router.get("/series", response_class=Response, responses={200: {"content": {"application/json": {}}}})
    async def series(datastream: DatastreamId, hours: Hours = 24, until: Until = None) -> Response:  # pyright: ignore[reportUnusedFunction]
        """Give a Datastream's readings: `points` are [Unix time in ms, value in the Datastream's unit, QARTOD flag].

        About 400 at most; more are thinned to the lowest, the highest and the worst flagged of each part of the window.
        """
        end = aware("until", until)
        values = {"datastream": datastream, "seconds": hours * 3600, "until": end, "most": MOST_POINTS}
        text = await _one_text(pool, SERIES, values)
        if text is None:
            raise HTTPException(404, f"no public Datastream {datastream}")
        return _json(text)

    @router.get("/live", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
    async def live(last_event_id: LastEventId = None) -> Response:  # pyright: ignore[reportUnusedFunction]
        """Server-Sent Events `latest`: arrays of {id, thing, time, value, flag}, about once a second, while values change."""
        if hub.full:
            raise HTTPException(503, "too many live listeners", headers={"Retry-After": "10"})
        since = int(last_event_id) / 1000 if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 16 else None  # noqa: PLR2004
        return LiveResponse(hub, since)

    return router


async def _one_text(pool: PoolGetter, statement: bytes, values: dict[str, Any]) -> str | None:
    async with pool().connection() as connection:
        row = await (await connection.execute(statement, values)).fetchone()
    return None if row is None else str(row[0])


def _changes_from(pool: PoolGetter) -> Callable[[float], Any]:
    async def changes(since: float) -> list[Change]:
        async with pool().connection() as connection:
            rows = await (await connection.execute(CHANGES, {"since": since})).fetchall()
        return [Change(changed=changed, datastream=datastream, latest=latest) for changed, datastream, latest in rows]

    return changes


def _json(text: str) -> Response:
    return Response(text, media_type="application/json", headers={"cache-control": "no-cache"})
