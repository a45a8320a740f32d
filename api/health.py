"""Health of the API and what it depends on, and its metrics.

`/health/live`: the process answers. `/health/ready`: 200 while the database answers, else 503; brokers that are away are
told but leave the API ready, since reading goes on without them. Paused workers and quarantined devices are told too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.database import Pool, statement
from api.metrics import Metrics
from api.operations.devices import read_standing
from infra.settings import ApiSettings

_LONGEST_CHECK_S = 2.0
_NEWEST = statement(__file__, "newest_reading.sql")

Finding = dict[str, Any]


def health_router(settings: ApiSettings, metrics: Metrics, reading: Callable[[], Pool]) -> APIRouter:
    """Make the routes `/health/live`, `/health/ready` and `/metrics`; `reading` gives the reading pool."""
    router = APIRouter(tags=["health"])

    async def live() -> Finding:
        """Say that the process answers."""
        return {"status": "alive"}

    async def ready() -> JSONResponse:
        """Say for each dependency whether it answers, and how old the newest stored reading is."""
        report = await _report(settings, reading())
        status = HTTPStatus.OK if report["dependencies"]["database"]["ok"] else HTTPStatus.SERVICE_UNAVAILABLE
        headers = {"Cache-Control": "no-store"} | ({} if status == HTTPStatus.OK else {"Retry-After": "5"})
        return JSONResponse(report, status_code=status, headers=headers)

    async def figures() -> PlainTextResponse:
        """Give the metrics in Prometheus's text format."""
        return PlainTextResponse(metrics.page(), media_type=CONTENT_TYPE_LATEST)

    router.add_api_route("/health/live", live, methods=["GET"])
    router.add_api_route("/health/ready", ready, methods=["GET"], response_class=JSONResponse)
    router.add_api_route("/metrics", figures, methods=["GET"], response_class=PlainTextResponse)
    return router


async def _report(settings: ApiSettings, pool: Pool) -> Finding:
    first_broker = settings.kafka.split(",")[0].strip()
    host, _, port = first_broker.rpartition(":")
    database, kafka, mqtt = await asyncio.gather(
        _timed(_ask_database(pool)),
        _timed(_connect(host, int(port) if port.isdigit() else 9092)),
        _timed(_connect(settings.mqtt_host, settings.mqtt_port)),
    )
    newest: Finding | None = database.pop("newest", None)
    standing: Finding = database.pop("standing", {"paused": [], "quarantined": []})
    dependencies = {"database": database, "kafka": kafka, "mqtt": mqtt}
    healthy = "ready" if kafka["ok"] and mqtt["ok"] and not standing["paused"] else "degraded"
    return {
        "status": healthy if database["ok"] else "not ready",
        "dependencies": dependencies,
        "newest_reading": newest,
        "paused_workers": [each["worker"] for each in standing["paused"]],
        "quarantined_devices": len(standing["quarantined"]),
    }


async def _timed(check: Awaitable[Finding]) -> Finding:
    start = time.perf_counter()
    try:
        async with asyncio.timeout(_LONGEST_CHECK_S):
            found = await check
    except TimeoutError:
        return {"ok": False, "reason": f"no answer within {_LONGEST_CHECK_S:.0f} s"}
    except (OSError, psycopg.Error):  # the reason stays in the log of the driver: addresses are nobody's business
        return {"ok": False, "reason": "away"}
    return {"ok": True, "ms": round((time.perf_counter() - start) * 1000, 1)} | found


async def _ask_database(pool: Pool) -> Finding:
    async with pool.connection() as connection:
        row = await (await connection.execute(_NEWEST)).fetchone()
        standing = await read_standing(connection)
    if row is None or row[0] is None:
        return {"newest": None, "standing": standing}
    newest, stored = row
    return {"standing": standing, "newest": {"time": newest.isoformat(), "stored": stored.isoformat(), "age_s": _age_s(stored)}}


def _age_s(stored: datetime) -> float:
    return round((datetime.now(UTC) - stored).total_seconds(), 1)


async def _connect(host: str, port: int) -> Finding:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return {}
