"""The API's writer of entities for those who store Observations: loaded when the first message needs it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.contract import NewObservation
    from streams.store import Connection


async def write_related(connection: Connection, topic: str, payload: bytes, received: datetime) -> list[NewObservation]:
    """Write what an Observation brings along over MQTT, see `streams.related.WriteRelated`."""
    from api.sensorthings.writer import related  # noqa: PLC0415 - a worker that never needs it shall not load the API

    return await related.write_related(connection, topic, payload, received)
