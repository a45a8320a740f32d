"""Wiring: batches of `readings.raw` into the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from streams.transport import Batch, LedgerApp


def attach(app: LedgerApp, topic: Any, handle: Callable[[Batch], Awaitable[None]], fatal: Callable[[str], None]) -> None:
    """Give each partition an actor of its own that hands batch after batch to `handle`."""

    async def ingest(stream: Any) -> None:
        async for batch in stream:
            batch.close()
            try:
                await handle(batch)
            except Exception as error:  # noqa: BLE001 - Faust would go on with the next event: the process ends instead
                fatal(repr(error))

    app.agent(topic, isolated_partitions=True)(ingest)
