"""The tests in context over a window: one numpy pass for many Datastreams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from streams.quality import spans, tests
from streams.quality.flags import SHIFT
from streams.quality.lookup import SECOND_US, Lookup
from streams.quality.rules import COLUMNS, IN_CONTEXT, REACH, Rules
from streams.quality.seasons import month_and_hour, waking_us
from streams.quality.tests import Flags
from streams.quality.window import Floats, Integers, Mask, Places, Window


def judge_window(window: Window) -> Integers:
    """Give the flags of the tests in context (n,) int64: 4 bits each in the order of `TESTS`, 0 where one is off or does not apply.

    Rows that are not wanted get 0. A row's flags are the same in whatever larger window they are computed.
    """
    packed = np.zeros(len(window.time_us), dtype=np.int64)
    if not len(packed):
        return packed
    judge = _Judge(window)
    # Numbers near the end of what a float can hold give infinite differences, and these compare as they should.
    with np.errstate(over="ignore", invalid="ignore"):
        for name in IN_CONTEXT:
            rows = judge.rows_of(name)
            if len(rows):
                packed[rows] |= _TESTS[name](judge, rows).astype(np.int64) << SHIFT[name]
    return packed


@dataclass(frozen=True)
class _Judge:
    window: Window

    @cached_property
    def lookup(self) -> Lookup:
        return Lookup(self.window)

    @cached_property
    def distinct(self) -> Mapping[int, Rules | None]:
        return dict(zip(map(id, self.window.rules), self.window.rules, strict=True))

    @cached_property
    def kind(self) -> Places:
        """Place of each row's rules (n,) among the distinct ones."""
        places = {key: place for place, key in enumerate(self.distinct)}
        of_segments = np.fromiter(map(places.__getitem__, map(id, self.window.rules)), dtype=np.intp, count=len(self.window.rules))
        return of_segments[self.window.segment]

    @cached_property
    def table(self) -> Floats:
        """Parameters of the distinct rules, one row each, in the order of `COLUMNS`."""
        none = np.full(len(COLUMNS), np.nan)
        return np.stack([none if rules is None else rules.numbers for rules in self.distinct.values()])

    def enabled(self, name: str) -> Mask | None:
        """Rows (n,) whose rules enable the test; None: no row's do."""
        enabled = self.table[:, COLUMNS[name]] > 0
        return enabled[self.kind] if enabled.any() else None

    def rows_of(self, name: str) -> Places:
        """Wanted rows (m,) to which the test applies: those about values to numbers only."""
        rows = self.enabled(name)
        if rows is None:
            return np.empty(0, dtype=np.intp)
        if self.window.wanted is not None:
            rows &= self.window.wanted
        if name not in ("timing_gap", "duplicate"):
            rows &= self.numbers
        return np.flatnonzero(rows)

    @cached_property
    def numbers(self) -> Mask:
        return ~np.isnan(self.window.value)

    def parameters(self, name: str, rows: Places) -> Callable[[str], Floats]:
        """Give a function from a parameter's name to its values (m,)."""
        kind = self.kind[rows]
        return lambda parameter: self.table[kind, COLUMNS[f"{name}.{parameter}"]]

    def by_rules(self, rows: Places) -> Iterator[tuple[Rules, Places]]:
        """Give each of the rules with the places of its own among these rows, which are not empty."""
        if not len(rows):
            return
        kind = self.kind[rows]
        order = np.argsort(kind, kind="stable")
        present, first = np.unique(kind[order], return_index=True)
        every: list[Rules | None] = list(self.distinct.values())
        for place, at in zip(present, np.split(order, first[1:]), strict=True):
            rules = every[int(place)]
            assert rules is not None  # these rows' rules enable a test
            yield rules, at

    @cached_property
    def unspiked(self) -> Mask:
        """Reference rows (n,) that are no spikes, right where they are at most `REACH` rows before a wanted row."""
        enabled = self.enabled("spike")
        if enabled is None:
            return self.lookup.reference
        near = np.ones_like(enabled) if self.window.wanted is None else self.window.wanted.copy()
        for _ in range(REACH if self.window.wanted is not None else 0):
            near[:-1] |= near[1:]
        rows = np.flatnonzero(enabled & near & self.lookup.reference)
        unspiked = self.lookup.reference.copy()
        unspiked[rows] = _spike(self, rows) < 3  # noqa: PLR2004 - suspect
        return unspiked


def _timing_gap(judge: _Judge, rows: Places) -> Flags:
    given, time = judge.parameters("timing_gap", rows), judge.window.time_us
    gap_s, suspect_s = judge.lookup.gap_s(rows), given("suspect_s")
    # Only what is late shall cost the look at the calendar.
    late = np.flatnonzero((gap_s > suspect_s) & ~np.isnan(given("pause_begin_h")))
    for rules, at in judge.by_rules(rows[late]):
        gap, ends = rules.timing_gap, rows[late[at]]
        assert gap is not None
        gap_s[late[at]] = waking_us(time[ends - 1], time[ends], (gap.pause_begin_h, gap.pause_end_h), gap.timezone) / SECOND_US
    return tests.timing_gap(gap_s, suspect_s, given("fail_s"))


def _duplicate(judge: _Judge, rows: Places) -> Flags:
    return tests.duplicate(judge.lookup.gap_s(rows))


def _climatology(judge: _Judge, rows: Places) -> Flags:
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for rules, at in judge.by_rules(rows):
        band = rules.climatology
        assert band is not None
        season = month_and_hour(judge.window.time_us[rows[at]], band.timezone)
        low[at], high[at] = band.bounds[0, season], band.bounds[1, season]
    return tests.climatology(judge.window.value[rows], low, high)


def _spike(judge: _Judge, rows: Places) -> Flags:
    look, given = judge.lookup, judge.parameters("spike", rows)
    before, after = look.before(rows), look.after(rows)
    value, modulus, within = judge.window.value[rows], given("modulus"), given("within_s")
    up = _difference(value, look.value_at(before), modulus)
    down = _difference(value, look.value_at(after), modulus)
    up[look.seconds_between(before, rows) > within] = np.nan
    down[look.seconds_between(rows, after) > within] = np.nan
    return tests.spike(up, down, given("suspect"), given("fail"))


def _rate_of_change(judge: _Judge, rows: Places) -> Flags:
    look, given = judge.lookup, judge.parameters("rate_of_change", rows)
    before = look.before(rows, judge.unspiked)
    change = _difference(judge.window.value[rows], look.value_at(before), given("modulus"))
    seconds = look.seconds_between(before, rows)
    return tests.rate_of_change(change, seconds, given("suspect_per_s"), given("fail_per_s"), given("least_s"))


def _difference(value: Floats, other: Floats, modulus: Floats) -> Floats:
    """Give value - other (m,), around the short way where the scale has a modulus."""
    difference = value - other
    around = difference - modulus * np.rint(difference / modulus)
    return np.where(np.isnan(modulus), difference, around)


def _flat_line(judge: _Judge, rows: Places) -> Flags:
    look, given = judge.lookup, judge.parameters("flat_line", rows)
    # Both spans in one go: first all rows with the shorter one, then all with the longer one.
    twice, span_s = np.tile(rows, 2), np.concatenate((given("suspect_s"), given("fail_s")))
    first, whole = look.reaching_back(twice, span_s, np.tile(given("slack_s"), 2))
    span = spans.span_of(look, twice, first, whole, np.tile(given("least"), 2))
    suspect, fail = spans.halves(span)
    return tests.flat_line(suspect, fail, given("tolerance"), given("exclude_to"), given("exclude_from"))


def _attenuated_signal(judge: _Judge, rows: Places) -> Flags:
    look, given = judge.lookup, judge.parameters("attenuated_signal", rows)
    first, whole = look.reaching_back(rows, given("window_s"), given("slack_s"))
    span = spans.span_of(look, rows, first, whole, given("least"))
    step = (judge.table[:, COLUMNS["attenuated_signal.suspect"]] / spans.STEPS)[judge.kind]
    deviation = spans.deviation_of(look, rows, first, span, step)
    return tests.attenuated_signal(deviation, span, given("suspect"), given("fail"), given("exclude_to"), given("exclude_from"))


def _hampel(judge: _Judge, rows: Places) -> Flags:
    look, given = judge.lookup, judge.parameters("hampel", rows)
    readings = given("readings")
    back = np.arange(int(readings.max()))
    near = rows[:, None] - back
    known = (near >= look.start[rows][:, None]) & (back < readings[:, None])
    near = np.maximum(near, 0)
    known &= look.reference[near] | (back == 0)
    recent = np.where(known, judge.window.value[near], np.nan)
    # Of a Datastream's first rows nothing is known yet.
    recent[rows - look.start[rows] + 1 < readings] = np.nan
    return tests.hampel(judge.window.value[rows], recent, given("suspect"), given("fail"), given("floor"), readings // 2 + 1)


def _counter_reset(judge: _Judge, rows: Places) -> Flags:
    look, given = judge.lookup, judge.parameters("counter_reset", rows)
    before = look.value_at(look.before(rows))
    return tests.counter_reset(judge.window.value[rows], before, given("tolerance"), given("rollover"))


_TESTS: Mapping[str, Callable[[_Judge, Places], Flags]] = {
    "timing_gap": _timing_gap,
    "climatology": _climatology,
    "spike": _spike,
    "rate_of_change": _rate_of_change,
    "flat_line": _flat_line,
    "attenuated_signal": _attenuated_signal,
    "hampel": _hampel,
    "counter_reset": _counter_reset,
    "duplicate": _duplicate,
}
