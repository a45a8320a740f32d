"""Latest values as they change: one poller for all listeners of a process, and Server-Sent Events for each.

A listener that reads slowly gets the newest value of each Datastream and skips those between, so it never holds more than one
value per Datastream. The poller runs only while somebody listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec
import psycopg
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

POLL_S = 1.0
HEARTBEAT_S = 15.0
# A transaction shows its rows at its commit but stamped them before: look back this far again each time.
OVERLAP_S = 10.0
SKEW_S = 60.0  # the database's clock may be behind this one by so much
LONGEST_CATCH_UP_S = 3_600.0
BACK_OFF_S = 5.0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A Datastream's new latest value: Unix time of the change, id of the Datastream, and the JSON text for the wire."""

    changed: float
    datastream: int
    latest: str


Changes = Callable[[float], Awaitable[list[Change]]]


class Listener:
    """What one client has not been sent yet; at most one value per Datastream."""

    def __init__(self) -> None:
        self._pending: dict[int, Change] = {}
        self._woken = asyncio.Event()

    def put(self, changes: list[Change]) -> None:
        """Add changes; a newer one takes the place of an older one of the same Datastream."""
        self._pending.update((change.datastream, change) for change in changes)
        if self._pending:
            self._woken.set()

    async def take(self, patience_s: float) -> list[Change]:
        """Wait for changes, at most `patience_s` seconds: then none."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), patience_s)
        self._woken.clear()
        taken, self._pending = list(self._pending.values()), {}
        return taken


class LiveHub:
    """All listeners of one process and their common poller of the summaries."""

    def __init__(
        self, changes: Changes, *, most: int = 256, poll_s: float = POLL_S, clock: Callable[[], float] = time.time
    ) -> None:
        self._changes = changes
        self._most = most
        self._poll_s = poll_s
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._poller: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether no further listener is taken."""
        return len(self._listeners) >= self._most

    @property
    def listening(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    @contextlib.asynccontextmanager
    async def listen(self, since: float | None) -> AsyncGenerator[Listener]:
        """Join the listeners; `since` (Unix time) asks for what changed after it, at most an hour back."""
        listener = Listener()
        self._listeners.add(listener)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="live-poller")
        try:
            if since is not None and since > self._clock() - LONGEST_CATCH_UP_S:
                listener.put(await self._changes(since - OVERLAP_S))
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                await self._rest()

    async def _rest(self) -> None:
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await poller

    async def _poll(self) -> None:
        newest = self._clock() - SKEW_S
        told: dict[int, float] = {}
        while True:
            try:
                changes = await self._changes(newest - OVERLAP_S)
            except psycopg.Error as error:  # the database is away: readiness says so, listeners wait
                log.warning("live values: %s", error)
                await asyncio.sleep(BACK_OFF_S)
                continue
            fresh = [change for change in changes if told.get(change.datastream) != change.changed]
            told = {change.datastream: change.changed for change in changes}
            newest = max([newest, *told.values()])
            for listener in self._listeners:
                listener.put(fresh)
            await asyncio.sleep(self._poll_s)


def event(changes: list[Change]) -> bytes:
    """One Server-Sent Event `latest`: a JSON array; its id is the newest change in milliseconds of Unix time."""
    newest = int(max(change.changed for change in changes) * 1000)
    return f"id: {newest}\nevent: latest\ndata: [{','.join(change.latest for change in changes)}]\n\n".encode()


class LiveResponse(Response):
    """A stream of Server-Sent Events that ends with its client; comments keep proxies from closing it."""

    media_type = "text/event-stream"

    def __init__(self, hub: LiveHub, since: float | None, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._since = since
        self._heartbeat_s = heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send until the client leaves."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            results = await asyncio.gather(sending, leaving, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                raise result

    async def _send(self, send: Send) -> None:
        async with self._hub.listen(self._since) as listener:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._body(send, b"retry: 3000\n\n")
            while True:
                changes = await listener.take(self._heartbeat_s)
                await self._body(send, event(changes) if changes else b": still here\n\n")

    @staticmethod
    async def _body(send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
