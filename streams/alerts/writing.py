"""Changes of alerts written down: the alerts, their transitions and the rows for the sinks, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from streams.alerts.plan import CLEARED, RAISED, WITHDRAWN, Change
from streams.alerts.sinks import Sinks
from streams.alerts.transitions import Told, tell
from streams.queries import query
from streams.sessions import Connection

Owned = tuple[int, str, Change]  # Datastream, rule, change


class Written(msgspec.Struct, kw_only=True):
    """How many alerts were raised, by rule."""

    raised: Counter[str] = msgspec.field(default_factory=Counter[str])


async def write(connection: Connection, changes: Sequence[Owned], tenants: Mapping[int, str], sinks: Sinks) -> Written:
    """Write changes of alerts within the open transaction."""
    new = [each for each in changes if each[2].alert is None]
    known = [each for each in changes if each[2].alert is not None]
    ids = await _insert(connection, new)
    await _update(connection, known)
    told = [
        Told(
            alert=ids[number, rule, change.event.begins] if change.alert is None and change.event else _id(change),
            rule=rule,
            tenant=tenants[number],
            number=change.alert.number if change.alert else 0,
            highest=max(change.alert.ever if change.alert else 0, change.event.highest if change.event else 0),
            transitions=change.transitions,
        )
        for number, rule, change in changes
    ]
    await tell(connection, told, sinks)
    return Written(raised=Counter(rule for _, rule, change in changes for step in change.transitions if step.kind == "raised"))


def _id(change: Change) -> int:
    assert change.alert is not None
    return change.alert.id


def _columns(changes: Sequence[Owned]) -> dict[str, list[object]]:
    """Give how alerts are after their changes, column by column; one that is withdrawn stays what it was."""
    figures = [change.event or change.alert for _, _, change in changes]
    return {
        "begins": [each.begins if each else None for each in figures],
        "ends": [each.ends if each else None for each in figures],
        "states": [_state(change) for _, _, change in changes],
        "levels": [each.level if each else None for each in figures],
        "highests": [each.highest if each else None for each in figures],
        "values": [each.value if each else None for each in figures],
        "values_at": [each.value_at if each else None for each in figures],
        "numbers": [(change.alert.number if change.alert else 0) + len(change.transitions) for _, _, change in changes],
    }


def _state(change: Change) -> str:
    if change.event is None:
        return WITHDRAWN
    return RAISED if change.event.ends is None else CLEARED


async def _insert(connection: Connection, changes: Sequence[Owned]) -> dict[tuple[int, str, datetime], int]:
    if not changes:
        return {}
    cursor = await connection.execute(
        query("alert_insert"),
        {
            "datastreams": [number for number, _, _ in changes],
            "rules": [rule for _, rule, _ in changes],
            "versions": [change.version for _, _, change in changes],
            **_columns(changes),
        },
    )
    return {(number, rule, begins): found for number, rule, begins, found in await cursor.fetchall()}


async def _update(connection: Connection, changes: Sequence[Owned]) -> None:
    if changes:
        ids = [_id(change) for _, _, change in changes]
        versions = [change.version for _, _, change in changes]
        await connection.execute(query("alert_update"), {"ids": ids, "versions": versions, **_columns(changes)})
