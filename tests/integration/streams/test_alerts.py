"""Alerts follow from the stored readings: whatever their order, once for each event, told at least once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from psycopg.types.json import Jsonb

from streams import changes
from streams.alerts import asking
from streams.alerts.book import AlertBook
from streams.alerts.messages import Addressed
from streams.alerts.publish import AlertPublisher, UnconfirmedError
from streams.alerts.rules import Rule
from streams.alerts.sinks import Sinks
from streams.alerts.store import AlertStore
from streams.alerts.watcher import AlertWatcher
from streams.registry import channels_by_id
from streams.sessions import open_pool
from streams.store import StoreLimits
from tests.integration.streams.conftest import RECEIVED, Road, message, reading

GRACE = timedelta(minutes=15)
ZERO = RECEIVED - timedelta(hours=3)
TITLES = {"de": "x", "da": "x", "en": "x"}
EVENTS = """SELECT rule, begins, ends, state, level, highest, value, value_at FROM alert WHERE state <> 'withdrawn'
             ORDER BY rule, datastream, begins"""
STEPS = "SELECT kind, level, cause, state FROM alert_transition ORDER BY alert, number"


def level(name: str, at: float | None = None, clear: float | None = None) -> dict[str, Any]:
    return {"name": name, "titles": TITLES} | ({} if at is None else {"raise": at}) | ({} if clear is None else {"clear": clear})


def rule(name: str, kind: str, *levels: dict[str, Any], **more: Any) -> Rule:
    given = {"name": name, "kind": kind, "version": 1, "properties": ["p"], "titles": TITLES, "levels": list(levels), **more}
    return msgspec.convert(given, Rule)


HOT = rule("hot", "threshold", level("warm", 30, 25), level("hot", 40, 35), unit="Cel")
MEAN = rule("mean", "mean", level("above", 20), span="hour", unit="Cel", coverage=0)
RATE = rule("rising", "rate", level("fast", 10, 5), unit="Cel", over_min=60)
POOR = rule("poor", "quality", level("doubtful", 50, 25), span="hour")
SILENT = rule("silent", "no_data", level("silent"), intervals=3)
ALL = (HOT, MEAN, RATE, POOR, SILENT)


def alerts(*rules: Rule) -> AlertStore:
    return AlertStore(rules, Sinks(), GRACE)


async def look(road: Road, store: AlertStore) -> int:
    """Work everything off; gives how many transitions there are."""
    while (await store.work_off(road.connection)).datastreams:
        pass
    ((count,),) = await road.rows("SELECT count(*) FROM alert_transition")
    return count


async def kinds(road: Road) -> list[str]:
    return [row[0] for row in await road.rows(STEPS)]


def at(minute: float) -> datetime:
    return ZERO + timedelta(minutes=minute)


async def test_an_event_is_raised_once_grows_and_is_cleared_below_its_hysteresis(road: Road) -> None:
    store = alerts(HOT)
    for seq, (minute, value) in enumerate([(0, 29.9), (1, 30), (2, 29), (3, 45), (4, 36), (5, 26), (6, 24.9)]):
        await road.run(message(reading(minute, value), seq=seq))
        await look(road, store)
    assert await road.rows(EVENTS) == [("hot", at(1), at(6), "cleared", 1, 2, 45.0, at(3))]
    assert await road.rows(STEPS) == [
        ("raised", 1, "reading", "raised"), ("level", 2, "reading", "raised"), ("level", 1, "reading", "raised"),
        ("cleared", 1, "reading", "cleared"),
    ]  # fmt: skip
    assert await road.rows("SELECT sink, count(*) FROM alert_outbox GROUP BY sink ORDER BY sink") == [("kafka", 4), ("mqtt", 4)]
    assert await look(road, store) == 4


async def test_a_registry_that_changes_within_a_turn_is_read_before_the_next(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    store, evaluate = alerts(HOT), asking.evaluate

    async def evaluate_meanwhile(*given: Any) -> Any:
        store.registry_changed()
        return await evaluate(*given)

    monkeypatch.setattr(asking, "evaluate", evaluate_meanwhile)
    for minute, value in enumerate([31, 20]):
        await road.run(message(reading(minute, value), seq=minute))
        await look(road, store)
    assert await kinds(road) == ["raised", "cleared"]


async def test_a_bug_in_a_turn_costs_that_turn_and_not_the_worker(
    road: Road, database_on_each: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []
    done, work_off = asyncio.Event(), AlertStore.work_off

    async def work_off_badly(self: AlertStore, connection: Any) -> Any:
        turns.append(1)
        if len(turns) == 1:
            raise KeyError(1)
        found = await work_off(self, connection)
        done.set()
        return found

    monkeypatch.setattr(AlertStore, "work_off", work_off_badly)
    monkeypatch.setattr("streams.alerts.watcher.BUG_S", 0.01)
    await road.run(message(reading(0, 31), seq=0))
    async with open_pool(database_on_each, 1, "test") as pool:
        watching = asyncio.create_task(AlertWatcher(pool, alerts(HOT)).run())
        await asyncio.wait_for(done.wait(), 60)
        watching.cancel()
        await asyncio.wait([watching])
    assert await kinds(road) == ["raised"]


async def test_alerts_end_equal_whatever_the_order_and_the_portions(road: Road) -> None:
    await road.connection.execute("UPDATE datastream SET properties = properties || %s", (Jsonb({"interval_s": 60}),))
    chance = random.Random(7)
    readings = [
        reading(minute, round(chance.gauss(12 if minute % 100 < 50 else 28, 6), 1), **({"parameters": {}} if minute % 3 else {}))
        for minute in range(170)
        if not 60 <= minute < 66
    ]
    found: list[Any] = []
    for shuffled in (False, True, True):
        await road.connection.execute(
            "TRUNCATE observation, aggregate, datastream_summary, receipt, revision, stored_outbox, alert_progress, alert_queue,"
            " alert CASCADE"
        )
        store = alerts(*ALL)
        mixed = list(readings)
        if shuffled:
            chance.shuffle(mixed)
        for seq in range(0, len(mixed), size := 170 if not shuffled else 23):
            await road.run(message(*mixed[seq : seq + size], seq=seq), message(*mixed[seq : seq + 3], seq=1000 + seq))
            await look(road, store if seq % 2 else alerts(*ALL))  # a watcher that just started knows nothing
        found.append(await road.rows(EVENTS))
    assert {row[0] for row in found[0]} >= {"hot", "mean", "rising", "silent"}
    assert found[0] == found[1] == found[2]
    total = await look(road, store)
    await road.connection.execute(
        "INSERT INTO alert_queue (recomputed, datastreams, lows, highs) SELECT false, array_agg(id), array_agg(%s), array_agg(%s)"
        " FROM datastream",
        (at(0), at(170)),
    )
    assert await look(road, store) == total  # once more changes nothing


async def observation(road: Road, minute: float) -> int:
    ((number,),) = await road.rows("SELECT id FROM observation WHERE phenomenon_time = %s", at(minute))
    return number


async def test_a_revision_withdraws_and_brings_back_an_alert_that_keeps_its_acknowledgement(road: Road) -> None:
    store = alerts(HOT)
    await road.run(message(reading(0, 20), reading(1, 41), reading(30, 20), seq=0))
    await look(road, store)
    ((alert,),) = await road.rows("SELECT id FROM alert")
    book = AlertBook(Sinks())
    assert await book.acknowledge(road.connection, alert, "Jens", "seen")
    assert not await book.acknowledge(road.connection, alert, "Jens", "seen")
    number = await observation(road, 1)

    async def patch(value: float) -> None:
        async def values(_: Any, __: Any) -> dict[str, Any]:
            return {"result": value}

        async with road.connection.transaction():
            await changes.change(road.connection, number, values, channels_by_id, StoreLimits())
        await look(road, store)

    await patch(20)
    assert await road.rows("SELECT state, acknowledged_by, note FROM alert") == [("withdrawn", "Jens", "seen")]
    await patch(33)
    assert await road.rows("SELECT id, state, level, acknowledged_by FROM alert") == [(alert, "cleared", 1, "Jens")]
    assert await kinds(road) == ["raised", "cleared", "acknowledged", "withdrawn", "reopened", "cleared"]
    assert await road.rows("SELECT DISTINCT cause FROM alert_transition WHERE number > 3") == [("revision",)]


async def test_a_late_reading_moves_an_event_and_keeps_its_alert(road: Road) -> None:
    store = alerts(HOT)
    await road.run(message(reading(0, 20), reading(10, 41), reading(20, 42), reading(30, 20), seq=0))
    await look(road, store)
    await road.run(message(reading(5, 31), reading(25, 20), seq=1))
    await look(road, store)
    assert await road.rows(EVENTS) == [("hot", at(5), at(25), "cleared", 2, 2, 42.0, at(20))]
    assert await kinds(road) == ["raised", "cleared", "moved"]
    await road.run(message(reading(15, 10), seq=2))  # one event was two
    await look(road, store)
    assert [row[1:3] for row in await road.rows(EVENTS)] == [(at(5), at(15)), (at(20), at(25))]
    assert await kinds(road) == ["raised", "cleared", "moved", "moved", "raised", "cleared"]


async def test_silence_begins_by_the_clock_and_ends_with_the_next_reading(road: Road) -> None:
    await road.connection.execute("UPDATE datastream SET properties = properties || %s", (Jsonb({"interval_s": 60}),))
    store = alerts(SILENT)
    await road.run(message(reading(0, 20), seq=0))
    await look(road, store)
    assert await road.rows(EVENTS) == [("silent", at(3), None, "raised", 1, 1, None, None)]
    await road.run(message(reading(3.5, 20), reading(6.5, 20), seq=1))
    await look(road, store)
    assert [row[1:4] for row in await road.rows(EVENTS)] == [(at(3), at(3.5), "cleared"), (at(9.5), None, "raised")]
    now = datetime.now(tz=RECEIVED.tzinfo)
    await road.run(message({"time": now.isoformat(), "property": "t", "value": 1}, seq=2, received=now))
    await look(road, store)
    assert await road.rows("SELECT count(*) FROM alert WHERE state = 'raised'") == [(0,)]
    ((due,),) = await road.rows("SELECT due_at FROM alert_progress")
    assert due == now + timedelta(minutes=3)
    later = "UPDATE observation SET phenomenon_time = phenomenon_time - interval '1 hour' WHERE phenomenon_time = %s"
    await road.connection.execute(later, (now,))
    await road.connection.execute("UPDATE alert_progress SET due_at = clock_timestamp() - interval '1 s'")
    await look(road, store)
    assert await road.rows("SELECT cause FROM alert_transition ORDER BY at DESC LIMIT 1") == [("clock",)]


async def test_a_rule_that_changes_or_goes_is_followed_without_new_readings(road: Road) -> None:
    recent = datetime.now(tz=RECEIVED.tzinfo) - timedelta(hours=2)
    await road.run(message({"time": recent.isoformat(), "property": "t", "value": 32}, seq=0, received=recent))
    await look(road, alerts(HOT))
    higher = msgspec.structs.replace(HOT, version=2, levels=HOT.levels[1:])
    store = alerts(higher)
    assert await store.sweep(road.connection) == 1
    assert await store.sweep(road.connection) == 0
    assert await road.rows("SELECT state FROM alert") == [("withdrawn",)]
    assert await alerts(HOT).sweep(road.connection) == 1
    assert await road.rows("SELECT state, rule_version FROM alert") == [("raised", 1)]
    assert await alerts(SILENT).sweep(road.connection) == 1
    assert await road.rows("SELECT kind, cause FROM alert_transition WHERE number > 1 ORDER BY number") == [
        ("withdrawn", "rule"), ("reopened", "rule"), ("withdrawn", "rule"),
    ]  # fmt: skip
    assert await road.rows("SELECT DISTINCT rule, missing FROM read.alert_gap") == [("silent", "interval_s")]


async def test_two_watchers_at_once_raise_an_event_once(road: Road, database_on_each: str) -> None:
    await road.run(*(message(reading(minute, 20 + minute % 2 * 20), seq=minute) for minute in range(20)))
    pool = open_pool(database_on_each, 2, "test")
    await pool.open()
    try:

        async def watch() -> None:
            for _ in range(5):
                async with pool.connection() as connection:
                    await alerts(HOT).work_off(connection)

        await asyncio.gather(watch(), watch())
    finally:
        await pool.close()
    assert await road.rows("SELECT count(*), count(DISTINCT begins) FROM alert") == [(10, 10)]
    assert await kinds(road) == ["raised", "cleared"] * 9 + ["raised"]


async def test_a_deleted_datastream_takes_its_alerts_along_also_while_they_wait(road: Road) -> None:
    store = alerts(HOT)
    await road.run(message(reading(0, 44), seq=0))
    assert await look(road, store) == 1
    await road.run(message(reading(1, 10), seq=1))
    await road.connection.execute("DELETE FROM datastream WHERE channel = 't'")
    await look(road, store)
    for table in ("alert", "alert_transition", "alert_outbox", "alert_progress"):
        assert await road.rows(f"SELECT count(*) FROM {table}") == [(0,)]


class Broker:
    """Takes messages, and confirms them when told so."""

    sink = "mqtt"

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.confirms = False

    async def send(self, messages: Sequence[Addressed]) -> None:
        self.taken += [each.message.key for each in messages]
        if not self.confirms:
            raise UnconfirmedError("gone")


async def test_what_a_sink_has_not_confirmed_is_told_again(road: Road, database_on_each: str) -> None:
    await road.run(message(reading(0, 44), reading(1, 10), seq=0))
    async with road.connection.transaction(force_rollback=True):  # killed before its commit: nothing has happened
        await alerts(HOT).work_off(road.connection)
    assert await look(road, alerts(HOT)) == 2
    pool = open_pool(database_on_each, 1, "test")
    await pool.open()
    broker = Broker()
    publisher = AlertPublisher(pool, "", broker)  # pyright: ignore[reportArgumentType]
    try:
        with pytest.raises(UnconfirmedError):
            await publisher.publish_some(broker)
        broker.confirms = True
        assert await publisher.publish_some(broker) == 2
        assert await publisher.publish_some(broker) == 0
    finally:
        await pool.close()
    (first, second) = broker.taken[:2]
    assert broker.taken == [first, second] * 2
    assert (first[-2:], second[-2:]) == ("-1", "-2")
    assert await road.rows("SELECT DISTINCT sink FROM alert_outbox") == [("kafka",)]
    assert await look(road, alerts(HOT)) == 2
