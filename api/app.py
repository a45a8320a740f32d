"""The HTTP application: what it opens and closes, its routes and middleware, and the server that runs it.

SensorThings' reading comes before any router and its writing by plain Starlette routes, since FastAPI's own dispatch costs as
much as all the rest of a small request; planning, health and docs are ordinary FastAPI.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route

from api.access import Guard
from api.database import Pools, make_pools
from api.docs import describe, docs_router
from api.errors import HANDLERS, UnavailableError
from api.health import health_router
from api.limits import Limits
from api.memory import keep_freed_memory
from api.metrics import Measure, Metrics
from api.operations.devices import devices_router
from api.operations.letters import letters_router
from api.page.routes import page_routes
from api.planning.alerts import AlertSource, acknowledging, alerts_router
from api.planning.routes import planning_router
from api.sensorthings.batch import Batches
from api.sensorthings.entities.model import EntitySet
from api.sensorthings.odata.build import Access
from api.sensorthings.reader import Reader
from api.sensorthings.routes import Reading, ReadingFirst
from api.sensorthings.wire.v1_1 import PREFIX
from api.sensorthings.writer.creator import Creator
from api.sensorthings.writer.editor import Editor
from api.sensorthings.writer.filtered import Filtered
from api.sensorthings.writer.links import Links
from api.sensorthings.writer.related import write_related
from api.sensorthings.writer.routes import Posting, PostingFirst, Writing, writing_routes
from api.sensorthings.writer.shown import shown_observation
from api.serving import Protocol
from api.store import OpenStore, Store, open_store
from infra.settings import ApiSettings, WorkerSettings
from infra.telemetry import set_up_logging
from streams.contract import AlertBook, LetterBox, alert_rules, limits_of, sinks_of

DEFAULT_TAKING = WorkerSettings.model_construct()
_LONGEST_STOP_S = 3
_KEEP_ALIVE_S = 30
_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE")  # for pages of other origins, which bring a token to write
_SHOWN = ("ETag", "Location", "Link", "Content-Language", "Retry-After")  # of an answer's headers


def public_url_of(settings: ApiSettings) -> str:
    """Give the URL under which the world sees this API, without a slash at its end."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return (settings.public_url or f"http://{host}:{settings.http_port}").rstrip("/")


@dataclass(slots=True, kw_only=True)
class Services:
    """What is open while the application runs."""

    pools: Pools
    opening: OpenStore
    shown: bytes  # of an Observation, see `api.sensorthings.writer.shown`
    opening_letters: Callable[[], Awaitable[LetterBox]]
    store: Store | None = None
    box: LetterBox | None = None

    def running_store(self) -> Store:
        """Give the store; before the start and after the stop there is none."""
        if self.store is None:
            raise UnavailableError("the API is starting or stopping")
        return self.store

    async def letters(self) -> LetterBox:
        """Give the dead letters, opened when somebody first asks for them."""
        if self.box is None:
            self.box = await self.opening_letters()
        return self.box

    @asynccontextmanager
    async def lifespan(self, database_url: str, _app: FastAPI) -> AsyncGenerator[None]:
        """Open pools and store; close them when the application stops, even when its start failed."""
        await self.pools.open()
        try:
            self.store = await self.opening(database_url, self.shown)
            try:
                yield
            finally:
                await self.store.close()
                self.store = None
                if self.box is not None:
                    await self.box.close()
                    self.box = None
        finally:
            await self.pools.close()


def create_app(settings: ApiSettings, *, store: OpenStore = open_store, taking: WorkerSettings = DEFAULT_TAKING) -> FastAPI:
    """Make the application; connections are opened when it starts. `taking`: limits of what is taken in, for replayed letters.

    Raises `OpenToTheWorldError` and `NoTokenError` of `api.access`.
    """
    guard = Guard.of(auth=settings.auth, token=settings.token.get_secret_value(), host=settings.host)
    metrics = Metrics()
    shown = shown_observation(public_url_of(settings) + PREFIX)
    services = Services(
        pools=make_pools(settings),
        opening=store,
        shown=shown,
        opening_letters=partial(LetterBox.open, settings.database_url, *limits_of(taking), "api-letters", write_related),
    )
    reading = Reading(
        reader=Reader(services.pools.reading, settings, public_url_of(settings)),
        guard=guard,
        public_url=public_url_of(settings),
        mqtt_endpoints=tuple(settings.mqtt_endpoints.split()),
    )
    writing = _writing(services, reading, metrics)
    app = FastAPI(
        title="Smarte Grenzregion",
        description="Readings of the German-Danish border region: OGC SensorThings 1.1 and planning.",
        version="1",
        docs_url=None,
        redoc_url=None,
        # Our own metrics stand at /metrics; a second set costs a tenth of a small request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        routes=_sensorthings(guard, reading, writing),
        lifespan=partial(services.lifespan, settings.database_url),
        middleware=[
            Middleware(Measure, metrics),
            Middleware(ReadingFirst, Limits(reading, settings.query_bytes, settings.body_bytes)),
            Middleware(PostingFirst, Limits(Posting(writing), settings.query_bytes, settings.body_bytes)),
            Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=_METHODS, allow_headers=["*"], expose_headers=_SHOWN),
            Middleware(Limits, settings.query_bytes, settings.body_bytes),
        ],
        exception_handlers=dict(HANDLERS),
    )
    pools = services.pools
    metrics.watch_pools(lambda: {pool.name: pool.get_stats() for pool in (pools.reading, pools.writing)})
    app.include_router(health_router(settings, metrics, lambda: pools.reading))
    app.include_router(docs_router())
    app.include_router(letters_router(guard, services.letters))
    app.include_router(devices_router(guard, lambda: pools.reading, services.letters))
    app.include_router(planning_router(lambda: pools.reading))
    book = acknowledging(AlertBook(sinks_of(taking)), lambda: pools.writing)
    app.include_router(
        alerts_router(
            AlertSource(guard=guard, reading=lambda: pools.reading, acknowledge=book, rules=alert_rules(taking.alert_rules))
        )
    )
    app.router.routes.extend(page_routes())
    app.openapi = partial(describe, app, public_url=public_url_of(settings))  # pyright: ignore[reportAttributeAccessIssue] -- FastAPI's documented way
    return app


def _writing(services: Services, reading: Reading, metrics: Metrics) -> Writing:
    reader = reading.reader

    async def read_entity(entity_set: EntitySet, number: int) -> bytes | None:
        return (await reader.read(f"{entity_set.name}({number})", "", Access(sees_private=True))).body

    async def find(path: str, query: str) -> bytes | None:
        return (await reader.read(path, query, Access(sees_private=True))).body

    editor = Editor(pool=services.pools.writing, store=services.running_store)
    return Writing(
        creator=Creator(pool=services.pools.writing, store=services.running_store),
        editor=editor,
        links=Links(editor=editor, read=read_entity),
        filtered=Filtered(editor=editor, find=find, read=read_entity),
        guard=reading.guard,
        metrics=metrics,
        root=reading.public_url + PREFIX,
        read=read_entity,
    )


def _sensorthings(guard: Guard, reading: Reading, writing: Writing) -> list[BaseRoute]:
    batches = Batches(guard=guard, pool=writing.creator.pool, prefix=PREFIX, root=writing.root)
    batch = Route(PREFIX + "/$batch", batches.answer, methods=["POST"])
    return [batch, *reading.routes(), *writing_routes(writing, PREFIX)]


def run(settings: ApiSettings, taking: WorkerSettings = DEFAULT_TAKING) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight then have a few seconds to end."""
    set_up_logging("api", settings.log_level)
    keep_freed_memory()
    uvicorn.run(
        create_app(settings, taking=taking),
        host=settings.host,
        port=settings.http_port,
        loop="uvloop",
        http=Protocol,
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_LONGEST_STOP_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
