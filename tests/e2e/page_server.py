"""A small server for the tests of the page: its routes and the planning API on a database, in this process on a free port."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import uvicorn
from fastapi import FastAPI
from page_sample import fill
from psycopg_pool import AsyncConnectionPool

from api.access import Guard
from api.page.routes import page_routes
from api.planning.alerts import AlertSource, alerts_router
from api.planning.routes import planning_router
from streams.contract import alert_rules


async def _nobody(_alert: int, _by: str, _note: str | None) -> bool:
    return False


def small_app(database: str) -> FastAPI:
    """The page's and the planning API's routes with a pool of the reading role."""
    pool: list[AsyncConnectionPool[psycopg.AsyncConnection[Any]]] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with AsyncConnectionPool(
            database, min_size=2, max_size=4, open=False, kwargs={"options": "-c role=grenzregion_reader -c timezone=UTC"}
        ) as opened:
            pool.append(opened)
            yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(planning_router(lambda: pool[0]))
    app.include_router(
        alerts_router(AlertSource(guard=Guard(token=b"-"), reading=lambda: pool[0], acknowledge=_nobody, rules=alert_rules()))
    )
    app.router.routes.extend(page_routes())
    return app


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve on a free port; yields the URL with its final slash."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1, ws="none"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            thread.join(0.02)
        assert server.started
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A served page, its database, and its Datastreams' ids by `thing/channel`."""

    url: str
    database: str
    streams: dict[str, int]


@contextmanager
def site_on(servers: Any) -> Iterator[Site]:
    """Serve the sample's Things from a database of their own; `servers` is the fixture of that name."""
    with servers.database("embedded") as database:
        streams = fill(database)
        with serving(small_app(database)) as url:
            yield Site(url=url, database=database, streams=streams)
