"""The newest rows of Datastreams, remembered from batch to batch: in steady state judging in context reads nothing.

What is remembered holds while nobody else wrote to the Datastream, which `datastream_summary.written` tells under its lock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from streams.rows import Rows
from streams.rulebook import RuleBook

MOST_ROWS = 500_000  # about 30 MB
_SPARE = 1.25  # of the tests' history: readings come a little late
_SPARE_ROWS = 16
_SECOND_US = 1_000_000


class Tail(msgspec.Struct, frozen=True):
    """Newest rows without holes; `whole`: there are no others. `written`: the transaction after which they are so."""

    rows: Rows
    whole: bool
    written: int


class Tails:
    """Tails by Datastream, those longest unused are forgotten first."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._tails: dict[int, Tail] = {}
        self._most = most_rows
        self._rows = 0

    def find(self, number: int, written: int | None, first_us: int, rules: RuleBook) -> Tail | None:
        """Give what is remembered, if it still holds and goes far enough back for a reading of `first_us`."""
        tail = self._tails.get(number)
        if tail is None or tail.written != written:
            return None
        if tail.whole:
            return tail
        times: npt.NDArray[np.int64] = tail.rows["time"]
        touched = int(np.count_nonzero(times < first_us)) - rules.ahead_rows
        reaches = touched >= rules.history_rows and times[0] <= times[touched] - rules.history_s * _SECOND_US
        return tail if reaches else None

    def keep(self, number: int, rows: Rows, written: int, rules: RuleBook, *, whole: bool) -> None:
        """Remember the rows of a Datastream up to its last."""
        self.forget([number])
        times: npt.NDArray[np.int64] = rows["time"]
        since = times[-1] - int(rules.history_s * _SPARE * _SECOND_US)
        first = int(np.count_nonzero(times < since))
        first = max(0, min(first, len(rows) - rules.history_rows - 2 * rules.ahead_rows - _SPARE_ROWS))
        kept = rows[first:].copy()
        kept["candidate"] = -1
        self._tails[number] = Tail(kept, whole and first == 0, written)
        self._rows += len(kept)
        while self._rows > self._most and len(self._tails) > 1:
            self.forget([next(iter(self._tails))])

    def forget(self, numbers: Collection[int]) -> None:
        """Forget Datastreams."""
        for number in numbers:
            tail = self._tails.pop(number, None)
            self._rows -= 0 if tail is None else len(tail.rows)

    def clear(self) -> None:
        """Forget all."""
        self._tails.clear()
        self._rows = 0


def segments(rows: Rows) -> Mapping[int, Rows]:
    """Cut sorted rows by Datastream."""
    numbers, starts = np.unique(rows["datastream"], return_index=True)
    return dict(zip(numbers.tolist(), np.split(rows, starts[1:]), strict=True)) if len(rows) else {}
