"""Ending the transactions that hold up another one, where no timeout of PostgreSQL's does.

To PostgreSQL a client that froze in the middle of a COPY is busy, not idle, and while it waits for the client's data it heeds no
timeout of a statement, a transaction or an idle session: the locks stay until the client goes on. Only being terminated it heeds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

import psycopg

from streams.sessions import TRANSIENT, Connection, Pool

log = logging.getLogger(__name__)

BLOCKED_S = 5.0
_END = "SELECT pid, pg_terminate_backend(pid) FROM unnest(pg_blocking_pids(%s)) AS pid"


@contextlib.asynccontextmanager
async def ended(pool: Pool, connection: Connection) -> AsyncGenerator[None]:
    """While the context lasts, end whatever `connection` waits for, each time after `BLOCKED_S`."""
    ending = asyncio.create_task(_end(pool, connection.info.backend_pid))
    try:
        yield
    finally:
        ending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ending


async def _end(pool: Pool, blocked: int) -> None:
    while True:
        await asyncio.sleep(BLOCKED_S)
        try:
            async with pool.connection() as other:
                for pid, done in await (await other.execute(_END, (blocked,))).fetchall():
                    log.warning("the database session %d held up this one and was ended: %s", pid, done)
        except (*TRANSIENT, psycopg.errors.InsufficientPrivilege) as error:
            log.warning("a database session holds up this one and can't be ended: %s", error)
