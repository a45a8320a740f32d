"""Judging among the rows of the same Datastream: which rows new readings touch, and what the verdicts on them become. Pure.

After each transaction the verdict on a row depends on the stored rows alone, not on the order in which they came
(architecture.md, worker 3): whoever adds rows judges those again that look at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.vocabulary import Flag
from streams import rows as table
from streams.quality import flags
from streams.quality.context import judge_window
from streams.quality.rules import IN_CONTEXT, Rules
from streams.quality.window import Window
from streams.rows import Rows
from streams.rulebook import RuleBook

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

_CONTEXT = np.int64(flags.mask(IN_CONTEXT))
_AHEAD = np.int64(Flag.FAIL << flags.SHIFT["timing_gap"])
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Living rows sorted by key with their verdicts as they are now."""

    rows: Rows
    changed: Rows  # stored rows with another verdict than before
    changed_from: npt.NDArray[np.int8]  # their flags before


def contested(stored: Rows, new: Rows) -> npt.NDArray[np.int64]:
    """Name Datastreams with new readings whose key is taken, be it by each other: the store must say first which copy holds."""
    rows = np.concatenate([stored, new])
    rows = rows[table.order(rows)]
    return np.unique(rows["datastream"][table.repeats(rows)])


def judge_around(stored: Rows, new: Rows, rules: Mapping[int, RuleBook]) -> Judged:
    """Judge new rows, none of them contested, and the stored ones that look at them; `rules` by Datastream."""
    rows = np.concatenate([stored, new])
    rows = rows[table.order(rows)]
    return _judge(rows, rows["candidate"] >= 0, rules)


def judge_again(stored: Rows, spans: Mapping[int, tuple[int, int]], rules: Mapping[int, RuleBook]) -> Judged:
    """Judge the stored rows of a time span (first, last; microseconds) by Datastream, and those that look at what is there."""
    places = np.zeros(len(spans), dtype=table.ROW)
    places["datastream"], places["time"], places["deleted"] = list(spans), [low for low, _ in spans.values()], True
    # A tombstone is a mark too: who looked at it looks further now. So is the place of a row that is gone altogether.
    rows = np.concatenate([stored, places])
    rows = rows[table.order(rows)]
    low, high = (np.array([spans[number][end] for number in rows["datastream"].tolist()], dtype=np.int64) for end in (0, 1))
    return _judge(rows, (rows["time"] >= low) & (rows["time"] <= high), rules)


def _judge(rows: Rows, marks: Mask, rules: Mapping[int, RuleBook]) -> Judged:
    living = ~rows["deleted"]
    at = (np.cumsum(living) - living)[marks]  # place of each mark among the living, for a tombstone that of the next one
    marked = rows[marks]
    rows = rows[living]
    if not len(rows):
        return Judged(rows=rows, changed=rows, changed_from=rows["flag"])
    segments = Segments.of(rows["datastream"], rules)
    touched = np.flatnonzero(_touched(rows, segments, marked, at))
    before = rows[touched]
    after = segments.judge(rows["time"], rows["value"], usable(rows["tests"], rows["value"]), touched, before)
    rows[touched] = after
    changed = (after["candidate"] < 0) & differs(after, before)
    return Judged(rows=rows, changed=after[changed], changed_from=before["flag"][changed])


def differs(after: Rows, before: Rows) -> Mask:
    """Tell which rows (n,) have another verdict than before."""
    return (after["tests"] != before["tests"]) | (after["flag"] != before["flag"]) | (after["ruleset"] != before["ruleset"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Runs of rows of one Datastream: number of each row's run (n,), and by run its place, its end and its rules."""

    number: Places
    start: Places
    end: Places
    datastream: npt.NDArray[np.int64]
    rules: list[RuleBook]

    @classmethod
    def of(cls, datastream: npt.NDArray[np.int64], rules: Mapping[int, RuleBook]) -> Segments:
        """Find the runs in a column of Datastreams (n,)."""
        first = np.ones(len(datastream), dtype=bool)
        first[1:] = datastream[1:] != datastream[:-1]
        start = np.flatnonzero(first)
        numbers = datastream[start]
        return cls(
            number=np.cumsum(first) - 1,
            start=start,
            end=np.append(start[1:], len(datastream)),
            datastream=numbers,
            rules=[rules[number] for number in numbers.tolist()],
        )

    def judge(self, time: Times, value: Values, good: Mask, wanted: Places, rows: Rows) -> Rows:
        """Judge `rows` (m,), which stand at the places `wanted` (m,) of the columns (n,); gives them with their verdicts."""
        judged = rows.copy()
        for rules, mine in self.layers(time[wanted], self.number[wanted]):
            mask = np.zeros(len(time), dtype=bool)
            mask[wanted[mine]] = True
            window = Window(segment=self.number, time_us=time, value=value, usable=good, wanted=mask, rules=rules)
            verdicts = judge_window(window)[wanted[mine]]
            judged[mine] = _restated(judged[mine], self.number[wanted[mine]], rules, verdicts)
        return judged

    def layers(self, times: Times, runs: Places) -> Iterator[tuple[list[Rules], Mask]]:
        """Give rules by run, and which of the rows (m,) of these times and runs they judge: mostly all, by the main rules."""
        left = np.ones(len(times), dtype=bool)
        for depth in range(max(len(book.spans) for book in self.rules), 0, -1):
            # The last of a book's spans first: it holds where two meet.
            spans = [book.spans[depth - 1] if len(book.spans) >= depth else (0, -1, book.main) for book in self.rules]
            first, last = (np.array([span[end] for span in spans], dtype=np.int64)[runs] for end in (0, 1))
            mine = left & (first <= times) & (times <= last)
            yield [span[2] for span in spans], mine
            left &= ~mine
        yield [book.main for book in self.rules], left


def _touched(rows: Rows, segments: Segments, marked: Rows, at: Places) -> Mask:
    """Tell which rows look at a marked one: those before it by their tests' rows ahead, those behind it by rows and by seconds."""
    run = np.searchsorted(segments.datastream, marked["datastream"])
    there = run < len(segments.datastream)
    there[there] = segments.datastream[run[there]] == marked["datastream"][there]
    run, at, time = run[there], at[there], marked["time"][there]
    ahead = np.array([r.ahead_rows for r in segments.rules], dtype=np.intp)
    history = np.array([r.history_rows for r in segments.rules], dtype=np.intp)
    seconds = np.array([r.history_s for r in segments.rules], dtype=np.float64)
    low = np.maximum(at - ahead[run], segments.start[run])
    high = np.minimum(at + history[run] + 1, segments.end[run])
    for number in np.unique(run[high < segments.end[run]]).tolist():  # what comes in order has nothing behind it
        mine = run == number
        start, end = segments.start[number], segments.end[number]
        until = time[mine] + int(seconds[number] * _SECOND_US)
        reach = start + np.searchsorted(rows["time"][start:end], until, side="right")
        high[mine] = np.maximum(high[mine], reach)
    steps = np.zeros(len(rows) + 1, dtype=np.intp)
    np.add.at(steps, low, 1)
    np.add.at(steps, np.maximum(high, low), -1)
    return np.cumsum(steps[:-1]) > 0


def usable(tests: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> Mask:
    """Tell which rows (n,) may serve others for comparison: a number that no test alone has failed."""
    failed = [flags.of_test(tests, name) == Flag.FAIL for name in ("syntax", "gross_range")]
    return ~np.logical_or.reduce(failed) & ~np.isnan(values)


def _restated(rows: Rows, runs: Places, rules: Sequence[Rules], verdicts: npt.NDArray[np.int64]) -> Rows:
    alone = rows["tests"] & ~_CONTEXT | np.where(rows["ahead"], _AHEAD, 0)
    rows["tests"] = flags.merge(alone, verdicts)
    mandatory = np.array([flags.mask(r.mandatory) for r in rules], dtype=np.int64)
    rows["flag"] = flags.aggregate_flag(rows["tests"], rows["missing"], mandatory[runs])
    rows["ruleset"] = np.array([r.version for r in rules], dtype=np.int32)[runs]
    return rows
