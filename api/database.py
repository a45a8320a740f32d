"""The API's connections: pools that outlive a database that is away, and statements from files beside their callers."""

from __future__ import annotations

import select
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.unit import SharedPool
from infra.connection import Connection
from infra.database import conninfo_for
from infra.settings import ApiSettings
from streams.contract import READER_ROLE

Pool = SharedPool
PoolGetter = Callable[[], Pool]

_WRITE_TIMEOUT_MS = 30_000
_WAIT_S = 3.0
PATIENCE_S = 20.0  # of a writer whose turn comes after others'


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """`reading` sees the views of schema `read` alone and can't write; `writing` is the owner's."""

    reading: Pool
    writing: Pool

    async def open(self) -> None:
        """Begin to connect; a database that is away is tried again when a request needs it."""
        await self.reading.open(wait=False)
        await self.writing.open(wait=False)

    async def close(self) -> None:
        """Give all connections back."""
        await self.reading.close()
        await self.writing.close()


def make_pools(settings: ApiSettings) -> Pools:
    """Make the pools of one process, not yet open."""
    # A statement is planned once for a connection: planning costs more than most answers. Parallel workers cost more
    # than they bring where many ask at once.
    reader = (
        f"-c search_path=read,public -c default_transaction_read_only=on -c statement_timeout={settings.statement_timeout_ms}"
        " -c plan_cache_mode=force_generic_plan -c max_parallel_workers_per_gather=0"
    )
    writer = f"-c statement_timeout={_WRITE_TIMEOUT_MS} -c lock_timeout=15s -c idle_in_transaction_session_timeout=10s"
    return Pools(
        reading=_pool("reading", settings, options=reader, role=READER_ROLE),
        writing=_pool("writing", settings, options=writer, role=None),
    )


def _pool(name: str, settings: ApiSettings, *, options: str, role: str | None) -> Pool:
    size = max(1, settings.pool_size)
    return SharedPool(
        conninfo_for(settings.database_url, process=f"api-{name}", role=role, options=f"-c jit=off {options}"),
        connection_class=Connection,
        kwargs={"autocommit": role is not None},
        min_size=min(2, size),
        max_size=size,
        timeout=_WAIT_S,
        check=_check,
        open=False,
        name=name,
    )


async def _check(connection: Connection) -> None:
    """Raise `psycopg.OperationalError` for a connection that the server has closed meanwhile; asks the socket alone.

    Without it the first requests after a restart of the database are told that it is away, one for each connection.
    """
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    while socket.poll(0):  # an idle connection has nothing to say but its end, or a notice before it
        connection.pgconn.consume_input()


def statement(beside: str, name: str) -> bytes:
    """Read the SQL file `name` that stands beside the module `beside` (its `__file__`)."""
    return Path(beside).with_name(name).read_bytes()
