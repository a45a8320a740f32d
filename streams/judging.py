"""Judging new readings before they are stored: alone, and among the rows of their Datastreams.

What holds among rows of the same key only the database decides; Datastreams with such readings are judged again afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streams import context, rejudge
from streams import rows as table
from streams.candidate import Candidate
from streams.judge import AHEAD_MASK, RULESET_VERSION, judge
from streams.queries import query
from streams.rejudge import Connection, Key, Span
from streams.rows import Rows
from streams.rulebook import RuleBook
from streams.tails import Tails, segments

_SECOND_US = 1_000_000
_FAR_BACK = 4  # times the tests' history: what is newer than that is read up to the end and remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Flags (n,), flags of the tests (n,) and ruleset versions (n,) of new readings, and what they change on stored rows."""

    flags: npt.NDArray[np.int8]
    tests: npt.NDArray[np.int64]
    rulesets: npt.NDArray[np.int32]
    changed: Rows = field(default_factory=table.empty)
    changed_from: npt.NDArray[np.int8] = field(default_factory=lambda: table.empty()["flag"])
    rules: Mapping[int, RuleBook] = field(default_factory=dict[int, RuleBook])
    again: Mapping[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])  # times by contested Datastream
    stored: frozenset[Key] = frozenset()  # rows of these that were there before


async def judge_new(
    connection: Connection, candidates: Sequence[Candidate], future_s: float, tails: Tails | None = None
) -> Verdicts:
    """Judge new readings; the caller holds the locks of their Datastreams."""
    flags, tests = judge(candidates, future_s)
    rulesets = np.array([c.channel.rules.version if c.channel.rules else RULESET_VERSION for c in candidates], dtype=np.int32)
    rules = {c.channel.datastream_id: c.channel.rules for c in candidates if c.channel.rules is not None}
    if not rules:
        return Verdicts(flags=flags, tests=tests, rulesets=rulesets)
    new = table.of_candidates(candidates, tests, tests & AHEAD_MASK != 0)
    new = new[np.array([c.channel.rules is not None for c in candidates], dtype=bool)]
    surroundings = await _surroundings(connection, new, rules, future_s, tails)
    stored = surroundings.rows
    contested = context.contested(stored, new)
    disputed_rows, disputed = np.isin(stored["datastream"], contested), np.isin(new["datastream"], contested)
    judged = context.judge_around(stored[~disputed_rows], new[~disputed], rules)
    mine = judged.rows[judged.rows["candidate"] >= 0]
    flags[mine["candidate"]], tests[mine["candidate"]], rulesets[mine["candidate"]] = mine["flag"], mine["tests"], mine["ruleset"]
    if tails is not None:
        tails.forget(contested.tolist())
        surroundings.remember(tails, judged.rows, rules)
    again: defaultdict[int, list[int]] = defaultdict(list)
    for row in new[disputed]:
        again[int(row["datastream"])].append(int(row["time"]))
    return Verdicts(
        flags=flags, tests=tests, rulesets=rulesets, changed=judged.changed, changed_from=judged.changed_from, rules=rules,
        again=again, stored=frozenset(rejudge.keys(stored[disputed_rows])),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """Stored rows around new ones; `complete` tells of Datastreams whose rows reach the end, and whether they are all there are."""

    rows: Rows
    complete: Mapping[int, bool]
    writer: int

    def remember(self, tails: Tails, rows: Rows, rules: Mapping[int, RuleBook]) -> None:
        for number, mine in segments(rows).items():
            if number in self.complete:
                tails.keep(number, mine, self.writer, rules[number], whole=self.complete[number])
            else:
                tails.forget([number])


async def _surroundings(
    connection: Connection, new: Rows, rules: Mapping[int, RuleBook], future_s: float, tails: Tails | None
) -> _Surroundings:
    cursor = await connection.execute(query("last_writers"), {"ids": sorted(rules)})
    found = await cursor.fetchall()
    there = {row[0]: row[1:4] for row in found if row[0] is not None}
    parts: list[Rows] = []
    spans: dict[int, list[Span]] = {}
    complete: dict[int, bool] = {}
    for number, mine in segments(new[table.order(new)]).items():
        if number not in there:
            complete[number] = True  # its first readings
            continue
        written, _, last_us = there[number]
        first_us = int(mine["time"][0])
        tail = tails.find(number, written, first_us, rules[number]) if tails is not None else None
        if tail is not None:
            parts.append(tail.rows)
            complete[number] = tail.whole
            continue
        spans[number] = rejudge.spans_of(mine["time"].tolist(), rules[number])
        if len(spans[number]) == 1 and first_us >= last_us - _FAR_BACK * int(rules[number].history_s * _SECOND_US):
            spans[number] = [(first_us, max(spans[number][0][1], last_us))]
            complete[number] = False
    loaded = await rejudge.load(connection, spans, rules, future_s)
    for number, mine in segments(loaded[~loaded["deleted"]]).items():
        if number in complete:
            complete[number] = int(mine["time"][0]) <= there[number][1]
    return _Surroundings(rows=np.concatenate([*parts, loaded]), complete=complete, writer=found[0][4])
