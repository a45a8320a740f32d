"""Virtual Datastreams follow their inputs: values, flags, revisions; and end as if computed from the beginning."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import changes
from streams import store as readings_store
from streams.registry import channels_by_id
from streams.sessions import open_pool
from streams.virtual import store
from streams.virtual.worker import VirtualWorker
from tests.integration.streams.conftest import RECEIVED, Road, message, reading
from tests.road import _RECOUNT

GRACE = timedelta(minutes=15)
SUM = {"expression": "t + u", "span": "hour", "inputs": {"t": {"device": "dev-1", "channel": "t", "of": "sum"}, "u": {"device": "dev-1", "channel": "u", "of": "sum"}}}  # fmt: skip # noqa: E501
HOUR = RECEIVED - timedelta(hours=3)
VALUES = "SELECT phenomenon_time, phenomenon_end, number, flag FROM read.observation WHERE datastream_id = %s ORDER BY 1"


async def declare(road: Road, formula: Any, name: str = "v") -> int:
    """Give the Thing one more Datastream with this formula; its id."""
    ((number,),) = await road.rows(
        """INSERT INTO datastream (name, description, observation_type, unit_of_measurement, properties, thing_id, sensor_id,
                                   observed_property_id)
           SELECT %s, '', '', unit_of_measurement, %s::jsonb, thing_id, sensor_id, observed_property_id
             FROM datastream WHERE channel = 't' RETURNING id""",
        name,
        json.dumps({"formula": formula}),
    )
    return number


async def drain(road: Road) -> int:
    assert await store.read_formulas(road.connection)
    total = 0
    while done := await store.work_off(road.connection, GRACE):
        total += done
    return total


async def instant(road: Road) -> datetime:
    ((now,),) = await road.rows("SELECT clock_timestamp()")
    return now


async def problem_of(road: Road, number: int) -> str | None:
    await drain(road)
    ((problem,),) = await road.rows("SELECT problem FROM read.virtual_datastream WHERE datastream_id = %s", number)
    return problem


async def test_what_was_there_before_and_what_comes_later_is_computed(road: Road) -> None:
    await road.run(message(reading(0, 1), reading(1, 2), reading(5, 10, "u"), seq=0))
    virtual = await declare(road, SUM)
    await drain(road)
    assert await road.rows(VALUES, virtual) == [(HOUR, HOUR + timedelta(hours=1), 13.0, 1)]
    await road.run(message(reading(59, 0.5), reading(60, 7), seq=1))  # the second hour has no `u` yet
    await drain(road)
    assert await road.rows(VALUES, virtual) == [(HOUR, HOUR + timedelta(hours=1), 13.5, 1)]
    await road.run(message(reading(119, 3, "u"), seq=2))
    await drain(road)
    assert [row[2] for row in await road.rows(VALUES, virtual)] == [13.5, 10.0]
    assert await road.rows("SELECT n, latest_number FROM read.datastream_summary WHERE datastream_id = %s", virtual) == [(2, 10.0)]
    assert await road.rows(_RECOUNT.replace("%", "%%")) == []


async def test_the_worst_flag_of_the_inputs_is_the_flag_and_failed_values_are_left_out(road: Road) -> None:
    virtual = await declare(road, SUM)
    await road.run(message(reading(0, 1), reading(1, 99), reading(5, 10, "u"), seq=0))  # 99 is beyond the fail span
    await road.run(message(reading(60, 50), reading(61, 10, "u"), seq=1))  # 50 is suspect
    await road.run(message(reading(120, 1), reading(121, None, "u"), reading(122, 4, "u"), seq=2))
    await road.run(message(reading(180 - 1, 99), seq=3))
    await drain(road)
    assert [row[2:] for row in await road.rows(VALUES, virtual)] == [(11.0, 4), (60.0, 3), (5.0, 4)]


async def test_a_correction_of_an_input_is_a_revision_of_what_is_made_of_it(road: Road) -> None:
    virtual = await declare(road, SUM)
    before = await instant(road)
    await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
    await drain(road)
    first = await instant(road)
    await road.run(message(reading(0, 4), seq=1))
    await drain(road)
    second = await instant(road)
    assert [row[2] for row in await road.rows(VALUES, virtual)] == [14.0]
    revisions = "SELECT cause, old ->> 'number', new ->> 'number' FROM read.revision WHERE datastream_id = %s ORDER BY id"
    assert await road.rows(revisions, virtual) == [("computed", "11", "14")]
    await delete(road, 0)
    await drain(road)
    assert await road.rows(VALUES, virtual) == []
    assert (await road.rows(revisions, virtual))[-1] == ("computed", "14", None)
    assert await road.rows("SELECT * FROM read.datastream_summary WHERE datastream_id = %s", virtual) == []
    gone = await instant(road)
    await road.run(message(reading(2, 6), seq=2))
    await drain(road)
    known = "SELECT number FROM read.observation_as_of(%s, '2000-01-01Z', '2100-01-01Z', %s)"
    moments = [before, first, second, gone, await instant(road)]
    assert [await road.rows(known, virtual, moment) for moment in moments] == [[], [(11.0,)], [(14.0,)], [], [(16.0,)]]


async def test_repeated_work_changes_nothing(road: Road) -> None:
    virtual = await declare(road, SUM)
    await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
    await drain(road)
    before = await road.rows("SELECT ctid, * FROM observation WHERE datastream_id = %s", virtual)
    news = await road.rows("SELECT count(*) FROM stored_outbox")
    await road.connection.execute("INSERT INTO virtual_queue (datastream_id, quarter) VALUES (%s, NULL)", (virtual,))
    assert await drain(road) > 0
    assert await road.rows("SELECT ctid, * FROM observation WHERE datastream_id = %s", virtual) == before
    assert await road.rows("SELECT count(*) FROM stored_outbox") == news
    assert await drain(road) == 0


async def test_a_changed_formula_is_computed_anew_and_one_taken_away_leaves_its_values(road: Road) -> None:
    virtual = await declare(road, SUM)
    await road.run(message(reading(0, 1), reading(1, 3), reading(5, 10, "u"), seq=0))
    await drain(road)
    half = SUM | {"expression": "min(t / 2, u)", "span": "quarter_hour"}
    await road.connection.execute(
        "UPDATE datastream SET properties = %s::jsonb WHERE id = %s", (json.dumps({"formula": half}), virtual)
    )
    await drain(road)
    assert await road.rows(VALUES, virtual) == [(HOUR, HOUR + timedelta(minutes=15), 2.0, 1)]
    await road.connection.execute("UPDATE datastream SET properties = NULL WHERE id = %s", (virtual,))
    await road.run(message(reading(6, 10, "u"), seq=1))
    assert await drain(road) in {0, 1}  # what was queued before the formula was forgotten
    assert [row[2] for row in await road.rows(VALUES, virtual)] == [2.0]
    assert await road.rows("SELECT * FROM virtual_input") == []


async def test_a_virtual_datastream_may_be_made_of_another(road: Road) -> None:
    first = await declare(road, SUM)
    second = await declare(road, {"expression": "x * 2", "inputs": {"x": {"datastream": first, "of": "mean"}}}, "w")
    await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
    await drain(road)
    assert [row[2] for row in await road.rows(VALUES, second)] == [22.0]


async def test_a_day_is_local_to_the_virtual_datastreams_thing(road: Road) -> None:
    virtual = await declare(road, SUM | {"span": "day"})
    times = ["2025-03-29T22:59:00Z", "2025-03-29T23:00:00Z", "2025-03-30T21:59:00Z", "2025-03-30T22:00:00Z"]
    await road.run(message(*({"time": at, "property": c, "value": 1} for at in times for c in ("t", "u")), seq=0))
    await drain(road)
    assert [row[2] for row in await road.rows(VALUES, virtual)] == [2.0, 4.0, 2.0]
    lengths = [row[1] - row[0] for row in await road.rows(VALUES, virtual)]
    assert lengths == [timedelta(hours=24), timedelta(hours=23), timedelta(hours=24)]


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        ("t + u", "Expected `object`"),
        (SUM | {"expression": "t + "}, "no arithmetic expression"),
        (SUM | {"expression": "t"}, "differ: u"),
        (SUM | {"expression": "1", "inputs": {}}, "no input"),
        (SUM | {"inputs": SUM["inputs"] | {"u": {"device": "nobody", "channel": "u"}}}, "no Datastream of device default/nobody"),
        (SUM | {"span": "week"}, "Invalid enum value 'week'"),
    ],
)
async def test_a_formula_that_cannot_be_computed_says_why(road: Road, formula: Any, complaint: str) -> None:
    number = await declare(road, formula)
    problem = await problem_of(road, number)
    assert problem is not None
    assert complaint in problem
    await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
    await drain(road)
    assert await road.rows(VALUES, number) == []


async def test_formulas_that_need_themselves_are_not_computed(road: Road) -> None:
    first = await declare(road, {"expression": "x", "inputs": {"x": {"datastream": 4}}})
    second = await declare(road, {"expression": "x", "inputs": {"x": {"datastream": first}}}, "w")
    assert second == 4
    assert await problem_of(road, first) == await problem_of(road, second) == "it needs itself"


async def test_a_problem_goes_when_the_input_comes(road: Road) -> None:
    await road.connection.execute("UPDATE datastream SET properties = '{}' WHERE channel = 'u'")
    number = await declare(road, SUM)
    assert await problem_of(road, number) is not None
    await road.connection.execute("""UPDATE datastream SET properties = '{"channel": "u"}' WHERE properties = '{}'""")
    assert await problem_of(road, number) is None


async def test_one_worker_at_a_time(road: Road) -> None:
    await declare(road, SUM)
    await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
    dsn = f"{road.connection.info.dsn} password={road.connection.info.password}"
    async with await psycopg.AsyncConnection.connect(dsn) as other, road.connection.transaction():
        assert await store._locked(road.connection)
        assert not await store.read_formulas(other)
        assert await store.work_off(other, GRACE) == 0


async def test_what_is_deleted_of_a_virtual_datastream_is_computed_again(road: Road) -> None:
    virtual = await declare(road, SUM)
    await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
    await drain(road)
    before = await road.rows(VALUES, virtual)
    await delete(road, 0, COMPUTED)
    assert await road.rows(VALUES, virtual) == []
    await drain(road)
    assert await road.rows(VALUES, virtual) == before
    assert await road.rows(_RECOUNT.replace("%", "%%")) == []


async def test_no_device_writes_to_what_is_computed(road: Road) -> None:
    await declare(road, SUM)
    await road.connection.execute("""UPDATE datastream SET properties = properties || '{"channel": "v"}' WHERE name = 'v'""")
    await road.run(message(reading(0, 1, "v"), reading(0, 2), seq=0))
    assert await road.rows("SELECT reason, readings FROM dead_letter") == [("unknown_property", 1)]
    assert await road.rows("SELECT number FROM read.observation") == [(2.0,)]


async def test_nobody_changes_what_is_computed(road: Road) -> None:
    virtual = await declare(road, SUM)
    await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
    await drain(road)
    with pytest.raises(changes.UnfitResultError, match="computed by its formula"):
        await change(road, 0, 5, COMPUTED)
    assert [row[2] for row in await road.rows(VALUES, virtual)] == [11.0]


async def test_a_worker_goes_on_by_itself_until_it_is_cancelled(road: Road) -> None:
    virtual = await declare(road, SUM)
    await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
    dsn = f"{road.connection.info.dsn} password={road.connection.info.password}"
    async with open_pool(dsn, 1, "virtual") as pool:
        working = VirtualWorker(pool, GRACE)
        task = asyncio.create_task(working.run())
        try:
            while not await road.rows(VALUES, virtual):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await road.connection.execute("UPDATE datastream SET properties = NULL WHERE id = %s", (virtual,))
            working.registry_changed()
            while await road.rows("SELECT FROM virtual_datastream"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_no_reading_is_missed_while_a_formula_is_declared(road: Road) -> None:
    """A writer that does not see the formula yet holds up the one who takes it over, who then computes the writer's rows."""
    virtual = await declare(road, SUM)
    dsn = f"{road.connection.info.dsn} password={road.connection.info.password}"
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
        async with road.connection.transaction():
            await road.run(message(reading(0, 1), reading(5, 10, "u"), seq=0))
            taking = asyncio.create_task(store.read_formulas(other))
            waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'virtual_input'::regclass AND NOT granted"
            while await road.rows(waiting) != [(1,)]:  # noqa: ASYNC110 -- the other one is the database
                await asyncio.sleep(0.01)
        assert await taking
    await drain(road)
    assert [row[2] for row in await road.rows(VALUES, virtual)] == [11.0]


COMPUTED = "SELECT id FROM read.observation WHERE datastream_id = (SELECT max(datastream_id) FROM virtual_datastream)"
INPUTS = """SELECT o.id FROM read.observation o JOIN datastream d ON d.id = o.datastream_id AND d.channel IS NOT NULL
             ORDER BY o.datastream_id, o.phenomenon_time"""


async def delete(road: Road, place: int, which: str = INPUTS) -> None:
    ids = await road.rows(which)

    async def allow(_connection: readings_store.Connection, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        return stored

    if ids:
        async with road.connection.transaction():
            await changes.delete(road.connection, ids[place % len(ids)][0], allow)


async def change(road: Road, place: int, value: float | None, which: str = INPUTS) -> None:
    ids = await road.rows(which)

    async def new(_connection: readings_store.Connection, _stored: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"result": value}

    if ids:
        async with road.connection.transaction():
            await changes.change(road.connection, ids[place % len(ids)][0], new, channels_by_id, readings_store.StoreLimits())


MINUTES = st.sampled_from([0, 1, 14.99, 15, 59, 60, 61, 119, 180])
NUMBERS = st.sampled_from([0.1, 0.2, 0.3, 50, 99, None, -1e-7, 20])
STEPS = st.one_of(
    st.tuples(st.just("send"), st.lists(st.tuples(MINUTES, NUMBERS, st.sampled_from(["t", "u"])), min_size=1, max_size=4)),
    st.tuples(st.just("change"), st.tuples(st.integers(0, 20), NUMBERS)),
    st.tuples(st.just("delete"), st.integers(0, 20)),
    st.tuples(st.just("work"), st.none()),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(STEPS, min_size=1, max_size=10),
    st.sampled_from(["t + u", "u - t / 3", "t / u"]),
    st.sampled_from(["quarter_hour", "hour", "day"]),
)
async def test_any_history_ends_as_if_computed_from_the_beginning(
    road: Road, steps: list[tuple[str, Any]], expression: str, span: str
) -> None:
    await road.connection.execute("DELETE FROM datastream WHERE channel IS NULL")
    await road.connection.execute("TRUNCATE observation, aggregate, datastream_summary, receipt, revision, stored_outbox")
    await road.connection.execute("TRUNCATE virtual_queue, virtual_datastream, virtual_input")
    ((road.offset,),) = await road.rows("SELECT next_offset FROM ledger")
    virtual = await declare(road, SUM | {"expression": expression, "span": span})
    for number, (what, done) in enumerate(steps):
        if what == "send":
            await road.run(message(*(reading(*one) for one in done), seq=number))
        elif what == "change":
            await change(road, *done)
        elif what == "delete":
            await delete(road, done)
        else:
            await drain(road)
    await drain(road)
    followed = await road.rows(VALUES, virtual)
    assert await road.rows(_RECOUNT.replace("%", "%%")) == []
    await road.connection.execute("DELETE FROM observation WHERE datastream_id = %s", (virtual,))
    await road.connection.execute("INSERT INTO virtual_queue (datastream_id, quarter) VALUES (%s, NULL)", (virtual,))
    await drain(road)
    assert await road.rows(VALUES, virtual) == followed
    assert datetime.now(UTC) > RECEIVED
