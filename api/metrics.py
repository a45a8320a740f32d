"""What the API counts about itself, for Prometheus; docs/api.md lists every name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PREFIXES = (
    ("/v1.1", "sensorthings"),
    ("/planning", "planning"),
    ("/health", "health"),
    ("/metrics", "health"),
    ("/docs", "docs"),
    ("/openapi.json", "docs"),
)
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

PoolFigures = Callable[[], Mapping[str, Mapping[str, int]]]


def route_class(path: str) -> str:
    """Name the part of the API that a path belongs to; few names, so that a client can't make metrics grow."""
    return next((name for prefix, name in _PREFIXES if path.startswith(prefix)), "page")


def _registry() -> CollectorRegistry:
    return CollectorRegistry(auto_describe=True)


@dataclass(slots=True, kw_only=True)
class Metrics:
    """The counters of one application: each has its own registry, so several can live in one process."""

    registry: CollectorRegistry = field(default_factory=_registry)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    created: Callable[[str], Counter] = field(init=False)  # by entity set
    batch: Histogram = field(init=False)

    def __post_init__(self) -> None:
        """Register every metric under its name."""
        self.requests = Counter(
            "grenzregion_api_requests", "requests answered", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "grenzregion_api_request_seconds",
            "seconds from request to the end of its response",
            ["route", "method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        created = Counter("grenzregion_api_created", "entities created, by entity set", ["set"], registry=self.registry)
        self.created = cache(created.labels)  # to look one up by its label costs more than to count
        self.batch = Histogram(
            "grenzregion_api_store_batch",
            "Observations of one request that were handed to the store",
            buckets=(1, 10, 100, 1_000, 10_000),
            registry=self.registry,
        )

    def watch_pools(self, figures: PoolFigures) -> None:
        """Show the connection pools: `figures` gives psycopg_pool's statistics by the pool's name."""
        self.registry.register(_Pools(figures))

    def page(self) -> bytes:
        """Write all as Prometheus's text."""
        return generate_latest(self.registry)


class _Pools(Collector):
    def __init__(self, figures: PoolFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the pools' statistics at the moment of the scrape."""
        size = GaugeMetricFamily("grenzregion_api_pool_size", "database connections", labels=["pool"])
        free = GaugeMetricFamily("grenzregion_api_pool_available", "idle database connections", labels=["pool"])
        waiting = GaugeMetricFamily("grenzregion_api_pool_waiting", "requests that wait for a connection", labels=["pool"])
        for name, stats in self._figures().items():
            size.add_metric([name], stats.get("pool_size", 0))
            free.add_metric([name], stats.get("pool_available", 0))
            waiting.add_metric([name], stats.get("requests_waiting", 0))
        yield from (size, free, waiting)


@dataclass(frozen=True, slots=True)
class Measure:
    """ASGI middleware that counts requests and their time.

    What a route, method and status count with is kept: to look it up by its labels costs more than to count.
    """

    app: ASGIApp
    metrics: Metrics
    _kept: dict[tuple[str, str, int], tuple[Histogram, Counter]] = field(
        default_factory=dict[tuple[str, str, int], tuple[Histogram, Counter]]
    )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request; one that ends in a bug counts as 500."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        route = route_class(scope["path"])
        method: str = scope["method"] if scope["method"] in _METHODS else "other"
        start = time.perf_counter()
        try:
            await self.app(scope, receive, watched)
        finally:
            seconds, requests = self._kept.get((route, method, status)) or self._labelled(route, method, status)
            seconds.observe(time.perf_counter() - start)
            requests.inc()

    def _labelled(self, route: str, method: str, status: int) -> tuple[Histogram, Counter]:
        metrics = self.metrics
        found = metrics.seconds.labels(route, method), metrics.requests.labels(route, method, str(status))
        self._kept[route, method, status] = found
        return found
