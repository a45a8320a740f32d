"""What is copied into the stage, packed or row by row, stands there as it was."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from streams import stage
from streams.candidate import Candidate, Channel
from streams.packing import is_plain

pytestmark = pytest.mark.integration

CHANNELS = [Channel(datastream_id=number, thing_id=1, unit="Cel") for number in (1, 2**40)]
TIME = datetime(2026, 3, 1, 10, 0, 0, 123457, tzinfo=UTC)
COLUMNS = (
    "id", "end", "discriminator", "result_time", "number", "feature_id", "position", "epoch", "result", "parameters", "valid_start",
)  # fmt: skip
VALUES: dict[str, Any] = {
    "id": 2**53 - 1, "end": TIME + timedelta(hours=1), "discriminator": -(2**63), "result_time": datetime(1, 1, 1, tzinfo=UTC),
    "number": -1.5e-300, "feature_id": 7, "position": (9.43, 54.78), "epoch": 2**62, "result": '"wet"', "parameters": '{"a":1}',
    "valid_start": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
}  # fmt: skip


def candidate(names: tuple[str, ...], number: int) -> Candidate:
    values = {name: VALUES[name] for name in names}
    if "epoch" in values:
        values |= {"seq": number, "item": 2**31 - 1}
    if "valid_start" in values:
        values |= {"valid_end": VALUES["valid_start"]}
    nothing: dict[str, Any] = {"discriminator": None, "number": None}
    return Candidate(channel=CHANNELS[number % 2], time=TIME + timedelta(seconds=number), received=TIME, **(nothing | values))


def some() -> list[Candidate]:
    """Every pair of columns, set and not, in turns; and positions of two and three coordinates."""
    names = [pair for count in (0, 1, 2, len(COLUMNS)) for pair in itertools.combinations(COLUMNS, count)]
    made = [candidate(pair, number) for number, pair in enumerate(names)]
    high = Candidate(channel=CHANNELS[0], time=TIME - timedelta(1), received=TIME, number=1.0, position=(9.43, 54.78, 12.5))
    return [*made, high]


def expected(c: Candidate, place: int) -> tuple[Any, ...]:
    lon, lat, height = (*(c.position or (None, None)), None)[:3]
    return (
        c.id, c.channel.datastream_id, c.time, c.end, c.discriminator, c.received, c.result_time, c.valid_start, c.valid_end,
        c.number, c.result, place % 5, place * 2**40, place, c.feature_id, lon, lat, height, c.parameters, c.quality,
        c.epoch, c.seq, c.item,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["mixed", "packed alone", "one by one alone", "none"])
async def test_the_stage_holds_what_was_filled_in(database: str, kind: str) -> None:
    plain = {"mixed": {True, False}, "packed alone": {True}, "one by one alone": {False}, "none": set[bool]()}[kind]
    candidates = [c for c in some() if is_plain(c) in plain]
    count = np.arange(len(candidates))
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await stage.create(connection)
        async with connection.transaction():
            await stage.fill(
                connection, candidates, (count % 5).astype(np.int8), count.astype(np.int64) * 2**40, count.astype(np.int32)
            )
            cursor = await connection.execute("SELECT * FROM stage ORDER BY ruleset")
            found = await cursor.fetchall()
    assert found == [expected(c, place) for place, c in enumerate(candidates)]
