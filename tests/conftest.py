"""Servers and databases for tests.

- `server_set`: every test that asks for it runs on `embedded` and on `local`; started once, when first asked for.
- `database`: conninfo of a new, migrated, empty database on `embedded`; `database_on_each`: on both sets, one after the other.

`local` is skipped where it is not installed, and fails where `GRENZREGION_REQUIRE_LOCAL=1` (decisions.md 21).

With `-n 2` (the whole suite) each of two processes has servers of its own and takes file after file.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from needs import missing, need
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from infra.migrate import migrate
from infra.servers import local
from infra.servers.embedded import embedded_set
from infra.servers.set import ServerSet

QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}  # of PostgreSQL, for databases that live one test
TEMPLATE = "grenzregion_template"

# A loaded machine is no fault of the code under test.
settings.register_profile("grenzregion", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("grenzregion")


def pytest_report_header() -> list[str]:
    return [f"skipped: what needs this: {what}" for what in missing()] or ["servers: embedded and local"]


class ByFile(LoadFileScheduling):
    """Files whole, in the order they were collected: what takes minutes stands first."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "tests/e2e" if file.startswith("tests/e2e/") else file  # its files share their platforms


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


class Servers:
    """Sets of servers, started when first asked for, and the template database of each."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._sets: dict[str, ServerSet] = {}
        self._templates: set[str] = set()
        self._numbers = itertools.count(1)

    def get(self, name: str) -> ServerSet:
        if name not in self._sets:
            need(name)
            start = embedded_set if name == "embedded" else local.local_set
            self._sets[name] = self._stack.enter_context(start(self._folder / name, postgres_settings=QUICK))
        return self._sets[name]

    @contextmanager
    def database(self, name: str) -> Generator[str]:
        """Clone the template; gives the conninfo of the new database, which is dropped afterwards."""
        url = self.get(name).places.database_url
        if name not in self._templates:
            _make_template(url)
            self._templates.add(name)
        database = f"test_{next(self._numbers)}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database} TEMPLATE {TEMPLATE}")
        try:
            yield in_database(url, database)
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {database} WITH (FORCE)")


def in_database(url: str, database: str) -> str:
    return url.rpartition("/")[0] + "/" + database


def _make_template(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(in_database(url, TEMPLATE))
        # TimescaleDB's workers must not hold the template while it is copied.
        connection.execute(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s", (TEMPLATE,))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(tmp_path_factory.mktemp("servers"), stack)


@pytest.fixture(scope="session", params=["embedded", "local"])
def server_set(request: pytest.FixtureRequest, servers: Servers) -> ServerSet:
    return servers.get(request.param)


@pytest.fixture
def database(servers: Servers) -> Iterator[str]:
    with servers.database("embedded") as url:
        yield url


@pytest.fixture
def database_on_each(server_set: ServerSet, servers: Servers) -> Iterator[str]:
    with servers.database(server_set.name) as url:
        yield url
