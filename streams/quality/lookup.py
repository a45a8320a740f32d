"""What lies before and after each row of a window: every look-up is vectorised over all segments and exact.

Sums are of integers modulo 2**64 and minima are minima, so that no result depends on where the window begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from streams.quality.rules import REACH
from streams.quality.window import Floats, Integers, Mask, Places, Window

SECOND_US = 1_000_000


def reference_rows(window: Window) -> Mask:
    """Give the rows (n,) that others may be compared with: usable numbers, the first of each time."""
    return window.usable & ~np.isnan(window.value) & ~repeated(window)


def repeated(window: Window) -> Mask:
    """Give the rows (n,) that share Datastream and time with the row before."""
    same = np.zeros(len(window.time_us), dtype=np.bool_)
    same[1:] = (window.time_us[1:] == window.time_us[:-1]) & (window.segment[1:] == window.segment[:-1])
    return same


def segment_starts(window: Window) -> Places:
    """Give the first row (n,) of each row's segment."""
    count = np.bincount(window.segment, minlength=len(window.rules))
    return (np.cumsum(count) - count)[window.segment]


@dataclass(frozen=True)
class Lookup:
    """A window with what its look-ups share. Row numbers stand for rows; -1 stands for none."""

    window: Window

    @cached_property
    def rows(self) -> Places:
        """0 to n - 1."""
        return np.arange(len(self.window.time_us))

    @cached_property
    def start(self) -> Places:
        """First row of each row's segment (n,)."""
        return segment_starts(self.window)

    @cached_property
    def repeated(self) -> Mask:
        """Rows (n,) at the same time as the row before."""
        return repeated(self.window)

    @cached_property
    def reference(self) -> Mask:
        """Rows (n,) that others may be compared with."""
        return reference_rows(self.window)

    @cached_property
    def values(self) -> Floats:
        """Values (n,) of reference rows, elsewhere infinity."""
        return np.where(self.reference, self.window.value, np.inf)

    @cached_property
    def mirrored(self) -> Floats:
        """The same of the values times -1: their least is the greatest."""
        return np.where(self.reference, -self.window.value, np.inf)

    @cached_property
    def last_reference(self) -> Places:
        """Last reference row up to and with each row (n,), of whatever segment."""
        return np.maximum.accumulate(np.where(self.reference, self.rows, -1))

    @cached_property
    def next_reference(self) -> Places:
        """First reference row after each row (n,), of whatever segment; n: none."""
        count = len(self.rows)
        first = np.minimum.accumulate(np.where(self.reference, self.rows, count)[::-1])[::-1]
        return np.append(first[1:], count)

    @cached_property
    def first_of_time(self) -> Places:
        """First row (n,) of the Datastream at each row's time."""
        return np.maximum.accumulate(np.where(self.repeated, 0, self.rows))

    @cached_property
    def references(self) -> Integers:
        """How many reference rows there are before each row and after the last (n + 1,)."""
        return np.concatenate(([0], np.cumsum(self.reference)))

    def gap_s(self, rows: Places) -> Floats:
        """Seconds since the row before (m,), NaN for the first of a Datastream."""
        time = self.window.time_us
        gap = (time[rows] - time[rows - 1]) / SECOND_US
        return np.where(rows > self.start[rows], gap, np.nan)

    def before(self, rows: Places, among: Mask | None = None) -> Places:
        """Nearest reference row (m,) at an earlier time and at most `REACH` rows before; `among` (n,) narrows the references."""
        last = self.last_reference if among is None else np.maximum.accumulate(np.where(among, self.rows, -1))
        earlier = self.first_of_time[rows] - 1
        found = last[earlier]
        near = (earlier >= 0) & (found >= self.start[rows]) & (rows - found <= REACH)
        return np.where(near, found, -1)

    def after(self, rows: Places) -> Places:
        """Nearest reference row (m,) at a later time and at most `REACH` rows after."""
        segment, found = self.window.segment, self.next_reference[rows]
        near = (found < len(segment)) & (found - rows <= REACH)
        near &= segment[np.where(near, found, rows)] == segment[rows]
        return np.where(near, found, -1)

    def value_at(self, rows: Places) -> Floats:
        """Values (m,), NaN for -1."""
        return np.where(rows < 0, np.nan, self.window.value[rows])

    def seconds_between(self, earlier: Places, later: Places) -> Floats:
        """Seconds (m,) between rows, NaN where either is -1."""
        time = self.window.time_us
        return np.where((earlier < 0) | (later < 0), np.nan, (time[later] - time[earlier]) / SECOND_US)

    def reaching_back(self, rows: Places, span_s: Floats, slack_s: Floats) -> tuple[Places, Mask]:
        """Where the span of `span_s` up to each row begins (m,), and whether it is known from end to end (m,).

        It begins with the last reference row that is at least `span_s` older and not by more than `slack_s` on top; where there is
        none, with the first row that is less than `span_s` older.
        """
        time = self.window.time_us
        # NaN, a span that is not set, becomes one of 0 that is never whole.
        set_ = ~np.isnan(span_s)
        target = time[rows] - np.rint(np.where(set_, span_s, 0) * SECOND_US).astype(np.int64)
        earliest = target - np.rint(slack_s * SECOND_US).astype(np.int64)
        inside = self._first_later(rows, target)
        opening = np.where(inside > 0, self.last_reference[inside - 1], -1)
        whole = set_ & (opening >= self.start[rows])
        whole &= time[opening] >= earliest
        return np.where(whole, opening, np.minimum(inside, rows)), whole

    def _first_later(self, rows: Places, target: Integers) -> Places:
        """First row (m,) of the same segment later than `target`, a time not after that row's own: bisection, all rows at once."""
        time = self.window.time_us
        low, high = self.start[rows].copy(), rows + 1
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) // 2
            later = time[np.minimum(middle, rows)] > target
            high = np.where(later, middle, high)
            low = np.where(later, low, np.minimum(middle + 1, high))
        return low
