"""Rows of `observation` side by side, as judging in context sees them: numpy records, sorted by their key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.candidate import NAN, Candidate

ROW = np.dtype(
    [
        ("datastream", "i8"),
        ("time", "i8"),  # phenomenon_time in microseconds since 1970
        ("discriminator", "i8"),
        ("value", "f8"),  # NaN where there is no number
        ("tests", "i8"),
        ("flag", "i1"),
        ("ruleset", "i4"),
        ("missing", "?"),  # a null result
        ("ahead", "?"),  # stamped too far ahead of its reception
        ("deleted", "?"),  # a tombstone, which keeps the key taken
        ("candidate", "i4"),  # place among the new readings; -1: stored already
    ]
)
Rows = npt.NDArray[Any]  # of ROW
KEY = ("datastream", "time", "discriminator")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US, _SECOND_US = 86_400_000_000, 1_000_000


def microseconds(time: datetime) -> int:
    """Give an aware time as microseconds since 1970, exactly."""
    since = time - _EPOCH
    return since.days * _DAY_US + since.seconds * _SECOND_US + since.microseconds


def empty() -> Rows:
    """No rows."""
    return np.empty(0, dtype=ROW)


def of_candidates(candidates: Sequence[Candidate], tests: npt.NDArray[np.int64], ahead: npt.NDArray[np.bool_]) -> Rows:
    """Give new readings as rows (n,), with the flags of the tests (n,) that judged each alone."""
    rows = np.zeros(len(candidates), dtype=ROW)
    rows["datastream"] = [c.channel.datastream_id for c in candidates]
    rows["time"] = [microseconds(c.time) for c in candidates]
    rows["discriminator"] = [c.discriminator for c in candidates]
    rows["value"] = [NAN if c.number is None else c.number for c in candidates]
    rows["missing"] = [c.missing for c in candidates]
    rows["tests"], rows["ahead"] = tests, ahead
    rows["candidate"] = np.arange(len(candidates))
    return rows


def of_records(records: Sequence[tuple[Any, ...]]) -> Rows:
    """Give rows as queries/load_context.sql returns them; one that two spans of the query share stands once."""
    rows = np.array([(*record, -1) for record in records], dtype=ROW)
    rows = rows[order(rows)]
    return rows[~repeats(rows)]


def to_bytes(rows: Rows) -> bytes:
    """Give rows, as they will be stored, for keeping."""
    kept = rows.copy()
    kept["candidate"] = -1
    return kept.tobytes()


def from_bytes(parts: Iterable[bytes]) -> Rows:
    """Join rows that were kept as bytes."""
    return np.frombuffer(b"".join(parts), dtype=ROW)


def order(rows: Rows) -> npt.NDArray[np.intp]:
    """Give the places that sort rows by their key."""
    return np.lexsort(tuple(rows[name] for name in reversed(KEY)))


def repeats(rows: Rows) -> npt.NDArray[np.bool_]:
    """Tell which of sorted rows (n,) have the key of the row before."""
    same = np.zeros(len(rows), dtype=bool)
    if len(rows):
        same[1:] = np.logical_and.reduce([rows[name][1:] == rows[name][:-1] for name in KEY])
    return same
