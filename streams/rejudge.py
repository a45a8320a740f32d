"""Judging in context against the database: the rows around new readings, the verdicts that they change, the revisions that follow.

Whoever calls holds the Datastreams' locks, so that nobody else adds rows to them meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from streams import context
from streams import rows as table
from streams.context import Judged
from streams.queries import query
from streams.rows import Rows
from streams.rulebook import RuleBook

Connection = psycopg.AsyncConnection[TupleRow]
Key = tuple[int, int, int]  # Datastream, time in microseconds, discriminator
Span = tuple[int, int]  # first and last time, microseconds

_FAR_US = 3_600_000_000  # times further apart than this, and than their tests look, are two spans
_SECOND_US = 1_000_000


@dataclass(slots=True, kw_only=True)
class Changes:
    """Stored rows that look different after a transaction: what they were before. The first note of a row counts."""

    olds: dict[Key, tuple[str, str | None, int]] = field(default_factory=dict[Key, tuple[str, str | None, int]])

    def note(self, cause: str, key: Key, old: str | None, old_flag: int) -> None:
        """Note a row's state before: as JSON, or None where only its flag changes."""
        self.olds.setdefault(key, (cause, old, old_flag))

    async def revise(self, connection: Connection, grace: timedelta) -> None:
        """Write what became of them."""
        if not self.olds:
            return
        await connection.execute(
            query("revise_changed"),
            {
                "datastreams": [key[0] for key in self.olds],
                "times": [key[1] for key in self.olds],
                "discriminators": [key[2] for key in self.olds],
                "causes": [old[0] for old in self.olds.values()],
                "olds": [old[1] for old in self.olds.values()],
                "old_flags": [old[2] for old in self.olds.values()],
                "grace": grace,
            },
        )


def spans_of(times: Iterable[int], rules: RuleBook) -> list[Span]:
    """Cut the times of one Datastream into spans, so that one late reading does not fetch all that lies between."""
    far = max(_FAR_US, int(4 * rules.history_s * _SECOND_US))
    spans: list[Span] = []
    for time in sorted(times):
        if spans and time - spans[-1][1] <= far:
            spans[-1] = (spans[-1][0], time)
        else:
            spans.append((time, time))
    return spans


async def load(connection: Connection, spans: Mapping[int, Sequence[Span]], rules: Mapping[int, RuleBook], future_s: float) -> Rows:
    """Read the rows that judging these spans needs, tombstones in them included."""
    asked = [(number, low, high, rules[number]) for number, some in spans.items() for low, high in some]
    if not asked:
        return table.empty()
    cursor = await connection.execute(
        query("load_context"),
        {
            "ids": [a[0] for a in asked],
            "low": [a[1] for a in asked],
            "high": [a[2] for a in asked],
            "history": [timedelta(seconds=a[3].history_s) for a in asked],
            "back": [a[3].history_rows + 1 for a in asked],
            "ahead": [a[3].ahead_rows for a in asked],
            "future": timedelta(seconds=future_s),
        },
    )
    return table.of_records(await cursor.fetchall())


async def judge_again(
    connection: Connection, times: Mapping[int, Sequence[int]], rules: Mapping[int, RuleBook], future_s: float
) -> list[Judged]:
    """Judge stored rows at these times of each Datastream, and those that look at what is or was there; writes the verdicts.

    Gives what was judged together, one after the other.
    """
    judged: list[Judged] = []
    spans = {number: spans_of(some, rules[number]) for number, some in times.items()}
    for place in range(max(map(len, spans.values()), default=0)):  # one span of each Datastream at a time, mostly the only one
        some = {number: mine[place] for number, mine in spans.items() if place < len(mine)}
        stored = await load(connection, {number: [span] for number, span in some.items()}, rules, future_s)
        judged.append(context.judge_again(stored, some, rules))
        await restate(connection, judged[-1].changed)
    return judged


async def restate(connection: Connection, changed: Rows) -> None:
    """Write the verdicts on stored rows."""
    if not len(changed):
        return
    await connection.execute(
        query("restate"),
        {
            "datastreams": changed["datastream"].tolist(),
            "times": changed["time"].tolist(),
            "discriminators": changed["discriminator"].tolist(),
            "flags": changed["flag"].tolist(),
            "tests": changed["tests"].tolist(),
            "rulesets": changed["ruleset"].tolist(),
        },
    )


def key_of(row: Any) -> Key:
    """Give the key of a row."""
    return int(row["datastream"]), int(row["time"]), int(row["discriminator"])


def keys(rows: Rows) -> list[Key]:
    """Give the keys of rows."""
    return [key_of(row) for row in rows]
