"""What people do with alerts: they acknowledge them."""

from __future__ import annotations

from streams.alerts.sinks import Sinks
from streams.alerts.transitions import Told, Transition, tell
from streams.queries import query
from streams.sessions import Connection


class UnknownAlertError(LookupError):
    """There is no such alert."""

    def __init__(self, alert: int) -> None:
        super().__init__(f"no alert {alert}")
        self.alert = alert


class AlertBook:
    """Where alerts are acknowledged; `sinks` are told of it."""

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks

    async def acknowledge(self, connection: Connection, alert: int, by: str, note: str | None = None) -> bool:
        """Note within a transaction that `by` has seen an alert, whatever its state; False where it changes nothing.

        The same person a second time, without another note, changes nothing; another person or another note does.
        Raises `UnknownAlertError`.
        """
        async with connection.transaction():
            cursor = await connection.execute(query("alert_lock"), {"id": alert})
            row = await cursor.fetchone()
            if row is None:
                raise UnknownAlertError(alert)
            rule, tenant, number, state, begins, ends, level, highest, value, known_by, known_note = row
            if known_by == by and (note is None or note == known_note):
                return False
            await connection.execute(
                query("alert_acknowledge"),
                {"id": alert, "by": by, "note": note if note is not None or known_by == by else known_note, "number": number + 1},
            )
            seen = Transition(
                kind="acknowledged",
                state=state,
                begins=begins,
                ends=ends,
                event_time=begins,
                level=level,
                value=value,
                cause="person",
            )
            told = Told(alert=alert, rule=rule, tenant=tenant, number=number, highest=highest, transitions=(seen,))
            await tell(connection, [told], self._sinks)
            return True
