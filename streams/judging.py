"""Judging new readings before they are stored: alone, and among the rows of their Datastreams.

What holds among rows of the same key only the database decides; Datastreams with such readings are judged again afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from streams import context, rejudge
from streams import rows as table
from streams.candidate import Candidate
from streams.judge import AHEAD_MASK, RULESET_VERSION, judge
from streams.queries import query
from streams.rejudge import Connection, Key, Span
from streams.rows import ROW, Rows
from streams.rulebook import RuleBook
from streams.tails import Tail, Tails, segments

_SECOND_US = 1_000_000
_FAR_BACK = 4  # times the tests' history: what is newer than that is read up to the end and remembered
NO_TAIL = Tail(np.empty(0, np.int64), np.empty(0), np.empty(0, np.bool_), b"", all_there=True, written=0)


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
    books = {c.channel.datastream_id: c.channel.rules for c in candidates if c.channel.rules is not None}
    if not books:
        return Verdicts(flags=flags, tests=tests, rulesets=rulesets)
    new = table.of_candidates(candidates, tests, tests & AHEAD_MASK != 0)
    new = new[np.array([c.channel.rules is not None for c in candidates], dtype=bool)]
    work = Work(books, future_s, tails)
    await work.judge(connection, new[table.order(new)])
    mine = np.concatenate([table.empty(), *work.judged])
    flags[mine["candidate"]], tests[mine["candidate"]], rulesets[mine["candidate"]] = mine["flag"], mine["tests"], mine["ruleset"]
    return Verdicts(
        flags=flags, tests=tests, rulesets=rulesets, rules=books, again=work.again, stored=frozenset(work.stored),
        changed=np.concatenate([table.empty(), *work.changed]),
        changed_from=np.concatenate([table.empty()["flag"], *work.changed_from]),
    )  # fmt: skip


class Work:
    """Judging of one batch: what comes in order by remembered rows, all else by rows read from the database."""

    def __init__(self, books: Mapping[int, RuleBook], future_s: float, tails: Tails | None) -> None:
        self._books = books
        self._future_s = future_s
        self._tails = tails
        self._writer = 0
        self.judged: list[Rows] = []
        self.changed: list[Rows] = []
        self.changed_from: list[npt.NDArray[np.int8]] = []
        self.again: dict[int, list[int]] = {}
        self.stored: set[Key] = set()

    async def judge(self, connection: Connection, new: Rows) -> None:
        """Judge sorted new rows."""
        cursor = await connection.execute(query("last_writers"), {"ids": sorted(self._books)})
        found = await cursor.fetchall()
        there = {row[0]: row[1:4] for row in found if row[0] is not None}
        self._writer = found[0][4]
        doubled = set(new["datastream"][table.repeats(new)].tolist())
        ordered: list[tuple[Tail | None, Rows]] = []
        others: list[Rows] = []
        for number, mine in segments(new):
            tail = None
            if self._tails is not None and number in there:
                tail = self._tails.find(number, there[number][0], int(mine["time"][0]), self._books[number])
            if number not in doubled and (tail is not None or number not in there):
                ordered.append((tail, mine))
            else:
                others.append(mine)
        if ordered:
            self._append(ordered)
        if others:
            await self._read_around(connection, np.concatenate(others), there)

    def _append(self, ordered: Sequence[tuple[Tail | None, Rows]]) -> None:
        """Judge rows that come behind all others of their Datastreams."""
        tails = [tail or NO_TAIL for tail, _ in ordered]
        news = [mine for _, mine in ordered]
        old, count = np.array([len(tail.time) for tail in tails]), np.array([len(mine) for mine in news])
        held = np.array([len(tail.last) // ROW.itemsize for tail in tails])
        # Records are joined as bytes: numpy looks at every field of every piece.
        rows = table.from_bytes(part for tail, mine in zip(tails, news, strict=True) for part in (tail.last, mine.tobytes()))
        good = context.usable(rows["tests"], rows["value"])
        ends = np.cumsum(old + count)
        # Of each run the last of the old rows and all new ones are judged.
        starts = ends - count - held
        wanted = np.repeat(starts - (np.cumsum(held + count) - held - count), held + count) + np.arange(len(rows))
        time = _column([tail.time for tail in tails], [mine["time"] for mine in news])
        value = _column([tail.value for tail in tails], [mine["value"] for mine in news])
        usable = np.zeros(len(time), dtype=bool)
        old_places: npt.NDArray[np.intp] = np.repeat(ends - count - np.cumsum(old), old) + np.arange(int(old.sum()))
        usable[old_places] = np.concatenate([tail.usable for tail in tails])
        usable[wanted] = good
        numbers = np.repeat([int(mine["datastream"][0]) for mine in news], old + count)
        after = context.Segments.of(numbers, self._books).judge(time, value, usable, wanted, rows)
        self._take(after, rows)
        records = table.to_bytes(after)
        for place, (number, end, behind) in enumerate(
            zip(numbers[ends - 1].tolist(), ends.tolist(), np.cumsum(held + count).tolist(), strict=True)
        ):
            span = slice(end - int(old[place] + count[place]), end)
            first = max(behind - self._books[number].ahead_rows, behind - int(held[place] + count[place]))
            last = records[first * ROW.itemsize : behind * ROW.itemsize]
            whole = ordered[place][0] is None or tails[place].all_there
            self._keep(number, Tail(time[span], value[span], usable[span], last, whole, self._writer))

    async def _read_around(self, connection: Connection, new: Rows, there: Mapping[int, Sequence[int]]) -> None:
        """Judge rows among those that the database has around them."""
        spans: dict[int, list[Span]] = {}
        to_the_end: set[int] = set()
        for number, mine in segments(new):
            book = self._books[number]
            spans[number] = rejudge.spans_of(mine["time"].tolist(), book)
            first_us, last_us = int(mine["time"][0]), there[number][2] if number in there else 0
            if len(spans[number]) == 1 and first_us >= last_us - _FAR_BACK * int(book.history_s * _SECOND_US):
                spans[number] = [(first_us, max(spans[number][0][1], last_us))]
                to_the_end.add(number)
        stored = await rejudge.load(connection, spans, self._books, self._future_s)
        contested = context.contested(stored, new)
        disputed, undecided = np.isin(stored["datastream"], contested), np.isin(new["datastream"], contested)
        for row in new[undecided]:
            self.again.setdefault(int(row["datastream"]), []).append(int(row["time"]))
        self.stored.update(rejudge.keys(stored[disputed]))
        judged = context.judge_around(stored[~disputed], new[~undecided], self._books)
        self.judged.append(judged.rows[judged.rows["candidate"] >= 0])
        self.changed.append(judged.changed)
        self.changed_from.append(judged.changed_from)
        if self._tails is not None:
            self._tails.forget(spans.keys())
        for number, mine in segments(judged.rows):
            if number in to_the_end:
                good = context.usable(mine["tests"], mine["value"])
                whole = number not in there or int(mine["time"][0]) <= there[number][1]
                last = table.to_bytes(mine[max(0, len(mine) - self._books[number].ahead_rows) :])
                self._keep(number, Tail(mine["time"], mine["value"], good, last, whole, self._writer))

    def _take(self, after: Rows, before: Rows) -> None:
        self.judged.append(after[after["candidate"] >= 0])
        changed = (after["candidate"] < 0) & context.differs(after, before)
        self.changed.append(after[changed])
        self.changed_from.append(before["flag"][changed])

    def _keep(self, number: int, tail: Tail) -> None:
        if self._tails is not None:
            self._tails.keep(number, tail, self._books[number])


def _column(old: Sequence[npt.NDArray[Any]], new: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate([part for pair in zip(old, new, strict=True) for part in pair])
