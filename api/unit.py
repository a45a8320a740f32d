"""One transaction around many steps: while a unit is open, whoever asks a pool for a connection gets the unit's.

Each step is a savepoint of it, so that what fails alone leaves the rest as it was; all is committed at the unit's end, or nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from psycopg import Rollback
from psycopg import errors as pg
from psycopg_pool import AsyncConnectionPool

from infra.connection import Connection

AGAIN = (pg.DeadlockDetected, pg.SerializationFailure)

_CURRENT: ContextVar[Unit | None] = ContextVar("unit", default=None)


@dataclass(slots=True, kw_only=True)
class Unit:
    """An open unit. `again`: a step of it had to give way to another transaction, so that another try may well succeed."""

    connection: Connection
    again: bool = False
    _given_up: bool = False

    def give_up(self) -> None:
        """Take back all of it at its end."""
        self._given_up = True

    @property
    def is_given_up(self) -> bool:
        """Whether it is taken back."""
        return self._given_up

    @asynccontextmanager
    async def step(self) -> AsyncGenerator[Connection]:
        """Give the connection for one step."""
        try:
            async with self.connection.transaction():
                yield self.connection
        except AGAIN:
            self.again = True
            raise


class SharedPool(AsyncConnectionPool[Connection]):
    """A pool whose connections are those of the open unit while there is one."""

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncGenerator[Connection]:  # noqa: ASYNC109 -- as the pool has it
        """Give a connection; what was done with it is committed unless an error leaves the block."""
        unit = _CURRENT.get()
        if unit is not None:
            async with unit.step() as connection:
                yield connection
        else:
            async with super().connection(timeout) as connection:
                yield connection


def within() -> Connection | None:
    """Give the connection of the open unit."""
    unit = _CURRENT.get()
    return None if unit is None else unit.connection


@asynccontextmanager
async def unit(pool: SharedPool, patience_s: float) -> AsyncGenerator[Unit]:
    """Open a unit, or join the one that is open; an error that leaves the block takes all back, as `give_up` does."""
    outer = _CURRENT.get()
    if outer is not None:
        async with outer.step():
            yield outer
        return
    async with pool.connection(patience_s) as connection:
        opened = Unit(connection=connection)
        token = _CURRENT.set(opened)
        try:
            async with connection.transaction():
                yield opened
                if opened.is_given_up:
                    raise Rollback
        finally:
            _CURRENT.reset(token)
