"""Quarantined devices and paused workers over HTTP (docs/dead-letters.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from psycopg import AsyncConnection

from api.access import Guard
from api.database import Pool, statement
from api.errors import ConflictError, UnknownEntityError
from api.operations.letters import OpenBox, Who

_STANDING = statement(__file__, "standing.sql")


def devices_router(guard: Guard, reading: Callable[[], Pool], box: OpenBox) -> APIRouter:
    """Routes below `/operations/v1`; each wants the writer's token."""

    def writer(request: Request) -> None:
        guard.require_writer(request.headers)

    router = APIRouter(prefix="/operations/v1", tags=["operations"], dependencies=[Depends(writer)])

    @router.get("/standing")
    async def standing() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - the router keeps it
        """Quarantined devices, and workers that are paused."""
        async with reading().connection() as connection:
            return await read_standing(connection)

    @router.post("/devices/{tenant}/{device}/release")
    async def release(tenant: str, device: str, who: Who = "api") -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """Take a device out of quarantine; what was set aside waits to be replayed."""
        if not await (await box()).release(tenant, device, who):
            raise UnknownEntityError(f"no device {tenant}/{device} is quarantined")
        return {"released": f"{tenant}/{device}"}

    @router.post("/resume")
    async def resume(  # pyright: ignore[reportUnusedFunction]
        worker: Annotated[str | None, Query(description="one worker; absent: all")] = None, who: Who = "api"
    ) -> dict[str, Any]:
        """Let paused workers go on."""
        resumed = await (await box()).resume(who, worker)
        if not resumed:
            raise ConflictError("no worker is paused")
        return {"resumed": resumed}

    return router


async def read_standing(connection: AsyncConnection[Any]) -> dict[str, Any]:
    """Give quarantined devices and paused workers."""
    row = await (await connection.execute(_STANDING)).fetchone()
    assert row is not None
    return {"quarantined": row[0], "paused": row[1]}
