"""What happened to alerts, written down: append-only transitions, and a row for each sink that is told of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from streams.alerts.sinks import Sinks
from streams.queries import query
from streams.sessions import Connection

Kind = Literal["raised", "level", "acknowledged", "cleared", "reopened", "withdrawn", "moved"]
Cause = Literal["reading", "revision", "clock", "person", "rule"]

OWN_SINKS = ("mqtt", "kafka")


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the life of an alert, and how the alert is after it; `event_time` is when it happened in the data."""

    kind: Kind
    state: str
    begins: datetime
    ends: datetime | None
    event_time: datetime
    level: int
    value: float | None
    cause: Cause


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Transitions of an alert that follow its transition `number`; `highest`: its highest level ever."""

    alert: int
    rule: str
    tenant: str
    number: int
    highest: int
    transitions: tuple[Transition, ...]


async def tell(connection: Connection, told: Sequence[Told], sinks: Sinks) -> None:
    """Write transitions and the sinks' rows, within the transaction that changes the alerts."""
    steps = [(each, place, step) for each in told for place, step in enumerate(each.transitions, each.number + 1)]
    if not steps:
        return
    await connection.execute(
        query("alert_note"),
        {
            "alerts": [each.alert for each, _, _ in steps],
            "numbers": [place for _, place, _ in steps],
            "kinds": [step.kind for _, _, step in steps],
            "event_times": [step.event_time for _, _, step in steps],
            "levels": [step.level for _, _, step in steps],
            "values": [step.value for _, _, step in steps],
            "causes": [step.cause for _, _, step in steps],
            "states": [step.state for _, _, step in steps],
            "begins": [step.begins for _, _, step in steps],
            "ends": [step.ends for _, _, step in steps],
        },
    )
    outbox = [
        (each.alert, place, sink)
        for each, place, _ in steps
        for sink in (*OWN_SINKS, *sinks.wanting(rule=each.rule, highest=each.highest, tenant=each.tenant))
    ]
    await connection.execute(
        query("alert_queue_sinks"),
        {"alerts": [row[0] for row in outbox], "numbers": [row[1] for row in outbox], "sinks": [row[2] for row in outbox]},
    )
