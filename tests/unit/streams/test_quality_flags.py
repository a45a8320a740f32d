"""Packed flags and the aggregate: no good test hides a mandatory one that could not judge."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.quality.flags import DEFAULT_MASK, aggregate_flag, mask, merge, of_test, pack
from streams.quality.rules import DEFAULT_MANDATORY
from streams.quality.tests import TESTS

GOOD = {"syntax": 1, "gross_range": 1}


def packed(**flags: int) -> np.ndarray:
    return pack({name: np.array([flag], dtype=np.int8) for name, flag in flags.items()})


def aggregate(*, missing: bool = False, mandatory: tuple[str, ...] = DEFAULT_MANDATORY, **flags: int) -> int:
    return int(aggregate_flag(packed(**flags), np.array([missing]), mask(mandatory))[0])


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 3, 4]), min_size=13, max_size=13), min_size=1, max_size=20))
def test_what_is_packed_comes_out_again_and_the_aggregate_is_that_of_the_definition(rows: list[list[int]]) -> None:
    flags = {name: np.array([row[place] for row in rows], dtype=np.int8) for place, name in enumerate(TESTS)}
    together = pack(flags)
    assert all((of_test(together, name) == flags[name]).all() for name in TESTS)
    expected = []
    for row in rows:
        by_name = dict(zip(TESTS, row, strict=True))
        worst = max(flag for flag in row if flag != 2) if set(row) - {2} else 0
        held_back = by_name["syntax"] in (0, 2) or by_name["gross_range"] == 2 or worst == 0
        expected.append(worst if worst > 2 else 2 if held_back else 1)
    assert aggregate_flag(together, np.zeros(len(rows), dtype=np.bool_)).tolist() == expected


def test_a_pending_spike_holds_nothing_back_unless_it_is_mandatory() -> None:
    assert aggregate(**GOOD, spike=2) == 1
    assert aggregate(**GOOD, spike=2, mandatory=("syntax", "gross_range", "spike")) == 2
    assert aggregate(**GOOD, spike=1, mandatory=("syntax", "gross_range", "spike")) == 1
    assert aggregate(**GOOD, spike=0, mandatory=("syntax", "gross_range", "spike")) == 1


def test_a_mandatory_test_that_could_not_judge_is_not_hidden_by_good_ones() -> None:
    assert aggregate(syntax=1, gross_range=2, spike=1, hampel=1) == 2
    assert aggregate(syntax=1, gross_range=2, spike=3) == 3


def test_a_row_without_syntax_was_not_evaluated_where_syntax_is_mandatory() -> None:
    assert aggregate(gross_range=1) == 2
    assert aggregate(gross_range=1, mandatory=("gross_range",)) == 1
    assert aggregate(syntax=0, mandatory=()) == 2


@pytest.mark.parametrize(("one", "other"), list(product((0, 1, 3, 4), repeat=2)))
def test_a_missing_value_is_missing_whatever_the_tests_say(one: int, other: int) -> None:
    assert aggregate(syntax=one, timing_gap=other, missing=True) == 9


def test_each_row_may_have_its_own_mandatory_tests() -> None:
    twice = np.repeat(packed(**GOOD, spike=2), 2)
    masks = np.array([DEFAULT_MASK, mask(("spike",))])
    assert aggregate_flag(twice, np.zeros(2, dtype=np.bool_), masks).tolist() == [1, 2]


@pytest.mark.parametrize(("alone", "context", "flag"), [(4, 1, 4), (0, 3, 3), (4, 0, 4), (0, 2, 2), (0, 0, 0)])
def test_the_worse_part_of_timing_gap_counts(alone: int, context: int, flag: int) -> None:
    joined = merge(packed(syntax=1, timing_gap=alone), packed(timing_gap=context, spike=3))
    assert [int(of_test(joined, name)[0]) for name in ("syntax", "timing_gap", "spike")] == [1, flag, 3]
