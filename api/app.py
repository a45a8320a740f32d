"""The HTTP application: what it opens and closes, its routes and middleware, and the server that runs it.

SensorThings' routes are plain Starlette routes, since FastAPI's own dispatch costs as much as all the rest of a small
request (docs/adr); planning, health and docs are ordinary FastAPI.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api.access import Guard
from api.database import Pools, make_pools
from api.docs import describe, docs_router
from api.errors import HANDLERS
from api.health import health_router
from api.limits import Limits
from api.metrics import Measure, Metrics
from api.page.routes import page_routes
from api.planning.routes import planning_router
from api.store import OpenStore, open_store
from infra.settings import ApiSettings

_LONGEST_STOP_S = 3
_KEEP_ALIVE_S = 30


def public_url_of(settings: ApiSettings) -> str:
    """Give the URL under which the world sees this API, without a slash at its end."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return (settings.public_url or f"http://{host}:{settings.http_port}").rstrip("/")


def create_app(settings: ApiSettings, *, store: OpenStore = open_store) -> FastAPI:
    """Make the application; connections are opened when it starts.

    Raises `OpenToTheWorldError` and `NoTokenError` of `api.access`.
    """
    guard = Guard.of(auth=settings.auth, token=settings.token.get_secret_value(), host=settings.host)
    metrics = Metrics()
    pools = make_pools(settings)
    public_url = public_url_of(settings)
    app = FastAPI(
        title="Smarte Grenzregion",
        description="Readings of the German-Danish border region: OGC SensorThings 1.1 and planning.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=partial(_lifespan, settings, pools, store),
        middleware=[
            Middleware(Measure, metrics),
            Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "HEAD"], expose_headers=["Location"]),
            Middleware(Limits, settings.query_bytes, settings.body_bytes),
        ],
        exception_handlers=dict(HANDLERS),
    )
    metrics.watch_pools(lambda: {pool.name: pool.get_stats() for pool in (pools.reading, pools.writing)})
    app.include_router(health_router(settings, metrics, lambda: pools.reading))
    app.include_router(docs_router())
    app.include_router(planning_router(lambda: pools.reading))
    app.router.routes.extend(page_routes())
    app.openapi = partial(describe, app, public_url=public_url)  # pyright: ignore[reportAttributeAccessIssue] -- FastAPI's documented way
    _ = guard
    return app


@asynccontextmanager
async def _lifespan(settings: ApiSettings, pools: Pools, opening: OpenStore, _app: FastAPI) -> AsyncGenerator[None]:
    await pools.open()
    try:
        store = await opening(settings.database_url)
        try:
            yield
        finally:
            await store.close()
    finally:
        await pools.close()


def run(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight then have a few seconds to end."""
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.http_port,
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_level=settings.log_level,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_LONGEST_STOP_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
