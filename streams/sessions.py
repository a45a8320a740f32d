"""Database connections of the worker, and which errors are worth another try."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from tenacity import AsyncRetrying, before_sleep_log, retry_if_exception_type, stop_after_delay, wait_random_exponential

from infra.connection import Connection as Pooled
from infra.database import conninfo_for
from streams import stage
from streams.errors import LetterMovedError, RegistryMovedError, StandingMovedError

log = logging.getLogger(__name__)

Connection = psycopg.AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Pooled]

# …MovedError: the second try knows what changed.
# UniqueViolation: two writers made the same aggregate row at the same time; the second try adds to it.
# IdleInTransactionSessionTimeout: this process was stopped, or had no CPU, for longer than a transaction may wait.
TRANSIENT = (
    LetterMovedError, RegistryMovedError, StandingMovedError, psycopg.OperationalError, psycopg.InterfaceError,
    errors.UniqueViolation, errors.IdleInTransactionSessionTimeout, PoolTimeout, OSError,
)  # fmt: skip

# A frozen owner of a row lock must not hold up the region: PostgreSQL ends its transaction.
OPTIONS = "-c statement_timeout=60s -c lock_timeout=15s -c idle_in_transaction_session_timeout=10s -c jit=off"
# Statements of many parts cost more to plan than to run; nothing in them depends on their parameters' values.
PLANNED_ONCE = "-c plan_cache_mode=force_generic_plan"


def open_pool(
    database_url: str, size: int, name: str, options: str = "", prepare: Callable[[Pooled], Awaitable[None]] = stage.create
) -> Pool:
    """Make a pool of writing connections with these `options` besides; the caller opens and closes it.

    `prepare` makes what each session needs.
    """
    return AsyncConnectionPool(
        conninfo_for(database_url, process=name, options=f"{OPTIONS} {options}".strip()),
        connection_class=Pooled,
        kwargs={"autocommit": True, "prepare_threshold": 1},
        min_size=1,
        max_size=size,
        open=False,
        timeout=3,
        configure=prepare,
        name=name,
    )


def retrying(give_up_after_s: float) -> AsyncRetrying:
    """Repeat a block after transient errors, with growing pauses; after `give_up_after_s` its last error is raised."""
    return AsyncRetrying(
        retry=retry_if_exception_type(TRANSIENT),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        stop=stop_after_delay(give_up_after_s),
        before_sleep=before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
