"""Devices in a database, and batches of raw messages for them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ingest_mqtt.contract import RawMessage
from streams import ledger, stage, standing, store
from streams.copies import Heard
from streams.intake import Intake, Limits, take_in
from streams.registry import Registry

TOPIC = "readings.raw"
RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(earliest=datetime(2000, 1, 1, tzinfo=UTC), ahead=timedelta(days=1))

REGISTER = """
    WITH s AS (INSERT INTO sensor (name, description, encoding_type, metadata) VALUES ('s', '', 'text/html', '"x"') RETURNING id),
         p AS (INSERT INTO observed_property (name, definition, description, properties)
               VALUES ('p', 'urn:p', '', '{"fail_span": [-40, 60], "suspect_span": [-30, 45]}') RETURNING id),
         t AS (INSERT INTO thing (name, description, properties)
               VALUES ('t', '', jsonb_build_object('device', %(device)s::text, 'timezone', 'Europe/Berlin')) RETURNING id),
         l AS (INSERT INTO location (name, description, encoding_type, location)
               VALUES ('l', '', 'application/geo+json', '{"type": "Point", "coordinates": [9.43, 54.79]}') RETURNING id),
         tl AS (INSERT INTO thing_location SELECT t.id, l.id FROM t, l)
    INSERT INTO datastream (name, description, observation_type, unit_of_measurement, properties,
                            thing_id, sensor_id, observed_property_id)
    SELECT channel, '', '', '{"name": "", "symbol": "", "definition": "Cel"}', jsonb_build_object('channel', channel),
           t.id, s.id, p.id
      FROM t, s, p, unnest(%(channels)s::text[]) AS channel
    RETURNING id
"""


class Road:
    """The worker's way from raw messages to tables, on one partition."""

    def __init__(self, connection: store.Connection, claim: ledger.Claim) -> None:
        self.connection = connection
        self.claim = claim
        self.offset = claim.next_offset
        self.registry = Registry()
        self.heard = Heard()

    async def take_in(self, messages: Iterable[RawMessage]) -> Intake:
        await self.registry.load(self.connection)
        return take_in(list(messages), self.registry, LIMITS, standings=await standing.load(self.connection))

    async def run(self, *messages: RawMessage) -> list[store.Receipt]:
        start, self.offset = self.offset, self.offset + 1
        intake = await self.take_in(messages)
        receipts = await store.store_batch(
            self.connection, intake, self.claim, start, self.offset, store.StoreLimits(),
            may_repeat=self.heard.may_repeat(intake.settled),
        )  # fmt: skip
        self.heard.add(intake.settled)
        return receipts

    async def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        cursor = await self.connection.execute(sql, parameters)  # pyright: ignore[reportArgumentType]
        return await cursor.fetchall()


@pytest.fixture
async def road(database_on_each: str) -> AsyncIterator[Road]:
    connection = await psycopg.AsyncConnection.connect(database_on_each, autocommit=True)
    async with connection:
        await stage.create(connection)
        await connection.execute(REGISTER, {"device": "dev-1", "channels": ["t", "u"]})
        claims = await ledger.claim(connection, "log-1", [(TOPIC, 0)], "worker-1")
        yield Road(connection, claims[TOPIC, 0])


def message(
    *readings: dict[str, Any],
    seq: int | None = None,
    epoch: int | None = 1,
    first: int | None = None,
    received: datetime = RECEIVED,
    device: str = "dev-1",
) -> RawMessage:
    return RawMessage(
        topic=f"region/1/default/{device}/up/json",
        payload=json.dumps({"readings": readings}).encode(),
        received_us=int(received.timestamp() * 1e6),
        epoch=epoch if seq is not None else None,
        seq=seq,
        first=first,
    )


def reading(minute: float, value: Any, channel: str = "t", **more: Any) -> dict[str, Any]:
    time = RECEIVED - timedelta(hours=3) + timedelta(minutes=minute)
    return {"time": time.isoformat(), "property": channel, "value": value, **more}
