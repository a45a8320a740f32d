"""Answers reading requests: parse, compile, run one statement, hand on its bytes.

Statements are cached by the request's shape, and parsed requests by their text, since clients repeat themselves. Errors are
those of `odata.errors` and the driver's, which `api.errors` translates.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache

from psycopg.errors import InternalError_

from api.database import Pool
from api.sensorthings.odata.build import Abilities, Access
from api.sensorthings.odata.compiler import compile_request
from api.sensorthings.odata.errors import MalformedQueryError, UnknownResourceError
from api.sensorthings.odata.limits import Limits
from api.sensorthings.odata.options import continued
from api.sensorthings.odata.parser import parse
from api.sensorthings.odata.statement import Statement
from api.sensorthings.odata.syntax import Parsed, Request
from api.sensorthings.wire.text import SEPARATOR
from api.sensorthings.wire.v1_1 import PREFIX, WireV11
from api.unit import within
from infra.connection import Connection
from infra.settings import ApiSettings

_SHAPES = 512
_REQUESTS = 1_024
_TELLS = b"SELECT (is_there AND tells)::text FROM notifier"
_ABILITIES = b"SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis')::text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A finished answer. `body` None: the property has no value. `rest`: what comes behind it, read while it is sent.

    `brief` is a shorter text that is another one whenever the body is, where there is one.
    """

    body: bytes | None
    media: str
    rest: AsyncIterator[bytes] | None = None
    brief: bytes | None = None


class Reader:
    """Reads SensorThings entities through a pool of reading connections, under the public URL of the service."""

    def __init__(self, pool: Pool, settings: ApiSettings, public_url: str) -> None:
        self._pool = pool
        self._limits = Limits.of(settings)
        self._wire = WireV11(public_url + PREFIX)
        self._abilities: Abilities | None = None
        self._compiled = lru_cache(_SHAPES)(self._compile)
        self._parsed = lru_cache(_REQUESTS)(self._parse)
        self._bound = lru_cache(_REQUESTS)(self._bind)

    async def abilities(self) -> Abilities:
        """Ask the database once what it can do."""
        if self._abilities is None:
            found = await self._fetch(_ABILITIES, [])
            self._abilities = Abilities(postgis=found == [b"true"])
        return self._abilities

    async def tells_subscribers(self) -> bool:
        """Whether whatever somebody subscribes to at the MQTT broker is published."""
        return await self._fetch(_TELLS, []) == [b"true"]

    async def read(self, path: str, query: str, access: Access) -> Answer:
        """Answer a path below the service root and a query string, both percent-encoded."""
        abilities = await self.abilities()
        parsed, statement, parameters = self._bound(path, query, access, abilities)
        found = await self._fetch(statement.query, parameters)
        if not found and statement.bounded:
            # An Observation that was moved to another day keeps its id.
            found = await self._run(self._compiled(parsed.request, access, abilities, unbounded=True), parsed)
        if not found:
            raise UnknownResourceError(f"there is no {path.strip('/')}")
        if not statement.token:
            return _page(found, statement) if statement.excess else Answer(body=_joined(found), media=statement.media)
        first, token = statement.header + (found[0] or b""), found[1]
        return Answer(body=first, media=statement.media, rest=None if token is None else self._rest(parsed, access, token))

    async def _rest(self, parsed: Parsed, access: Access, token: bytes) -> AsyncIterator[bytes]:
        """Read a long answer piece by piece, each by a statement of its own that goes on behind the last row."""
        abilities = await self.abilities()
        following: bytes | None = token
        while following is not None:
            there = continued(parsed, following.decode())
            text, following = await self._run(self._compiled(there.request, access, abilities, unbounded=False), there)
            yield text or b""

    def statement(self, path: str, query: str, access: Access, abilities: Abilities) -> tuple[bytes, list[str]]:
        """Give the SQL of a request and its parameters, for tests of plans."""
        _, statement, parameters = self._bound(path, query, access, abilities)
        return statement.query, [parameter.decode() for parameter in parameters]

    def forget(self) -> None:
        """Compile and parse anew from now on."""
        for kept in (self._compiled, self._parsed, self._bound):
            kept.cache_clear()

    def _bind(self, path: str, query: str, access: Access, abilities: Abilities) -> tuple[Parsed, Statement, list[bytes]]:
        parsed = self._parsed(path, query)
        statement = self._compiled(parsed.request, access, abilities, unbounded=False)
        return parsed, statement, statement.bind(parsed.values)

    def _parse(self, path: str, query: str) -> Parsed:
        return parse(path, query, self._limits)

    def _compile(self, request: Request, access: Access, abilities: Abilities, *, unbounded: bool) -> Statement:
        return compile_request(
            request, wire=self._wire, limits=self._limits, access=access, abilities=abilities, unbounded=unbounded
        )

    async def _run(self, statement: Statement, parsed: Parsed) -> list[bytes | None]:
        return await self._fetch(statement.query, statement.bind(parsed.values))

    async def _fetch(self, query: bytes, parameters: list[bytes]) -> list[bytes | None]:
        if within() is not None:  # a change set sees what it did
            async with self._pool.connection() as connection:
                return await _fetch(connection, query, parameters)
        # One statement without a transaction of its own: there is nothing that `connection()` would have to end.
        connection = await self._pool.getconn()
        try:
            return await _fetch(connection, query, parameters)
        finally:
            await self._pool.putconn(connection)


async def _fetch(connection: Connection, query: bytes, parameters: list[bytes]) -> list[bytes | None]:
    try:
        return await connection.fetch_bytes(query, parameters)
    except InternalError_ as error:
        # PostGIS says so of geometries that cross themselves and of patterns that are none.
        raise MalformedQueryError("$filter", None, "these geometries can't be compared in this way") from error


def _page(found: list[bytes | None], statement: Statement) -> Answer:
    head, items, tail = (piece or b"" for piece in found[:3])
    if found[3] is not None:
        items = items[: max(0, items.rfind(SEPARATOR))]
    whole = b"".join((head, statement.whole(items), tail))
    return Answer(body=whole, media=statement.media, brief=b"".join((head, items, tail)))


def _joined(pieces: list[bytes | None]) -> bytes | None:
    texts = [piece for piece in pieces if piece is not None]
    return b"".join(texts) if len(texts) == len(pieces) else None
