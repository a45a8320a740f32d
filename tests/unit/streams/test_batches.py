"""How a batch is cut, and how the numbers of its messages become runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.intake import Limits, take_in
from streams.registry import Registry
from streams.store import runs
from streams.transport import BATCH_BYTES
from streams.worker import chunks, messages_of


def test_neighbours_join_and_gaps_part() -> None:
    assert runs([5, 1, 2, 3, 7, 6]) == [(1, 3), (5, 7)]
    assert runs([1, 3]) == [(1, 1), (3, 3)]
    assert runs([4, 4]) == [(4, 4)]
    assert runs([]) == []


@given(st.lists(st.integers(0, 40)))
def test_runs_hold_the_numbers_and_no_other(seqs: list[int]) -> None:
    found = runs(seqs)
    assert {seq for low, high in found for seq in range(low, high + 1)} == set(seqs)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(found))


def test_records_share_a_transaction_up_to_the_bound() -> None:
    half = bytes(BATCH_BYTES // 2)
    assert [len(run) for run in chunks([half, half])] == [2]
    assert [len(run) for run in chunks([half, half, b"x"])] == [2, 1]
    assert [len(run) for run in chunks([half, half + b"x"])] == [1, 1]


def test_a_record_above_the_bound_has_its_own_transaction() -> None:
    assert [len(run) for run in chunks([b"x", bytes(BATCH_BYTES + 1), b"x"])] == [1, 1, 1]
    assert chunks([]) == []
    assert chunks([b""]) == [[b""]]


def test_a_record_that_no_bridge_wrote_is_a_dead_letter() -> None:
    (message,) = messages_of(b"\xc1")
    intake = take_in([message], Registry(), Limits(earliest=datetime(2000, 1, 1, tzinfo=UTC), ahead=timedelta(days=1)))
    assert [(letter.reason, letter.message.payload) for letter in intake.letters] == [("bad_record", b"\xc1")]


@given(st.lists(st.binary(min_size=1, max_size=3)))
def test_no_record_is_lost_or_moved(values: list[bytes]) -> None:
    assert [value for run in chunks(values) for value in run] == values
