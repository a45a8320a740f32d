"""What the command line does with alerts and with what was given up."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from streams.queries import query
from streams.sessions import Connection


async def find_alerts(connection: Connection, state: str, rule: str | None, level: int, most: int) -> list[dict[str, Any]]:
    """Give alerts, the newest event first, with how many deliveries of each wait or were given up."""
    return await _rows(connection, "desk_alerts", {"id": None, "state": state, "rule": rule, "level": level, "most": most})


async def read_alert(connection: Connection, alert: int) -> dict[str, Any] | None:
    """Give one alert with its transitions and undelivered messages; None: there is none."""
    found = await _rows(connection, "desk_alerts", {"id": alert, "state": None, "rule": None, "level": 1, "most": 1})
    if not found:
        return None
    return {
        **found[0],
        "transitions": await _rows(connection, "desk_transitions", {"alert": alert}),
        "deliveries": await _rows(connection, "desk_deliveries", {"alert": alert}),
    }


async def retry(connection: Connection, alerts: list[int] | None, sink: str | None) -> int:
    """Set given-up deliveries due again, of these alerts and this sink alone where they are given; gives how many."""
    return (await connection.execute(query("desk_retry"), {"alerts": alerts, "sink": sink})).rowcount


async def _rows(connection: Connection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query(name), values)).fetchall()
