"""How devices are: last seen, battery, gaps, clock, repeats, quarantine. Public Things only, whoever asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.database import PoolGetter, statement

MOST = 1_000
LARGEST_ID = 2**53 - 1
_DEVICES = statement(__file__, "devices.sql")

Limit = Annotated[int, Query(ge=1, le=MOST)]
After = Annotated[int, Query(ge=0, le=LARGEST_ID, description="`next` of the page before")]
Thing = Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="the device of this Thing alone")]
Quarantined = Annotated[bool | None, Query(description="only devices that are, or are not, quarantined")]
Silent = Annotated[
    bool | None, Query(description="only devices not heard of for three intervals, at least 15 minutes; or the others")
]


def planning_devices_router(pool: PoolGetter) -> APIRouter:
    """Route `/devices`, below the planning API's prefix; `pool` gives connections of the reading role."""
    router = APIRouter()

    @router.get("/devices", response_class=Response, responses={200: {"content": {"application/json": {}}}})
    async def devices(  # pyright: ignore[reportUnusedFunction] - the router keeps it
        limit: Limit = 200, after: After = 0, thing: Thing = None, quarantined: Quarantined = None, silent: Silent = None
    ) -> Response:
        """Devices: last seen, battery, clock, gaps and repeats by `seq`, quarantine.

        `clock_offset_s`: seconds from the newest time in a message to its reception. `missing`: messages between the lowest and the
        highest `seq` that did not come (yet), lost for good where the device has no outbox; `gap_rate`: their share. `repeats`:
        messages that came again. `refused_run`: messages in a row of which nothing could be stored.
        """
        values = {"most": limit, "after": after, "thing": thing, "quarantined": quarantined, "silent": silent}
        async with pool().connection() as connection:
            row = await (await connection.execute(_DEVICES, values)).fetchone()
        assert row is not None
        return Response(row[0], media_type="application/json", headers={"cache-control": "no-cache"})

    return router
