"""Least and greatest value and standard deviation over a span of rows of its own for each row, to the same bit in any window."""

from __future__ import annotations

import numpy as np

from streams.quality.lookup import Lookup
from streams.quality.tests import Span
from streams.quality.window import Floats, Integers, Mask, Places

# Standard deviations are counted in steps of so much of the bound that they are held against.
STEPS = 4096
# A range of more steps than this deviates by more than the bound in any span of fewer than half a million rows.
_WIDE = 2.0**22
# So many times as many rows are gone through, span by span, as quickly as minima of each power of two are made: a few new readings
# behind six hours of others need 0.1 ms instead of 2.
FEW = 4


def span_of(lookup: Lookup, rows: Places, first: Places, whole: Mask, least: Floats) -> Span:
    """Give what the reference rows from `first` (m,) up to a row show, its own value included; whole only with `least` of them."""
    own = lookup.window.value[rows]
    low, high = _least(lookup.values, first, rows), -_least(lookup.mirrored, first, rows)
    count = lookup.references[rows + 1] - lookup.references[first]
    return Span(np.minimum(low, own), np.maximum(high, own), whole & (count >= least))


def halves(span: Span) -> tuple[Span, Span]:
    """Cut the spans of 2 m rows into those of the first m and of the last."""
    middle = len(span.low) // 2
    return (
        Span(span.low[:middle], span.high[:middle], span.whole[:middle]),
        Span(span.low[middle:], span.high[middle:], span.whole[middle:]),
    )


def _least(values: Floats, first: Places, last: Places) -> Floats:
    """Minimum of values[first..last] (m,)."""
    rows = last - first + 1
    level = np.frexp(rows)[1] - 1
    levels = int(level.max(initial=-1)) + 1
    if rows.sum() < FEW * levels * len(values):
        # The spans are every second piece of those that their ends cut the values into.
        return np.minimum.reduceat(np.append(values, np.inf), np.stack((first, last + 1), axis=1).ravel())[::2]
    # Two overlapping powers of two cover every span.
    found = np.empty(len(first))
    for power in range(levels):
        at = level == power
        found[at] = np.minimum(values[first[at]], values[last[at] - (1 << power) + 1])
        # The last entries run short; no span reaches them, for it would reach beyond the window.
        values = np.minimum(values[: -(1 << power)], values[1 << power :])
    return found


def deviation_of(lookup: Lookup, rows: Places, first: Places, span: Span, step: Floats) -> Floats:
    """Give the standard deviation (m,) of the reference rows from `first` (m,) up to each row; inf where they are very wide apart.

    Values are counted in steps of `step` (n,), NaN where the test is off.
    """
    counted = np.where(lookup.reference & ~np.isnan(step), np.rint(lookup.window.value / step), 0)
    steps = counted.clip(-(2.0**62), 2.0**62).astype(np.int64)
    count = lookup.references[rows + 1] - lookup.references[first]
    # Around one of the span's own values both sums are small; on the way there they may wrap without harm.
    centre = steps[first]
    total = _sum(steps, first, rows) - count * centre
    squares = _sum(steps * steps, first, rows) - 2 * centre * (total + count * centre) + count * centre * centre
    number = np.maximum(count, 1)
    variance = (squares - total.astype(np.float64) ** 2 / number) / number
    deviation = np.sqrt(np.maximum(variance, 0)) * step[rows]
    return np.where(span.high - span.low > _WIDE * step[rows], np.inf, deviation)


def _sum(values: Integers, first: Places, last: Places) -> Integers:
    running = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
    return running[last + 1] - running[first]
