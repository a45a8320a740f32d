"""A row's verdict in context: the same in every window that holds what it depends on, and the same as one row at a time gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.quality import spans
from streams.quality.context import judge_window
from streams.quality.rules import (
    AttenuatedSignal,
    Climatology,
    CounterReset,
    FlatLine,
    Hampel,
    RateOfChange,
    Rules,
    Spike,
    TimingGap,
)
from streams.quality.window import Window

NAN = float("nan")
START_US = 1_750_000_000_000_000

TESTS: dict[str, Any] = {
    "timing_gap": TimingGap(suspect_s=20, fail_s=50),
    "climatology": Climatology(low=(-2.0,) * 144 + (NAN,) * 144, high=(2.0,) * 288),
    "spike": Spike(suspect=2, fail=4, within_s=40),
    "rate_of_change": RateOfChange(suspect_per_s=0.3, fail_per_s=0.6),
    "flat_line": FlatLine(suspect_s=50, fail_s=100, tolerance=0.5, slack_s=15, exclude_to=0.5, exclude_from=8),
    "attenuated_signal": AttenuatedSignal(window_s=60, suspect=0.8, fail=0.3, slack_s=15, least=4),
    "hampel": Hampel(readings=5, suspect=3, fail=6, floor=0.5),
    "counter_reset": CounterReset(tolerance=1, rollover=8),
    "duplicate": True,
}
RULES = [
    Rules(version=1, **TESTS),
    Rules(version=1, spike=Spike(suspect=1, modulus=4), rate_of_change=RateOfChange(suspect_per_s=0.2, modulus=4)),
    Rules(version=1, rate_of_change=RateOfChange(suspect_per_s=0.2), hampel=Hampel(readings=3)),
    *(Rules(version=1, **{name: test}) for name, test in TESTS.items()),
    None,
]


def window(*segments: tuple[Rules | None, list[tuple[float, float, bool]]], wanted: list[bool] | None = None) -> Window:
    """A window out of (rules, rows of (seconds, value, usable))."""
    rows = [row for _, rows in segments for row in rows]
    return Window(
        segment=np.repeat(np.arange(len(segments)), [len(rows) for _, rows in segments]),
        time_us=np.array([START_US + round(row[0] * 1e6) for row in rows], dtype=np.int64),
        value=np.array([row[1] for row in rows], dtype=np.float64),
        usable=np.array([row[2] for row in rows], dtype=np.bool_),
        rules=[rules for rules, _ in segments],
        wanted=None if wanted is None else np.array(wanted, dtype=np.bool_),
    )


VALUES = st.one_of(st.sampled_from([0.0, 1.0, 1.0, 1.0, 2.0, 9.0, -5.0, NAN]), st.floats(-10, 10), st.floats(-1e300, 1e300))
ROWS = st.lists(
    st.tuples(st.sampled_from([0, 0, 0.000001, 3, 10, 10, 10, 10, 15, 25, 60]), VALUES, st.sampled_from([True, True, True, False])),
    min_size=1,
    max_size=40,
).map(lambda rows: [(float(t), *row[1:]) for t, row in zip(np.cumsum([r[0] for r in rows]), rows, strict=True)])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(RULES), ROWS), min_size=1, max_size=4), st.data())
def test_a_verdict_depends_on_the_rows_within_its_reach_alone(segments: list[Any], data: Any) -> None:
    whole = judge_window(window(*segments)).tolist()
    which = data.draw(st.integers(0, len(segments) - 1))
    rules, rows = segments[which]
    verdicts = whole[sum(len(rows) for _, rows in segments[:which]) :][: len(rows)]
    place = data.draw(st.integers(0, len(rows) - 1))
    history_s, history_rows, ahead = (rules.history_s, rules.history_rows, rules.ahead_rows) if rules else (0, 0, 0)
    by_time = next(i for i, row in enumerate(rows) if round(row[0] * 1e6) >= round((rows[place][0] - history_s) * 1e6))
    first = data.draw(st.integers(0, max(0, min(place - history_rows, by_time))))
    last = data.draw(st.integers(min(place + ahead, len(rows) - 1), len(rows) - 1))
    wanted = [i == place or data.draw(st.booleans()) for i in range(first, last + 1)]
    part = judge_window(window((rules, rows[first : last + 1]), wanted=wanted)).tolist()
    assert part[place - first] == verdicts[place]
    assert all(flags == 0 for flags, asked in zip(part, wanted, strict=True) if not asked)


def test_rows_that_are_not_wanted_have_no_verdict_and_the_others_the_same() -> None:
    rows = [(10.0 * place, value, True) for place, value in enumerate([0.0, 1.0, 9.0, 1.0, 1.0, 1.0, 5.0, 1.0, 2.0])]
    whole = judge_window(window((RULES[0], rows))).tolist()
    wanted = [place in (2, 6) for place in range(len(rows))]
    part = judge_window(window((RULES[0], rows), wanted=wanted)).tolist()
    assert part == [verdict if asked else 0 for verdict, asked in zip(whole, wanted, strict=True)]
    assert part[2]
    assert part[6]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(RULES), ROWS), min_size=1, max_size=4), st.data())
def test_spans_that_are_gone_through_and_minima_of_powers_of_two_give_the_same(segments: list[Any], data: Any) -> None:
    asked = window(*segments, wanted=[data.draw(st.booleans()) for _, rows in segments for _ in rows])
    verdicts: list[list[int]] = []
    for few in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spans, "FEW", few)
            verdicts.append(judge_window(asked).tolist())
    assert verdicts[0] == verdicts[1]
