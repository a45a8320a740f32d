"""Candidates as PostgreSQL's binary COPY wants them, many at once: rows with the same columns set are one numpy array.

Format: https://www.postgresql.org/docs/17/sql-copy.html, "Binary Format". A row is a count of columns and for each its length and
value, big-endian; -1 for the length of a NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.candidate import Candidate

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NULL = -1
# Columns of `stage` in their order; those without a type are NULL in every row that is packed.
_COLUMNS = (
    ("id", ">i8"), ("datastream_id", ">i8"), ("time", ">i8"), ("end", ">i8"), ("discriminator", ">i8"), ("received", ">i8"),
    ("result_time", ">i8"), ("valid_start", ""), ("valid_end", ""), ("number", ">f8"), ("result", ""), ("flag", ">i2"),
    ("tests", ">i8"), ("ruleset", ">i4"), ("feature_id", ">i8"), ("lon", ">f8"), ("lat", ">f8"), ("height", ""),
    ("parameters", ""), ("quality", ""), ("epoch", ">i8"), ("seq", ">i8"), ("item", ">i4"),
)  # fmt: skip
_ALWAYS = ("datastream_id", "time", "received", "flag", "tests", "ruleset")
_OPTIONAL = ("id", "end", "discriminator", "result_time", "number", "feature_id", "epoch", "seq", "item")

Values = dict[str, npt.NDArray[Any]]


def is_plain(c: Candidate) -> bool:
    """Tell whether all values of a candidate are of fixed length, so that it can be packed."""
    return (
        c.result is None and c.parameters is None and c.quality is None and c.valid_start is None
        and (c.position is None or len(c.position) == 2)  # noqa: PLR2004 - longitude and latitude
    )  # fmt: skip


def pack(candidates: Sequence[Candidate], verdicts: Values) -> bytes:
    """Give plain candidates as rows of binary COPY, in any order; `verdicts` are the columns flag, tests and ruleset."""
    if not candidates:
        return b""
    values, there = _columns(candidates)
    values |= verdicts
    # Which columns are set, as one number for each row.
    codes = np.zeros(len(candidates), dtype=np.int64)
    for bit, present in enumerate(there.values()):
        codes |= present.astype(np.int64) << bit
    packed: list[bytes] = []
    for code in np.unique(codes).tolist():
        names = tuple(name for bit, name in enumerate(there) if code >> bit & 1)
        mine = np.flatnonzero(codes == code)
        rows = np.repeat(_template(names), len(mine))
        for name in (*_ALWAYS, *names):
            rows[name] = values[name][mine]
        packed.append(rows.tobytes())
    return b"".join(packed)


def _columns(candidates: Sequence[Candidate]) -> tuple[Values, dict[str, npt.NDArray[np.bool_]]]:
    values: Values = {
        "datastream_id": np.array([c.channel.datastream_id for c in candidates], dtype=np.int64),
        "time": _microseconds([c.time for c in candidates]),
        "received": _microseconds([c.received for c in candidates]),
    }
    there: dict[str, npt.NDArray[np.bool_]] = {}
    for name in _OPTIONAL:
        given: list[Any] = list(map(attrgetter(name), candidates))
        missing = given.count(None)
        if missing == len(given):
            continue
        there[name] = np.array([value is not None for value in given], dtype=bool) if missing else np.ones(len(given), dtype=bool)
        if name in {"end", "result_time"}:
            values[name] = _microseconds([_EPOCH if value is None else value for value in given])
        else:
            kind = np.float64 if name == "number" else np.int64
            values[name] = np.array([0 if value is None else value for value in given] if missing else given, dtype=kind)
    positions = [c.position for c in candidates]
    if any(positions):
        for place, name in enumerate(("lon", "lat")):
            there[name] = np.array([position is not None for position in positions], dtype=bool)
            values[name] = np.array([0.0 if position is None else position[place] for position in positions], dtype=np.float64)
    return values, there


def _microseconds(times: Sequence[datetime]) -> npt.NDArray[np.int64]:
    first = times[0]
    if all(time is first for time in times):  # as readings received together are
        return np.full(len(times), (first - _EPOCH) // _MICROSECOND, dtype=np.int64)
    return np.array([(time - _EPOCH) // _MICROSECOND for time in times], dtype=np.int64)


@lru_cache(256)
def _template(names: tuple[str, ...]) -> npt.NDArray[Any]:
    """One row with these columns set besides those that always are: everything but their values."""
    fields: list[tuple[str, str]] = [("columns", ">i2")]
    for name, kind in _COLUMNS:
        fields.append((f"size of {name}", ">i4"))
        if name in names or name in _ALWAYS:
            fields.append((name, kind))
    row = np.zeros(1, dtype=fields)
    row["columns"] = len(_COLUMNS)
    for name, kind in _COLUMNS:
        row[f"size of {name}"] = np.dtype(kind).itemsize if name in names or name in _ALWAYS else _NULL
    return row
