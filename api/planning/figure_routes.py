"""Routes of figures and of those that changed. Public Things only, whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Response

from api.database import PoolGetter
from api.planning.figures import FLAGS, Asked, UnfitFigureError, UnknownPublicDatastreamError, figures
from api.planning.sql import REVISIONS
from api.planning.times import aware
from api.planning.wire import FigureName, Figures, Revisions, Span

LARGEST_ID = 2**53 - 1
MOST_REVISED = 1_000
USUAL: dict[str, timedelta] = {
    "quarter_hour": timedelta(days=1),
    "hour": timedelta(days=7),
    "day": timedelta(days=31),
    "month": timedelta(days=366),
}

DatastreamId = Annotated[int, Query(ge=1, le=LARGEST_ID, description="id of a Datastream")]
OneDatastream = Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="id of a Datastream; absent: all")]
Name = Annotated[FigureName, Query(description="which figure")]
SpanOf = Annotated[Span, Query(description="length of a bucket; day and month are local to the Thing's time zone")]
Since = Annotated[
    datetime | None, Query(description="a time in the first bucket, ISO 8601 with zone; absent: as far back as usual")
]
Until = Annotated[datetime | None, Query(description="buckets that begin before it, ISO 8601 with zone; absent: now")]
UsedFlags = Annotated[str, Query(pattern=r"^[12349](,[12349])*$", description="QARTOD flags of the readings that make the value")]
AsOf = Annotated[datetime | None, Query(description="what was known at this instant, ISO 8601 with zone; absent: now")]
ChangedSince = Annotated[datetime | None, Query(description="changes since, ISO 8601 with zone; absent: a week before `until`")]
ChangedUntil = Annotated[datetime | None, Query(description="changes before, ISO 8601 with zone; absent: now")]


def figures_router(pool: PoolGetter) -> APIRouter:
    """Routes `/figures` and `/revisions`; `pool` gives connections of the reading role."""
    router = APIRouter()

    @router.get("/figures", responses={200: {"model": Figures}}, response_class=Response)
    async def read_figures(  # pyright: ignore[reportUnusedFunction] - the router keeps it
        datastream: DatastreamId,
        figure: Name = "statistics",
        span: SpanOf = "hour",
        since: Since = None,
        until: Until = None,
        flags: UsedFlags = "1",
        as_of: AsOf = None,
    ) -> Response:
        """Give a Datastream's figure for each bucket, and what it rests on.

        - `statistics`: mean, sum, min, max
        - `circular_mean`: mean direction in degrees
        - `percentiles`: P5, P10, P50, P90, P95
        - `time_weighted_mean`: the mean of an irregular series
        - `increase`: what a counter counted over its resets
        - `state_shares`: share of each state in the time in which it is known; of a parking bay, occupied / (occupied + free)
        - `distribution`: how often each state was reported
        - `lden`: by the country of the site; `noise_levels`: LAeq, L10, L50, L90
        - `bathing_water`: P95 and P90 after 2006/7/EC

        With `as_of`: what was known then. A `changed` bucket was revised after it had been closed.
        """
        now = datetime.now(UTC)
        end = aware("until", until) or now
        asked = Asked(
            datastream=datastream,
            figure=figure,
            span=span,
            since=aware("since", since) or end - USUAL[span],
            until=end,
            flags=tuple(flag for flag in FLAGS if str(flag) in flags),
            as_of=aware("as_of", as_of),
        )
        try:
            async with pool().connection() as connection:
                answer = await figures(connection, asked, now)
        except UnknownPublicDatastreamError as error:
            raise HTTPException(404, str(error)) from error
        except UnfitFigureError as error:
            raise HTTPException(400, str(error)) from error
        return _json(answer)

    @router.get("/revisions", responses={200: {"model": Revisions}}, response_class=Response)
    async def read_revisions(  # pyright: ignore[reportUnusedFunction]
        since: ChangedSince = None, until: ChangedUntil = None, span: SpanOf = "day", datastream: OneDatastream = None
    ) -> Response:
        """List closed figures that changed: which bucket of which Datastream, how often, when and why."""
        end = aware("until", until) or datetime.now(UTC)
        start = aware("since", since) or end - USUAL["hour"]
        values = {"since": start, "until": end, "span": span, "datastream": datastream, "most": MOST_REVISED + 1}
        async with pool().connection() as connection:
            rows = await (await connection.execute(REVISIONS, values)).fetchall()
        names = ("datastream", "name", "station", "bucket", "revisions", "first_change", "last_change", "causes")
        revised = [{"span": span, **dict(zip(names, row, strict=True))} for row in rows[:MOST_REVISED]]
        return _json({"since": start, "until": end, "revised": revised, "more": len(rows) > MOST_REVISED})

    return router


def _json(answer: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json", headers={"cache-control": "no-cache"})
