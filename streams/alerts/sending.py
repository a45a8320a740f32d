"""Tells webhooks and mails of alerts, from the outbox table: at least once, each alert in order, each sink at its own pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import msgspec

from streams.alerts import mail, webhook
from streams.alerts.delivery import LONGEST_REASON, Refused, pause_s
from streams.alerts.mail_text import Site, compose, names_of
from streams.alerts.messages import Message, message_of
from streams.alerts.rules import AlertRule
from streams.alerts.sinks import Mail, Sink, Sinks, Webhook
from streams.queries import query
from streams.sessions import TRANSIENT, Pool, retrying

log = logging.getLogger(__name__)

IDLE_S = 1.0
LOOK_AROUND_S = 30.0  # between counts of the backlog
SPARE_S = 30.0  # of a lease beyond its attempt: a busy database shall not make two of it
SETTLE_S = 30.0
FEWEST_TRIES = 10  # so many a delivery has, however old: one that somebody set due again is not given up at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One transition for one sink, leased to this worker."""

    id: int
    alert: int
    number: int
    attempts: int
    age_s: float


class AlertSender:
    """Sends until cancelled; several workers share the work row by row."""

    def __init__(
        self,
        pool: Pool,
        sinks: Sinks,
        rules: Sequence[AlertRule],
        *,
        give_up: timedelta,
        on_attempt: Callable[[str, bool], None] = lambda _sink, _taken: None,
        on_backlog: Callable[[int, int], None] = lambda _waiting, _given_up: None,
    ) -> None:
        self._pool = pool
        self._sinks: dict[str, Sink] = dict(sinks)
        self._rules = {rule.name: rule for rule in rules}
        self._give_up = give_up
        self._on_attempt = on_attempt
        self._on_backlog = on_backlog
        self._busy: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Send until cancelled."""
        async with webhook.open_client() as client, asyncio.TaskGroup() as group:
            looked = 0.0
            while True:
                try:
                    if (now := asyncio.get_running_loop().time()) - looked >= LOOK_AROUND_S or not looked:
                        await self._look_around()
                        looked = now
                    for sink in await self._due():
                        if sink not in self._busy or self._busy[sink].done():
                            self._busy[sink] = group.create_task(self._drain(sink, client), name=sink)
                except TRANSIENT as error:
                    log.warning("alerts wait: %s", error)
                await asyncio.sleep(IDLE_S)

    async def _due(self) -> list[str]:
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(query("sink_due"), {"sinks": list(self._sinks)})).fetchall()
        return [row[0] for row in rows]

    async def _look_around(self) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(query("sink_orphans"), {"sinks": list(self._sinks)})
            row = await (await connection.execute(query("sink_backlog"))).fetchone()
        assert row is not None
        self._on_backlog(row[0], row[1])

    async def _drain(self, sink: str, client: httpx.AsyncClient) -> None:
        try:
            while await self._send_one(sink, client):
                pass
        except TRANSIENT as error:
            log.warning("alerts for %s wait: %s", sink, error)

    async def _send_one(self, sink: str, client: httpx.AsyncClient) -> bool:
        told = self._sinks[sink]
        async with self._pool.connection() as connection:
            lease = {"sink": sink, "lease": timedelta(seconds=told.timeout_s + SPARE_S)}
            row = await (await connection.execute(query("sink_lease"), lease)).fetchone()
            if row is None:
                return False
            taken = Delivery(id=row[0], alert=row[1], number=row[2], attempts=row[3], age_s=row[4])
            try:
                message = await message_of(connection, taken.alert, taken.number)
            except LookupError:
                return True  # the alert was deleted this moment, and its deliveries with it
            row = await (await connection.execute(query("sink_names"), {"alert": taken.alert})).fetchone()
        site = Site(thing_names=names_of(row[0]), names=names_of(row[1]), timezone=row[2]) if row else Site()
        await self._settle(sink, taken, await self._tell(told, client, message, site))
        return True

    async def _tell(self, sink: Sink, client: httpx.AsyncClient, message: Message, site: Site) -> Refused | None:
        try:
            match sink:
                case Webhook():
                    return await webhook.post(client, sink, message.key, msgspec.json.encode(message))
                case Mail():
                    return await mail.send(sink, compose(sink, message, site, self._rules, datetime.now(UTC)))
                case _:
                    raise TypeError(type(sink).__name__)
        except Exception as error:  # one alert that hits a bug must not end the worker; the table says what became of it
            log.exception("a bug while telling of alert %s", message.key)
            return Refused(reason=f"a bug: {type(error).__name__}")

    async def _settle(self, sink: str, taken: Delivery, refused: Refused | None) -> None:
        self._on_attempt(sink, refused is None)
        async for attempt in retrying(SETTLE_S):
            with attempt:
                async with self._pool.connection() as connection:
                    if refused is None:
                        await connection.execute("DELETE FROM alert_outbox WHERE id = %s", (taken.id,))
                    else:
                        await connection.execute(query("sink_postpone"), self._postponed(sink, taken, refused))

    def _postponed(self, sink: str, taken: Delivery, refused: Refused) -> dict[str, object]:
        final = refused.final or (taken.age_s > self._give_up.total_seconds() and taken.attempts >= FEWEST_TRIES)
        said = "gives up" if final else "tries again"
        log.warning("%s did not take alert %d-%d, %s: %s", sink, taken.alert, taken.number, said, refused.reason)
        return {
            "id": taken.id,
            "attempts": taken.attempts,
            "reason": refused.reason[:LONGEST_REASON],
            "final": final,
            "pause": timedelta(seconds=pause_s(taken.attempts, refused.rest_s)),
        }
