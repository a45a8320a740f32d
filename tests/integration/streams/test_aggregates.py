"""Aggregates equal a recomputation from the rows after any inserts, changes, deletions and changes of the time zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import changes, store
from streams.candidate import Candidate
from streams.registry import channels_by_id
from tests.integration.streams.conftest import Road, message
from tests.road import _RECOUNT

LIMITS = store.StoreLimits()
# Both sides of midnights in Berlin and London, of a month's end, of an hour, and in the days of 23 and 25 hours.
TIMES = [
    datetime.fromisoformat(text)
    for text in (
        "2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z", "2025-10-25T22:00:00Z", "2025-10-25T21:59:59Z",
        "2025-10-26T22:59:59.999999Z",
        "2025-10-31T22:59:00Z", "2025-10-31T23:00:00Z", "2025-10-31T23:59:59Z", "2025-11-01T00:00:00Z",
        "2025-03-30T00:59:00Z", "2025-03-30T01:00:00Z", "2025-03-30T01:14:59Z", "2025-03-30T21:59:00Z", "2025-03-30T22:00:00Z",
    )
]  # fmt: skip
NUMBERS = st.one_of(st.sampled_from([0.1, 0.2, 1e-7, 50.0, 99.0, 359.5, 0.0]), st.integers(-50, 400).map(float), st.none())
STEPS = st.one_of(
    st.tuples(st.just("insert"), st.lists(st.tuples(st.sampled_from(TIMES), NUMBERS, st.booleans()), min_size=1, max_size=4)),
    st.tuples(st.just("post"), st.tuples(st.sampled_from(TIMES), NUMBERS, st.booleans())),
    st.tuples(st.just("change"), st.tuples(st.integers(0, 50), NUMBERS)),
    st.tuples(st.just("move"), st.tuples(st.integers(0, 50), st.sampled_from(TIMES))),
    st.tuples(st.just("delete"), st.integers(0, 50)),
    st.tuples(st.just("timezone"), st.sampled_from(["Europe/Berlin", "Europe/London", "Asia/Kolkata", "Pacific/Chatham"])),
)


async def _ids(road: Road) -> list[int]:
    return [
        row[0]
        for row in await road.rows("SELECT id FROM observation WHERE NOT deleted ORDER BY datastream_id, phenomenon_time, id")
    ]


async def _insert(road: Road, seq: int, given: list[tuple[datetime, float | None, bool]]) -> None:
    readings = [{"time": at.isoformat(), "property": "u" if angle else "t", "value": value} for at, value, angle in given]
    await road.run(message(*readings, seq=seq))


async def _post(road: Road, at: datetime, value: float | None, angle: bool) -> None:
    (found,) = await road.rows("SELECT id FROM datastream WHERE channel = %s", "u" if angle else "t")
    (made,) = await road.rows("SELECT observation_id(%s)", at)
    channel = (await channels_by_id(road.connection, [found[0]]))[found[0]]
    row = Candidate(channel=channel, time=at, received=at, number=value, missing=value is None, id=made[0], discriminator=made[0])
    async with road.connection.transaction():
        await store.write_rows(road.connection, [row], LIMITS)


async def _change(road: Road, number: int, values: Mapping[str, Any]) -> None:
    async def new(_connection: store.Connection, _stored: Mapping[str, Any]) -> Mapping[str, Any]:
        return values

    async with road.connection.transaction():
        await changes.change(road.connection, number, new, channels_by_id, LIMITS)


async def _allow(_connection: store.Connection, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    return stored


async def _take(road: Road, number: int, step: tuple[str, Any]) -> None:
    what, given = step
    ids = await _ids(road)
    if what == "insert":
        await _insert(road, number, given)
    elif what == "post":
        await _post(road, *given)
    elif what == "timezone":
        async with road.connection.transaction():
            (thing,) = await road.rows(
                "UPDATE thing SET properties = properties || jsonb_build_object('timezone', %s::text) RETURNING id", given
            )
            await changes.recompute_days(road.connection, thing[0])
    elif ids and what == "delete":
        async with road.connection.transaction():
            await changes.delete(road.connection, ids[given % len(ids)], _allow)
    elif ids and what == "change":
        await _change(road, ids[given[0] % len(ids)], {"result": given[1]})
    elif ids and what == "move":
        await _change(road, ids[given[0] % len(ids)], {"phenomenon_time": given[1]})


@pytest.fixture
async def compass(road: Road) -> Road:
    """Let channel `u` be a direction."""
    await road.connection.execute(
        """UPDATE datastream SET unit_of_measurement = '{"name": "", "symbol": "", "definition": "deg"}' WHERE channel = 'u'"""
    )
    return road


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=12))
async def test_any_history_ends_equal_to_a_recomputation_from_rows(compass: Road, steps: list[tuple[str, Any]]) -> None:
    await compass.connection.execute("TRUNCATE observation, aggregate, datastream_summary, receipt, revision, stored_outbox")
    await compass.connection.execute("UPDATE thing SET properties = properties - 'timezone'")
    ((compass.offset,),) = await compass.rows("SELECT next_offset FROM ledger")  # a failed example leaves its own behind
    for number, step in enumerate(steps):
        await _take(compass, number, step)
    assert await compass.rows(_RECOUNT.replace("%", "%%")) == []


async def test_what_telemetry_overruled_was_known_from_its_own_reception_on(road: Road) -> None:
    sent = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    early = message({"time": sent.isoformat(), "property": "t", "value": 1}, seq=0, received=sent)
    late = message({"time": sent.isoformat(), "property": "t", "value": 2}, seq=1, received=sent + timedelta(hours=5))
    await road.run(early)
    await road.run(late)
    sql = """SELECT k.number
               FROM datastream d CROSS JOIN LATERAL read.observation_as_of(d.id, '2025-10-01Z', '2025-11-01Z', %s) AS k
              WHERE d.channel = 't'"""
    assert await road.rows(sql, sent - timedelta(seconds=1)) == []
    for hours in (1, 6):  # the later message came to the database now: until then the earlier one was what was known
        assert await road.rows(sql, sent + timedelta(hours=hours)) == [(1.0,)]
    assert await road.rows(sql, datetime(2100, 1, 1, tzinfo=UTC)) == [(2.0,)]


async def test_a_month_is_the_sum_of_its_local_days(road: Road) -> None:
    ends = [datetime(2025, 10, 31, 22, 59, tzinfo=UTC), datetime(2025, 10, 31, 23, 0, tzinfo=UTC)]  # 23:59 and 0:00 in Berlin
    await _insert(road, 0, [(ends[0], 0.1, False), (ends[0] - timedelta(days=29), 0.2, False), (ends[1], 4.0, False)])
    assert await road.rows("SELECT bucket, n, sum, first_number, last_number FROM read.aggregate_month ORDER BY bucket") == [
        (datetime(2025, 9, 30, 22, tzinfo=UTC), 2, Decimal("0.3"), 0.2, 0.1),
        (datetime(2025, 10, 31, 23, tzinfo=UTC), 1, Decimal(4), 4.0, 4.0),
    ]


@pytest.mark.parametrize(
    ("day", "length_h"), [("2025-03-29T23:00:00Z", 23), ("2025-10-25T22:00:00Z", 25), ("2025-10-26T23:00:00Z", 24)]
)
async def test_what_was_due_follows_the_length_of_the_local_day(road: Road, day: str, length_h: int) -> None:
    sql = "SELECT read.expected('day', %s, 'Europe/Berlin', '2020-01-01Z', 900, '2026-01-01Z')"
    assert await road.rows(sql, day) == [(length_h * 4.0,)]


@pytest.mark.parametrize(("month", "days"), [("2025-02-28T23:00:00Z", 31 - 1 / 24), ("2025-09-30T22:00:00Z", 31 + 1 / 24)])
async def test_what_was_due_follows_the_length_of_the_local_month(road: Road, month: str, days: float) -> None:
    ((due,),) = await road.rows("SELECT read.expected('month', %s, 'Europe/Berlin', '2020-01-01Z', 3600, '2026-01-01Z')", month)
    assert due == pytest.approx(days * 24)


async def test_nothing_is_due_before_the_first_reading_nor_while_it_is_under_way(road: Road) -> None:
    sql = """SELECT read.expected('hour', '2025-06-01T10:00Z', 'UTC', first, 60, now),
                    read.expected('hour', now, 'UTC', first, NULL, now)
               FROM (SELECT %s::timestamptz AS first, %s::timestamptz AS now) AS given"""
    for first, now, due in (
        ("2025-06-01T10:15Z", "2025-06-01T12:00Z", 45.0),
        ("2025-06-01T09:00Z", "2025-06-01T10:31Z", 30.0),
        ("2025-06-01T11:00Z", "2025-06-01T12:00Z", 0.0),
        ("2025-06-01T09:00Z", "2025-06-01T10:00Z", 0.0),
    ):
        assert await road.rows(sql, first, now) == [(due, None)]
