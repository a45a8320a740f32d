"""A small region filled by SQL, and a reader that answers synchronously."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from api.database import make_pools
from api.sensorthings.odata.build import Access
from api.sensorthings.reader import Answer, Reader
from infra.settings import ApiSettings

ROOT = "http://region.example/v1.1"
START = "2026-03-01T00:00:00Z"

AGGREGATES = Path(__file__).with_name("aggregates.sql").read_text()
REGION = Path(__file__).with_name("region.sql").read_text() + AGGREGATES


class Asking:
    """Asks a reader and waits for its answer."""

    def __init__(self, reader: Reader, runner: asyncio.Runner) -> None:
        self.reader = reader
        self._runner = runner

    @property
    def postgis(self) -> bool:
        """Whether the database knows geometries."""
        return self._runner.run(self.reader.abilities()).postgis

    def answer(self, url: str, *, private: bool = False) -> Answer:
        path, _, query = url.partition("?")
        query = quote(query, safe="$&=%+()',;/:*@~")
        return self._runner.run(self.reader.read(path, query, Access(sees_private=private)))

    def json(self, url: str, *, private: bool = False) -> Any:
        body = self.answer(url, private=private).body
        return None if body is None else json.loads(body)

    def follow(self, link: str) -> Any:
        """Follow a link verbatim."""
        path, _, query = link.removeprefix(ROOT + "/").partition("?")
        body = self._runner.run(self.reader.read(path, query, Access(sees_private=False))).body
        return json.loads(body or b"null")

    def values(self, url: str, key: str, *, private: bool = False) -> list[Any]:
        return [entity[key] for entity in self.json(url, private=private)["value"]]

    def plan(self, url: str, *, generic: bool = False) -> str:
        """Give the plan for these values, or the one that a connection keeps for all."""
        path, _, query = url.partition("?")
        abilities = self._runner.run(self.reader.abilities())
        statement, parameters = self.reader.statement(path, quote(query, safe="$&=()',;/:"), Access(sees_private=False), abilities)

        async def explain() -> str:
            async with self.reader._pool.connection() as connection, psycopg.AsyncRawCursor(connection) as cursor:
                if generic:
                    await cursor.execute(b"EXPLAIN (GENERIC_PLAN) " + statement)
                else:
                    await cursor.execute(b"EXPLAIN " + statement, parameters)
                return "\n".join(row[0] for row in await cursor.fetchall())

        return self._runner.run(explain())


@contextmanager
def asking(database_url: str, **settings: Any) -> Iterator[Asking]:
    """Open a reader on a database."""
    with asyncio.Runner() as runner:
        chosen = ApiSettings(database_url=database_url, pool_size=1, **settings)

        async def open_pool() -> Any:
            pools = make_pools(chosen)
            await pools.reading.open(wait=True)
            return pools.reading

        pool = runner.run(open_pool())
        try:
            yield Asking(Reader(pool, chosen, "http://region.example"), runner)
        finally:
            runner.run(pool.close())


def fill(database_url: str, script: str = REGION) -> None:
    """Run a script of several statements."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(script)  # pyright: ignore[reportArgumentType, reportCallIssue]
