"""The newest rows of Datastreams, remembered from batch to batch: readings that come in order are judged without reading any.

What is remembered holds while nobody else wrote to the Datastream, which `datastream_summary.written` tells under its lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streams.rows import Rows
from streams.rulebook import RuleBook

MOST_ROWS = 1_500_000  # about 30 MB
# Room is taken in steps: blocks that grew by some rows at each batch fitted no gap that others had left, and the heap grew by
# megabytes an hour.
STEP_ROWS = 1_024
_SECOND_US = 1_000_000


class Tail(msgspec.Struct, frozen=True):
    """Newest living rows (n,) without holes, as context; `last`: those at the end whose verdicts are still open, as bytes of `ROW`.

    `all_there`: there are no older rows. `written`: the transaction after which they are so.
    """

    time: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    usable: npt.NDArray[np.bool_]
    last: bytes
    all_there: bool
    written: int


class Tails:
    """Tails by Datastream; those longest unused are forgotten first."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._tails: dict[int, Tail] = {}
        self._most = most_rows
        self._rows = 0

    def find(self, number: int, written: int | None, first_us: int, book: RuleBook) -> Tail | None:
        """Give what is remembered, if it still holds, ends before a reading of `first_us`, and goes far enough back for it."""
        tail = self._tails.get(number)
        if tail is None or tail.written != written or tail.time[-1] >= first_us:
            return None
        if tail.all_there:
            return tail
        open_row = len(tail.time) - book.ahead_rows  # the first whose verdict is still open
        open_us = tail.time[open_row] if book.ahead_rows else first_us
        reaches = open_row >= book.history_rows and tail.time[0] <= open_us - book.history_s * _SECOND_US
        return tail if reaches else None

    def keep(self, number: int, tail: Tail, book: RuleBook) -> None:
        """Remember the rows of a Datastream up to its last, as far back as its tests look from the first open verdict.

        The columns may be views.
        """
        self.forget([number])
        tail = self._tails[number] = _cut(tail, book)
        self._rows += len(tail.time)
        while self._rows > self._most and len(self._tails) > 1:
            self.forget([next(iter(self._tails))])

    def forget(self, numbers: Collection[int]) -> None:
        """Forget Datastreams."""
        for number in numbers:
            tail = self._tails.pop(number, None)
            self._rows -= 0 if tail is None else len(tail.time)

    def clear(self) -> None:
        """Forget all."""
        self._tails.clear()
        self._rows = 0


def _cut(tail: Tail, book: RuleBook) -> Tail:
    # At each batch: tails that grew for long and were cut at once moved the worker's memory up and down by megabytes.
    open_row = len(tail.time) - book.ahead_rows
    first = 0
    if open_row > book.history_rows:
        open_us = int(tail.time[min(open_row, len(tail.time) - 1)])
        older = int(np.searchsorted(tail.time, open_us - int(book.history_s * _SECOND_US)))  # than what is looked at
        first = max(0, min(older - 1, open_row - book.history_rows))
    return Tail(
        _copied(tail.time[first:]), _copied(tail.value[first:]), _copied(tail.usable[first:]), tail.last,
        tail.all_there and first == 0, tail.written,
    )  # fmt: skip


def _copied(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Copy rows (n,): a view would hold the whole batch in memory."""
    room = np.empty(-(-len(column) // STEP_ROWS) * STEP_ROWS, dtype=column.dtype)
    kept = room[: len(column)]
    kept[:] = column
    return kept


def segments(rows: Rows) -> Iterator[tuple[int, Rows]]:
    """Cut sorted rows by Datastream."""
    if len(rows):
        numbers, starts = np.unique(rows["datastream"], return_index=True)
        yield from zip(numbers.tolist(), np.split(rows, starts[1:]), strict=True)
