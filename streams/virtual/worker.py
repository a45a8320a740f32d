"""The task that keeps virtual Datastreams up to date, beside what else a worker does."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from streams.sessions import TRANSIENT, Pool
from streams.virtual import store

log = logging.getLogger(__name__)

IDLE_S = 1.0  # the API's store fills the queue too: look without being told
RETRY_S = 2.0


class VirtualWorker:
    """Works the queue off until cancelled; of several processes one at a time."""

    def __init__(self, pool: Pool, grace: timedelta) -> None:
        self._pool = pool
        self._grace = grace
        self._stale = True

    def registry_changed(self) -> None:
        """Have the formulas read again."""
        self._stale = True

    async def run(self) -> None:
        """Go on for ever; while the database is away, wait."""
        while True:
            try:
                if not await self._step():
                    await asyncio.sleep(IDLE_S)
            except TRANSIENT as error:
                log.warning("virtual Datastreams wait: %s", error)
                await asyncio.sleep(RETRY_S)

    async def _step(self) -> int:
        async with self._pool.connection() as connection:
            if self._stale:
                self._stale = False  # before the reading: a change meanwhile sets it again
                try:
                    done = await store.read_formulas(connection)
                except BaseException:
                    self._stale = True
                    raise
                self._stale = self._stale or not done
            return await store.work_off(connection, self._grace)
