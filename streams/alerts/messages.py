"""What the world is told of a transition of an alert: one message for MQTT, Kafka, webhooks and mails (docs/alerts.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.rows import TupleRow

from streams.alerts.rules import LANGUAGES
from streams.queries import query

Connection = psycopg.AsyncConnection[TupleRow]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """An entity by id and name."""

    id: int
    name: str


class Message(msgspec.Struct, frozen=True, kw_only=True, rename={"observed_property": "property"}):
    """One transition; `id` and `number` together never change their meaning."""

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
    observed_property: str | None
    cause: str
    at: datetime

    @property
    def key(self) -> str:
        """The key by which a receiver knows a message that comes again."""
        return f"{self.id}-{self.number}"


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A message and what its way needs: `device` and `tenant` for a topic; names by language and the time zone for a text."""

    message: Message
    tenant: str
    device: str | None
    timezone: str
    thing_names: Mapping[str, str]
    names: Mapping[str, str]


async def messages_of(connection: Connection, transitions: Iterable[tuple[int, int]]) -> list[Telling]:
    """Give the messages of transitions (alert, number), in their order; those of deleted alerts are left out."""
    keys = list(transitions)
    values = {"alerts": [alert for alert, _ in keys], "numbers": [number for _, number in keys]}
    rows = await (await connection.execute(query("alert_messages"), values)).fetchall()
    return [message_of(row) for row in rows]


def message_of(row: TupleRow) -> Telling:
    """Make a message of a row of alert_messages.sql."""
    (alert, number, kind, rule, level, state, begins, ends, value, unit, thing_id, thing, datastream_id, datastream, key, cause, at,
     tenant, device, timezone, thing_names, names) = row  # fmt: skip
    message = Message(
        id=alert,
        number=number,
        kind=kind,
        rule=rule,
        level=level,
        state=state,
        begins=begins,
        ends=ends,
        value=value,
        unit=unit,
        thing=Named(id=thing_id, name=thing),
        datastream=Named(id=datastream_id, name=datastream),
        observed_property=key,
        cause=cause,
        at=at,
    )
    return Telling(
        message=message, tenant=tenant, device=device, timezone=timezone, thing_names=_names(thing_names), names=_names(names)
    )


def _names(value: Any) -> dict[str, str]:
    """Give the names by language; a SensorThings client may have written anything there."""
    if not isinstance(value, dict):
        return {}
    return {language: value[language] for language in LANGUAGES if isinstance(value.get(language), str)}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
