"""What is remembered of a Datastream is used only where it goes far enough back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streams.tails import STEP_ROWS, Tail, Tails

SECOND = 1_000_000


def remembered(seconds: list[int], **rules: Any) -> tuple[Tails, Any]:
    """Tails that hold rows at these seconds of Datastream 1, older ones being there too, and the rules that ask for them."""
    book: Any = SimpleNamespace(**{"history_rows": 2, "history_s": 60, "ahead_rows": 1} | rules)
    time = np.array(seconds, dtype=np.int64) * SECOND
    tails = Tails()
    tails.keep(1, Tail(time, np.zeros(len(time)), np.ones(len(time), dtype=bool), b"", False, 7), book)
    return tails, book


@pytest.mark.parametrize(
    ("ahead_rows", "seconds", "found"),
    [
        (1, [0, 30, 60], True),  # the row at 60 is open and looks back to 0
        (1, [0, 30, 59], False),
        (0, [0, 30, 50], True),  # the new reading at 60 is the first open one
        (0, [1, 30, 50], False),
        (0, [0], False),  # too few rows
    ],
)
def test_a_tail_reaches_back_from_the_first_open_verdict(ahead_rows: int, seconds: list[int], found: bool) -> None:
    tails, book = remembered(seconds, ahead_rows=ahead_rows)
    assert (tails.find(1, 7, 60 * SECOND + (ahead_rows and SECOND), book) is not None) is found


def test_a_tail_that_no_longer_holds_is_not_used() -> None:
    tails, book = remembered([0, 30, 60])
    assert tails.find(1, 8, 70 * SECOND, book) is None  # somebody else wrote
    assert tails.find(1, 7, 60 * SECOND, book) is None  # the reading is not newer
    assert tails.find(2, 7, 70 * SECOND, book) is None
    tails.forget([1])
    assert tails.find(1, 7, 70 * SECOND, book) is None


@pytest.mark.parametrize(("ahead_rows", "history_rows", "kept"), [(0, 2, 62), (1, 2, 62), (3, 2, 64), (0, 100, 100)])
def test_a_tail_is_no_longer_than_its_tests_look_back(ahead_rows: int, history_rows: int, kept: int) -> None:
    tails, book = remembered(list(range(3000)), ahead_rows=ahead_rows, history_rows=history_rows)
    tail = tails.find(1, 7, 3000 * SECOND, book)
    assert tail is not None
    assert len(tail.time) == kept
    rooms = {column.base.nbytes // column.itemsize for column in (tail.time, tail.value, tail.usable)}
    assert rooms == {STEP_ROWS}  # not all 3,000


def test_a_tail_that_was_cut_no_longer_counts_as_all_there_is() -> None:
    book: Any = SimpleNamespace(history_rows=2, history_s=60, ahead_rows=1)
    tails = Tails()
    for count, whole in ((62, True), (63, False)):
        time = np.arange(count, dtype=np.int64) * SECOND
        tails.keep(1, Tail(time, np.zeros(count), np.ones(count, dtype=bool), b"", True, 7), book)
        tail = tails.find(1, 7, 100 * SECOND, book)
        assert tail is not None
        assert tail.all_there is whole
