"""Candidates with their flags into the temporary table `stage`, by binary COPY."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.rows import TupleRow

from streams import packing
from streams.candidate import Candidate
from streams.queries import query

COPY = "COPY stage FROM STDIN (FORMAT BINARY)"
TYPES = (
    "int8", "int8", "timestamptz", "timestamptz", "int8", "timestamptz", "timestamptz", "timestamptz", "timestamptz",
    "float8", "text", "int2", "int8", "int4", "int8", "float8", "float8", "float8", "text", "text", "int8", "int8", "int4",
)  # fmt: skip
NOWHERE = (None, None, None)


async def create(connection: psycopg.AsyncConnection[TupleRow]) -> None:
    """Make the table of this session."""
    await connection.execute(query("create_stage"))


async def fill(
    connection: psycopg.AsyncConnection[TupleRow],
    candidates: Sequence[Candidate],
    flags: npt.NDArray[np.int8],
    tests: npt.NDArray[np.int64],
    rulesets: npt.NDArray[np.int32],
) -> None:
    """Copy the rows; the table empties itself at the end of the transaction."""
    plain = np.array([packing.is_plain(c) for c in candidates], dtype=bool)
    verdicts = {"flag": flags[plain], "tests": tests[plain], "ruleset": rulesets[plain]}
    packed = packing.pack([c for c, is_plain in zip(candidates, plain, strict=True) if is_plain], verdicts)
    others = np.flatnonzero(~plain).tolist()
    async with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(TYPES)
        if packed:
            # The driver ends the data itself only where it packed rows too.
            await copy.write(packing.SIGNATURE + packed + (b"" if others else packing.TRAILER))
        for place in others:
            await copy.write_row(_row(candidates[place], int(flags[place]), int(tests[place]), int(rulesets[place])))


def _row(c: Candidate, flag: int, tests: int, ruleset: int) -> tuple[Any, ...]:
    lon, lat, height = (*c.position, None)[:3] if c.position else NOWHERE
    return (
        c.id, c.channel.datastream_id, c.time, c.end, c.discriminator, c.received, c.result_time, c.valid_start, c.valid_end,
        c.number, c.result, flag, tests, ruleset, c.feature_id, lon, lat, height,
        c.parameters, c.quality, c.epoch, c.seq, c.item,
    )  # fmt: skip
