"""Alerts in the database: what changed is evaluated again, in one transaction with what follows. One watcher at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from psycopg.rows import TupleRow

from streams.alerts import asking
from streams.alerts.asking import Ask
from streams.alerts.plan import Change, plan
from streams.alerts.rules import Rule
from streams.alerts.sinks import Sinks
from streams.alerts.transitions import Cause
from streams.alerts.watches import Gap, Site, Watch, fingerprint, watches_of
from streams.alerts.writing import Written, write
from streams.queries import query
from streams.sessions import Connection

MOST_TAKEN = 1_000  # statements of writers in one transaction
MOST_DATASTREAMS = 200  # whose rules changed, or which fell silent, in one transaction
HORIZON_US = 2 * 86_400 * 1_000_000  # how far back new rules look; what lasts is followed to its begin


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one Datastream."""

    watches: list[Watch]
    gaps: list[Gap]
    mark: str
    tenant: str


class Touched(msgspec.Struct, kw_only=True):
    """What is to be evaluated again of a Datastream: from `low` until `high` (microseconds), None: to its end."""

    low: int
    high: int | None
    cause: Cause


class Done(msgspec.Struct, kw_only=True):
    """What one turn did. `waited_s`: age of the oldest change it took; `more`: whether the queue has others."""

    datastreams: int = 0
    waited_s: float = 0.0
    more: bool = False
    raised: Counter[str] = msgspec.field(default_factory=Counter[str])


class AlertStore:
    """Evaluates what changed by `rules`; `grace`: when a bucket is closed, later changes are revisions."""

    def __init__(self, rules: Sequence[Rule], sinks: Sinks, grace: timedelta) -> None:
        self._rules = tuple(rules)
        self._sinks = sinks
        self._grace = grace
        self._known: dict[int, Watched] = {}
        self._forget = False

    def registry_changed(self) -> None:
        """Forget what is known of Datastreams, before the next turn: one that is under way goes on with what it read."""
        self._forget = True

    async def work_off(self, connection: Connection) -> Done:
        """Evaluate what was queued and what fell silent, in one transaction; nothing while another watcher is at it."""
        async with connection.transaction():
            now = await self._begin(connection)
            if now is None:
                return Done()
            rows = await _all(connection, "alert_take", {"most": MOST_TAKEN, "grace": self._grace})
            touched = {row[0]: Touched(low=row[1], high=row[2], cause="revision" if row[3] else "reading") for row in rows}
            for number, ended in await _all(connection, "alert_due", {"most": MOST_DATASTREAMS}):
                known = touched.setdefault(number, Touched(low=ended, high=None, cause="clock"))
                known.high = None
            done = Done(datastreams=len(touched))
            if rows:
                done.waited_s = (datetime.now(UTC) - min(row[4] for row in rows)).total_seconds()
                done.more = len(rows) >= MOST_TAKEN
            done.raised = await self._evaluate(connection, touched, now)
            return done

    async def sweep(self, connection: Connection) -> int:
        """Evaluate Datastreams whose rules changed, also those that send nothing; gives how many, at most `MOST_DATASTREAMS`."""
        async with connection.transaction():
            now = await self._begin(connection)
            if now is None:
                return 0
            found = await _all(connection, "alert_sites", {"ids": None})
            await self._remember(found)
            stale = [row[0] for row in found if row[7] != self._known[row[0]].mark][:MOST_DATASTREAMS]
            await self._evaluate(connection, {number: Touched(low=now, high=None, cause="rule") for number in stale}, now)
            return len(stale)

    async def _begin(self, connection: Connection) -> int | None:
        """Take this watcher's turn; gives the time in microseconds, None where another one has it."""
        if self._forget:
            self._forget = False
            self._known.clear()
        row = await (await connection.execute(query("alert_turn"))).fetchone()
        return row[1] if row is not None and row[0] else None

    async def _remember(self, sites: Sequence[TupleRow]) -> None:
        for place, (number, observed, unit, timezone, own, thing, tenant, _) in enumerate(sites):
            await asking.breathe(place)
            properties = [cast("dict[str, Any]", each) if isinstance(each, dict) else {} for each in (own, thing)]
            site = Site(datastream=number, observed=observed, unit=unit, timezone=timezone, own=properties[0], thing=properties[1])
            watches, gaps = watches_of(site, self._rules)
            self._known[number] = Watched(watches=watches, gaps=gaps, mark=fingerprint(watches, gaps), tenant=tenant)

    async def _evaluate(self, connection: Connection, touched: dict[int, Touched], now: int) -> Counter[str]:
        if not touched:
            return Counter()
        # So that none is deleted meanwhile; those that are gone already are nobody's.
        ids = [row[0] for row in await _all(connection, "lock_datastreams", {"ids": sorted(touched)})]
        if unknown := [number for number in ids if number not in self._known]:
            await self._remember(await _all(connection, "alert_sites", {"ids": unknown}))
        standings = {row[0]: row[1:] for row in await _all(connection, "alert_standings", {"ids": ids}) if row[0] in self._known}
        anew = sorted(number for number, row in standings.items() if row[1] != self._known[number].mark)
        await self._widen(connection, touched, {number: standings[number][1] is not None for number in anew}, now)
        asks: list[Ask] = []
        for number, (end, _, ended, _) in standings.items():
            each = touched[number]
            for watch in self._known[number].watches:
                ask = asking.ask(watch, number, each.low, each.high, each.cause, None if number in anew else ended, end)
                if ask is not None:
                    asks.append(ask)
        dues = await asking.evaluate(connection, asks, now)
        changes = [
            (ask.datastream, ask.watch.rule, change)
            for ask in asks
            for change in plan(ask.stored, ask.events, ask.cause, ask.watch.version)
        ]
        changes += await self._orphans(connection, anew)
        tenants = {number: self._known[number].tenant for number in standings}
        written: Written = await write(connection, changes, tenants, self._sinks)
        await self._progress(connection, standings, dues, now)
        return written.raised

    async def _widen(self, connection: Connection, touched: dict[int, Touched], anew: dict[int, bool], now: int) -> None:
        """Have Datastreams evaluated from the horizon on; those that had rules before (True) because of their rules."""
        if not anew:
            return
        horizon = now - HORIZON_US
        earlier = dict(await _all(connection, "alert_earlier", {"ids": list(anew), "low": horizon}))
        for number, had_rules in anew.items():
            each = touched[number]
            each.low, each.high = min(each.low, horizon, earlier.get(number, horizon)), None
            each.cause = "rule" if had_rules else "reading"

    async def _orphans(self, connection: Connection, anew: Sequence[int]) -> list[tuple[int, str, Change]]:
        """Withdraw what lasts by rules that watch a Datastream no more."""
        if not anew:
            return []
        watched = [(number, watch.rule) for number in anew for watch in self._known[number].watches]
        rows = await _all(
            connection,
            "alert_orphans",
            {"ids": list(anew), "watched": [pair[0] for pair in watched], "rules": [pair[1] for pair in watched]},
        )
        return [(row[0], row[1], change) for row in rows for change in plan([asking.alert_of(row[2:])], [], "rule", row[3])]

    async def _progress(
        self, connection: Connection, standings: dict[int, TupleRow], dues: dict[int, int | None], now: int
    ) -> None:
        """Write down how far Datastreams are, where it matters: not with each reading."""
        rows: list[tuple[int, str, int | None, int | None, str]] = []
        for number, (end, mark, ended, due) in standings.items():
            known = self._known[number]
            listens = any(watch.kind == "no_data" for watch in known.watches)
            then = dues.get(number, due if listens else None)
            if mark == known.mark and asking.is_quarter_of(ended, end) and _is_early_enough(due, then, now):
                continue
            rows.append((number, known.mark, end, then, msgspec.json.encode(known.gaps).decode()))
        if rows:
            names = ("ids", "watches", "ended", "due", "gaps")
            await connection.execute(query("alert_progressed"), {name: [row[i] for row in rows] for i, name in enumerate(names)})


def _is_early_enough(due: int | None, then: int | None, now: int) -> bool:
    """Whether the noted time, at which silence is looked for, need not be moved."""
    return due == then or (due is not None and then is not None and now < due <= then)


async def _all(connection: Connection, name: str, parameters: dict[str, object]) -> list[TupleRow]:
    return await (await connection.execute(query(name), parameters)).fetchall()
