"""What is asked of the API, and what the reference server reached on such a machine (requests a second; rows where it says so)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from benchmarks.api_client import Connection, Measured, Service, Work, measure
from benchmarks.api_region import Region, minute

ROWS = 1_000  # of a CreateObservations request
SPREAD = 10  # its Datastreams
_25_OF_10_000 = "POLYGON((8.395 48.995,8.3999 48.995,8.3999 48.9999,8.395 48.9999,8.395 48.995))"
_25_OF_100 = "POLYGON((8.395 48.995,8.445 48.995,8.445 49.045,8.395 49.045,8.395 48.995))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One row of the table. `asked` is the least rate (None: none is asked for), `p50_ms` and `p99_ms` the longest times."""

    name: str
    about: str
    clients: int
    frost: str
    asked: float | None
    work: Work
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One kind of reading requests: `path` gives the next one below the service root."""

    name: str
    about: str
    path: Callable[[], str]
    frost: str = ""
    asked: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None

    def stage(self, clients: int) -> Stage:
        """Give the stage in which so many clients ask."""
        return Stage(
            name=self.name, about=self.about, clients=clients, frost=self.frost, asked=self.asked, work=_get(self.path),
            p50_ms=self.p50_ms, p99_ms=self.p99_ms,
        )  # fmt: skip


def within() -> list[Read]:
    """Give f6 among many Things: as many as of the hundred lie in the polygon, and as large a part."""
    return [
        Read(name="f6 many", about="st_within, 25 of 10,000", path=_within(_25_OF_10_000), p50_ms=20),
        Read(name="f6 fourth", about="st_within, 2,500 of 10,000, $top=100", path=_within(_25_OF_100), p50_ms=20),
    ]


def _within(polygon: str) -> Callable[[], str]:
    return lambda: f"Things?$filter=st_within(Locations/location,geography'{polygon}')"


def compared(region: Region, ids: list[int]) -> list[Read]:
    """Give the requests that must not become slower with the number of Observations; `ids` are of Observations."""
    turns = itertools.count(1)

    def datastream() -> int:
        return region.datastreams[next(turns) * 37 % len(region.datastreams)]

    return [
        Read(name="by id", about="one Observation", path=lambda: f"Observations({ids[next(turns) % len(ids)]})"),
        Read(
            name="latest", about="latest value of a Datastream",
            path=lambda: f"Datastreams({datastream()})/Observations?$top=1&$orderby=phenomenonTime desc",
        ),
        Read(
            name="newest 100", about="one Datastream, $top=100, newest first",
            path=lambda: f"Datastreams({datastream()})/Observations?$top=100&$orderby=phenomenonTime desc",
        ),
        Read(
            name="newest 1000", about="one Datastream, $top=1000, newest first",
            path=lambda: f"Datastreams({datastream()})/Observations?$top=1000&$orderby=phenomenonTime desc",
        ),
    ]  # fmt: skip


def reading(region: Region) -> list[Read]:
    """Give the requests f1–f7."""
    turns = itertools.count(1)

    def datastream() -> int:
        return region.datastreams[next(turns) * 37 % len(region.datastreams)]

    def window(minutes: int = 60) -> str:
        first = next(turns) * 61 % max(1, min(region.minutes) - minutes)
        return f"phenomenonTime ge {minute(first)} and phenomenonTime lt {minute(first + minutes)}"

    def read(name: str, about: str, frost: str, asked: float, path: Callable[[], str], *, p99_ms: float | None = None) -> Read:
        return Read(name=name, about=about, frost=frost, asked=asked, path=path, p99_ms=p99_ms)

    latest = "Things?$expand=Locations,Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))&$top=100"
    return [
        read("f1", "Datastreams, $top=100", "601", 1_200, lambda: "Datastreams?$top=100"),
        read(
            "f2", "one Datastream, $top=1000, newest first", "172", 400,
            lambda: f"Datastreams({datastream()})/Observations?$top=1000&$orderby=phenomenonTime desc", p99_ms=50,
        ),
        read(
            "f3", "time window and result over all", "13", 900,
            lambda: f"Observations?$filter={window()} and result gt 20&$top=100",
        ),
        read("f4", "100 Things, latest of each Datastream", "2.4–6.6", 80, lambda: latest),
        read("f5", "exact count of all", "4", 1_500, lambda: "Observations?$count=true&$top=1"),
        read(
            "f5 one", "exact count of a Datastream", "", 1_500,
            lambda: f"Datastreams({datastream()})/Observations?$count=true&$top=1",
        ),
        read(
            "f5 window", "exact count of a time window", "", 200,
            lambda: f"Observations?$filter={window(600)}&$count=true&$top=1",
        ),
        read(
            "f6", "st_within, 25 of 100", "1,219", 1_600, _within(_25_OF_100),
        ),
        read(
            "f7", "one Datastream as dataArray, $top=1000", "250", 550,
            lambda: f"Datastreams({datastream()})/Observations?$resultFormat=dataArray&$top=1000",
        ),
    ]  # fmt: skip


def posting(region: Region) -> list[Stage]:
    """Give the stages of single Observations."""

    async def post(connection: Connection) -> tuple[int, str]:
        datastream, body = region.observation()
        status, answer = await connection.request("POST", f"Datastreams({datastream})/Observations", body)
        return (1, "") if status == 201 else (0, f"{status} {answer[:300]!r}")

    return [
        Stage(name="POST 1", about="one Observation, 1 client", clients=1, frost="402", asked=520, work=post),
        Stage(name="POST 16", about="one Observation, 16 clients", clients=16, frost="862", asked=2_500, work=post),
    ]


def arrays(region: Region) -> Stage:
    """Give the stage of data arrays; its rate is of rows."""

    async def post(connection: Connection) -> tuple[int, str]:
        status, answer = await connection.request("POST", "CreateObservations", region.arrays(ROWS, SPREAD))
        if status != 201:
            return 0, f"{status} {answer[:300]!r}"
        links = msgspec.json.decode(answer, type=list[str])
        stored = sum(not link.startswith("error") for link in links)
        return stored, "" if stored == ROWS else f"{ROWS - stored} rows refused: {next(x for x in links if x.startswith('error'))}"

    return Stage(
        name="arrays", about="CreateObservations, rows, 4 clients", clients=4, frost="1,360–2,089", asked=40_000, work=post
    )


async def run(service: Service, stage: Stage, seconds: float) -> Measured:
    """Warm up, then measure one stage."""
    await measure(service, stage.work, clients=stage.clients, seconds=min(1.0, seconds / 4))
    return await measure(service, stage.work, clients=stage.clients, seconds=seconds)


def _get(path: Callable[[], str]) -> Work:
    async def get(connection: Connection) -> tuple[int, str]:
        status, answer = await connection.request("GET", path())
        return (1, "") if status == 200 else (0, f"{status} {answer[:300]!r}")

    return get
