"""A row alone is written another way than several at once: what is stored must not tell which."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.connection import Connection
from streams.candidate import Candidate, Channel
from streams.insertion import Inserted, insert, prepare
from streams.store import StoreLimits
from tests.integration.streams.conftest import REGISTER

START = datetime(2026, 3, 28, 21, tzinfo=UTC)  # before the night without its third hour
SHOWN = b"shown.flag || ' ' || coalesce(shown.number::text, shown.result::text, 'null') || coalesce(shown.parameters::text, '')"
ROWS = 60
# What must differ between the two.
OTHER = {
    "observation": ["datastream_id", "id", "discriminator"],
    "aggregate": ["datastream_id"],
    "datastream_summary": ["datastream_id", "latest_id", "latest_discriminator", "changed", "written"],
    "datastream_feature": ["datastream_id"],
}


class Twins:
    """Datastreams in pairs of one channel each: the first gets its rows one by one, the second several at once."""

    def __init__(self, connection: Connection, pairs: list[list[int]], thing: int, feature: int) -> None:
        self.connection = connection
        self.pairs = pairs
        self.thing = thing
        self.feature = feature

    def candidate(self, datastream: int, **given: Any) -> Candidate:
        channel = Channel(datastream_id=datastream, thing_id=self.thing, unit="", fail_low=0, fail_high=300, suspect_high=200)
        values: dict[str, Any] = {
            "channel": channel,
            "feature_id": self.feature,
            "received": START,
            "discriminator": None,
            "number": 1.0,
        }
        return Candidate(**values | given)

    async def insert(self, *candidates: Candidate) -> Inserted:
        return await insert(self.connection, candidates, range(len(candidates)), StoreLimits(), SHOWN)

    async def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return await (await self.connection.execute(sql, parameters)).fetchall()  # pyright: ignore[reportArgumentType]


@pytest.fixture
async def twins(database_on_each: str) -> AsyncIterator[Twins]:
    async with await Connection.connect(database_on_each, autocommit=True) as connection:
        await prepare(connection)
        channels = [f"{channel}{copy}" for channel in "tu" for copy in "12"]
        made = await (await connection.execute(REGISTER, {"device": "dev-1", "channels": channels})).fetchall()
        numbers = [row[0] for row in made]
        pairs = [numbers[:2], numbers[2:]]
        angle = '{"name": "", "symbol": "", "definition": "deg"}'
        await connection.execute("UPDATE datastream SET unit_of_measurement = %s WHERE id = ANY (%s)", (angle, pairs[0]))
        for number in numbers:
            await connection.execute("INSERT INTO virtual_input VALUES (%s, %s)", (number, number))
        found = await (await connection.execute("SELECT id, feature_of_thing(id) FROM thing")).fetchall()
        yield Twins(connection, pairs, *found[0])


def readings(chance: random.Random) -> list[dict[str, Any]]:
    """Random readings of two days, late ones and ties among them."""
    made: list[dict[str, Any]] = []
    for _ in range(ROWS):
        time = START + timedelta(minutes=chance.randrange(0, 2 * 1440, 5))
        given: dict[str, Any] = {"time": time, "number": round(chance.uniform(-50, 350), chance.randrange(4)), "missing": False}
        match chance.randrange(6):
            case 0:
                given |= {"number": None, "missing": True}
            case 1:
                given |= {"number": None, "result": '{"wet": "øre\\n"}'}
            case 2:
                given |= {"end": time + timedelta(minutes=30), "result_time": time + timedelta(seconds=chance.randrange(9))}
            case 3:
                given |= {"parameters": '{"a":[1,"ü"]}', "quality": '{"by":"hand"}', "valid_start": time, "valid_end": time}
            case _:
                pass
        made.append(given)
    return made


def portions(sent: list[dict[str, Any]], chance: random.Random) -> list[list[dict[str, Any]]]:
    """Split readings; of one time there is one in a portion, since nothing says which of these gets the greater id."""
    made: list[list[dict[str, Any]]] = [[]]
    for given in sent:
        if len(made[-1]) > chance.randrange(2, 9) or given["time"] in (other["time"] for other in made[-1]):
            made.append([])
        made[-1].append(given)
    return made


def texts(inserted: Inserted) -> list[bytes]:
    return [inserted.shown[number] for _, number in sorted(inserted.ids.items())]


async def test_a_row_alone_leaves_what_several_at_once_leave(twins: Twins) -> None:
    chance = random.Random(1)
    for one, some in twins.pairs:
        sent = readings(chance)
        apart = [await twins.insert(twins.candidate(one, **given)) for given in sent]
        together = [await twins.insert(*(twins.candidate(some, **given) for given in few)) for few in portions(sent, chance)]
        assert [text for each in apart for text in texts(each)] == [text for each in together for text in texts(each)]
        for table, other in OTHER.items():
            left = [
                await twins.rows(
                    f"SELECT to_jsonb(r) - %s::text[] FROM {table} AS r WHERE datastream_id = %s ORDER BY 1", other, number
                )
                for number in (one, some)
            ]
            assert left[0] == left[1] != [], table
        queued = "SELECT DISTINCT quarter FROM virtual_queue WHERE datastream_id = %s ORDER BY 1"
        assert await twins.rows(queued, one) == await twins.rows(queued, some) != []
        has_angles = await twins.rows("SELECT count(sin_sum) > 0 FROM aggregate WHERE datastream_id = %s", one)
        assert has_angles == [(one in twins.pairs[0],)]
    told = "SELECT jsonb_array_elements(convert_from(payload, 'UTF8')::jsonb -> 'created')::bigint FROM stored_outbox ORDER BY 1"
    assert await twins.rows(told) == await twins.rows("SELECT id FROM observation ORDER BY 1")


async def test_a_row_alone_that_cant_be_placed_is_not_written(twins: Twins) -> None:
    number = twins.pairs[0][0]
    placed = twins.candidate(number, time=START, discriminator=-5)
    assert len((await twins.insert(placed)).ids) == 1
    before = await twins.rows("SELECT * FROM aggregate ORDER BY span")
    moved = Channel(datastream_id=number, thing_id=twins.thing + 1, unit="")
    for again in (
        placed,
        twins.candidate(number + 100, time=START),
        twins.candidate(number, time=START, channel=moved),
        twins.candidate(number, time=START, feature_id=twins.feature + 1),
    ):
        assert await twins.insert(again) == Inserted(ids={}, shown={})
    assert await twins.rows("SELECT count(*) FROM observation") == [(1,)]
    assert await twins.rows("SELECT * FROM aggregate ORDER BY span") == before
