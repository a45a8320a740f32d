"""Channels by the id of their Datastream, kept in memory by a process that hears when the registry changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection

import psycopg

from infra.database import conninfo_for
from streams.candidate import Channel
from streams.registry import Connection, channels_by_id
from streams.sessions import TRANSIENT

log = logging.getLogger(__name__)

PAUSE_S = 2.0
MOST = 100_000


class Channels:
    """Remembers channels while it listens; without news from the database each look-up reads them again.

    What is remembered may be a moment behind a change by another process: it serves judging alone, and the statement that
    writes proves that the Datastream is still there.
    """

    def __init__(self, database_url: str, name: str) -> None:
        self._dsn = conninfo_for(database_url, process=f"{name}-listen")
        self._known: dict[int, Channel] = {}
        self._hears = False
        self._changes = 0

    async def get(self, connection: Connection, ids: Collection[int]) -> dict[int, Channel]:
        """Give the channels of those ids that exist."""
        found = {number: self._known[number] for number in ids if number in self._known} if self._hears else {}
        missing = sorted(set(ids) - found.keys())
        if missing:
            changes = self._changes
            read = await channels_by_id(connection, missing)
            # What was read before a change was heard of is not kept.
            if self._hears and changes == self._changes and len(self._known) < MOST:
                self._known.update(read)
            found |= read
        return found

    def forget(self, ids: Collection[int] | None = None) -> None:
        """Read these, or everything, again when it is asked for."""
        if ids is None:
            self._known.clear()
        for number in ids or ():
            self._known.pop(number, None)
        self._changes += 1

    async def listen(self) -> None:
        """Hear of changes until cancelled."""
        while True:
            with contextlib.suppress(*TRANSIENT):
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await connection.execute("LISTEN registry")
                    self.forget()
                    self._hears = True
                    try:
                        async for _ in connection.notifies():
                            self.forget()
                    finally:
                        self._hears = False
            log.warning("no news of the registry: listening again in %s s", PAUSE_S)
            await asyncio.sleep(PAUSE_S)
