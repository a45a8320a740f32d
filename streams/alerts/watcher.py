"""The task that keeps alerts up to date, beside what else a worker does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

import msgspec

from streams.alerts.store import AlertStore, Done
from streams.queries import query
from streams.sessions import TRANSIENT, Connection, Pool

log = logging.getLogger(__name__)

IDLE_S = 1.0
REST = 3.0  # so many times as long as a turn took is waited: storing readings goes first
LONGEST_REST_S = 10.0
SWEEP_S = 30.0  # between looks for Datastreams whose rules changed
RETRY_S = 2.0
BUG_S = 30.0


class Overview(msgspec.Struct, kw_only=True):
    """What metrics tell: alerts raised by rule since the start; alerts that last; rows of the outbox; age of the oldest change."""

    raised: Counter[str] = msgspec.field(default_factory=Counter[str])
    open: int = 0
    outbox: int = 0
    lag_s: float = 0.0


class AlertWatcher:
    """Evaluates until cancelled; of several processes one at a time."""

    def __init__(self, pool: Pool, store: AlertStore) -> None:
        self._pool = pool
        self._store = store
        self._sweep = True
        self.overview = Overview()

    def registry_changed(self) -> None:
        """Have rules chosen anew."""
        self._store.registry_changed()
        self._sweep = True

    async def run(self) -> None:
        """Go on for ever; while the database is away, wait."""
        swept = -SWEEP_S
        while True:
            started = time.monotonic()
            try:
                async with self._pool.connection() as connection:
                    done = await self._store.work_off(connection)
                    if self._sweep and started - swept >= SWEEP_S:
                        self._sweep = False
                        self._sweep = await self._store.sweep(connection) > 0
                        swept = started if not self._sweep else swept
                    await self._look(connection, done)
                rest = min(LONGEST_REST_S, REST * (time.monotonic() - started))
                await asyncio.sleep(rest if done.more else max(IDLE_S, rest))
            except TRANSIENT as error:
                self._sweep = True
                log.warning("alerts wait: %s", error)
                await asyncio.sleep(RETRY_S)
            except Exception:  # a bug: tasks that die end the worker, and readings are stored whatever becomes of alerts
                self._sweep = True
                log.exception("alerts wait for %.0f s: a turn failed and was taken back", BUG_S)
                await asyncio.sleep(BUG_S)

    async def _look(self, connection: Connection, done: Done) -> None:
        row = await (await connection.execute(query("alert_figures"))).fetchone()
        assert row is not None
        self.overview.raised.update(done.raised)
        self.overview.open, self.overview.outbox, self.overview.lag_s = row[0], row[1], max(row[2], done.waited_s)
