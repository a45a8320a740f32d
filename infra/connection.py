"""A connection to the database that also runs prepared statements over libpq itself.

A cursor of psycopg costs as much as all the rest of the Python work of a small answer: it converts parameters, times each wait and
makes rows, of which a finished text in bytes needs nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor
from psycopg import errors as pg
from psycopg._preparing import PrepareManager
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_KEPT = 100  # prepared statements of a connection; the server holds the plan of each


class _Prepared(PrepareManager):
    """psycopg's memory of its own statements. After a ROLLBACK it deallocates all of the session's, ours included."""

    def __init__(self, ours: OrderedDict[bytes, bytes]) -> None:
        super().__init__()
        self._ours = ours

    def clear(self) -> bool:
        deallocates = super().clear()
        if deallocates:
            self._ours.clear()
        return deallocates


class Connection(AsyncConnection[Any]):
    """A connection that knows which statements it has prepared."""

    def __init__(self, pgconn: PGconn, *arguments: Any, **named: Any) -> None:
        super().__init__(pgconn, *arguments, **named)
        self._names: OrderedDict[bytes, bytes] = OrderedDict()
        self._prepared = _Prepared(self._names)
        self._count = 0

    async def fetch_bytes(self, query: bytes, parameters: Sequence[bytes | None]) -> list[bytes | None]:
        """Give the first row of a statement's result as the server sent it, nothing where there is none.

        `query` has `$1` … for its parameters. Raises what psycopg raises.
        """
        name = self._names.get(query)
        if name is None:
            name = await self._prepare(query)
        else:
            self._names.move_to_end(query)
        async with self.lock:
            self.pgconn.send_query_prepared(name, parameters)
            result = await self._result()
        if result.status != ExecStatus.TUPLES_OK:
            raise pg.error_from_result(result)
        return [result.get_value(0, index) for index in range(result.nfields)] if result.ntuples else []

    async def _prepare(self, query: bytes) -> bytes:
        self._count += 1
        name = b"read_%d" % self._count
        cursor = AsyncRawCursor(self)
        await cursor.execute(b"PREPARE " + name + b" AS " + query, prepare=False)
        self._names[query] = name
        if len(self._names) > _KEPT:
            _, oldest = self._names.popitem(last=False)
            await cursor.execute(b"DEALLOCATE " + oldest, prepare=False)
        return name

    async def _result(self) -> PGresult:
        """Wait for the result of the statement that was sent; who stops waiting leaves a closed connection."""
        loop, pgconn = asyncio.get_running_loop(), self.pgconn
        come: asyncio.Future[None] = loop.create_future()
        results: list[PGresult] = []

        def read() -> None:
            try:
                pgconn.consume_input()
                while not pgconn.is_busy() and not come.done():
                    result = pgconn.get_result()
                    if result is None:
                        come.set_result(None)
                    else:
                        results.append(result)
            except pg.Error as error:
                if not come.done():
                    come.set_exception(error)

        socket = pgconn.socket
        loop.add_reader(socket, read)
        try:
            if pgconn.flush():
                pgconn.nonblocking = 0  # sends the rest; a request is some kilobytes
                pgconn.nonblocking = 1
            await come
        except asyncio.CancelledError:
            pgconn.finish()
            raise
        finally:
            loop.remove_reader(socket)
        return results[-1]
