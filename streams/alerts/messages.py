"""What the world is told of an alert: one JSON on MQTT, in Kafka and to webhooks (docs/alerts.md). (id, number) is its identity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from streams.queries import query
from streams.sessions import Connection


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """An entity of SensorThings."""

    id: int
    name: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of an alert, and how the alert was after it. `level` 1 is the rule's lowest; `value` is in `unit` (symbol)."""

    id: int
    number: int
    kind: str
    rule: str
    level: int
    state: str
    begins: datetime
    ends: datetime | None
    value: float | None
    unit: str | None
    thing: Named
    datastream: Named
    observed_property: str | None = msgspec.field(name="property")
    cause: str
    at: datetime

    @property
    def key(self) -> str:
        """What a receiver knows a repeated message by."""
        return f"{self.id}-{self.number}"


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """A message and whose it is. `public`: of the Thing."""

    outbox: int
    message: Message
    tenant: str
    device: str
    public: bool

    @property
    def topic(self) -> str:
        """Where it goes over MQTT."""
        return f"region/1/{self.tenant}/{self.device}/alert"


async def message_of(connection: Connection, alert: int, number: int) -> Message:
    """Give the message of a transition; raises `LookupError` where the alert is gone."""
    rows = await _rows(connection, [0], [alert], [number])
    if not rows:
        raise LookupError(f"no transition {number} of alert {alert}")
    return rows[0].message


async def addressed(connection: Connection, taken: Sequence[tuple[int, int, int]]) -> list[Addressed]:
    """Give the messages of rows of the outbox (id, alert, number) in their order."""
    columns = [list(column) for column in zip(*taken, strict=True)] or [[], [], []]
    return await _rows(connection, *columns)


async def _rows(connection: Connection, outbox: list[int], alerts: list[int], numbers: list[int]) -> list[Addressed]:
    cursor = await connection.execute(query("alert_messages"), {"outbox": outbox, "alerts": alerts, "numbers": numbers})
    return [_addressed(row) for row in await cursor.fetchall()]


def _addressed(row: Sequence[Any]) -> Addressed:
    outbox, tenant, device, public, thing_id, thing, datastream_id, datastream, *rest = row
    names = (
        "id",
        "number",
        "kind",
        "rule",
        "level",
        "state",
        "begins",
        "ends",
        "value",
        "unit",
        "observed_property",
        "cause",
        "at",
    )
    return Addressed(
        outbox=outbox,
        tenant=tenant,
        device=device or f"thing-{thing_id}",
        public=public,
        message=Message(
            thing=Named(id=thing_id, name=thing),
            datastream=Named(id=datastream_id, name=datastream),
            **dict(zip(names, rest, strict=True)),
        ),
    )
