"""Replaying and dropping letters: sent = stored + letters at every moment, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ingest_mqtt.contract import RawMessage
from streams import replay, stage, store
from streams.letter_box import LetterBox, LetterFilter, UnexpectedCountError
from tests.integration.streams.conftest import LIMITS, RECEIVED, REGISTER, Road, message, reading

EVERYTHING = LetterFilter()


@pytest.fixture
async def box(road: Road) -> AsyncIterator[LetterBox]:
    opened = await LetterBox.open(
        road.connection.info.dsn + f" password={road.connection.info.password}", LIMITS, store.StoreLimits()
    )
    yield opened
    await opened.close()


async def figures(road: Road) -> tuple[int, int]:
    """Stored readings, and refused ones."""
    ((stored, refused),) = await road.rows(
        "SELECT (SELECT count(*) FROM observation), (SELECT coalesce(sum(readings), 0) FROM dead_letter)"
    )
    return stored, int(refused)


async def register(road: Road, device: str, *channels: str) -> None:
    await road.connection.execute(REGISTER, {"device": device, "channels": list(channels)})


async def test_what_can_be_read_by_now_is_stored_and_leaves_its_letter(road: Road, box: LetterBox) -> None:
    await road.run(*(message(reading(n, n), seq=n, device="new") for n in range(5)), message(reading(9, 9), device="other"))
    assert await figures(road) == (0, 6)
    await register(road, "new", "t")
    outcome, go_on = await box.replay(EVERYTHING)
    assert (outcome.stored, outcome.letters, [left.reason for left in outcome.left], go_on) == (5, 5, ["unknown_device"], None)
    assert await figures(road) == (5, 1)
    assert await road.rows("SELECT number, epoch, seq, received FROM observation ORDER BY number") == [
        (float(n), 1, n, RECEIVED) for n in range(5)
    ]
    assert await road.rows("SELECT sum(n) FROM read.aggregate_day") == [(5,)]


async def test_replaying_twice_stores_once(road: Road, box: LetterBox) -> None:
    await road.run(message(reading(0, 1), seq=0, device="new"))
    await register(road, "new", "t")
    first, second = await asyncio.gather(box.replay(EVERYTHING), box.replay(EVERYTHING))
    assert first[0].letters + second[0].letters == 1
    assert await figures(road) == (1, 0)
    assert (await box.replay(EVERYTHING))[0] == replay.Outcome()


async def test_a_kill_during_a_replay_leaves_everything_as_it_was(
    road: Road, box: LetterBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await road.run(message(reading(0, 1), seq=0, device="new"))
    await register(road, "new", "t")

    class Killed(BaseException):
        pass

    async def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(replay, "_hold", killed)
        with pytest.raises(Killed):
            await box.replay(EVERYTHING)
    assert await figures(road) == (0, 1)
    await box.replay(EVERYTHING)
    assert await figures(road) == (1, 0)


async def test_only_the_readings_that_were_refused_are_stored(road: Road, box: LetterBox) -> None:
    await road.run(message(reading(0, 1), reading(1, 2, "new"), reading(2, 3, "newer"), seq=0))
    await road.connection.execute("UPDATE observation SET deleted = true")
    await road.connection.execute("UPDATE datastream SET properties = '{\"channel\": \"new\"}' WHERE channel = 'u'")
    outcome, _ = await box.replay(EVERYTHING)
    assert (outcome.stored, outcome.letters) == (1, 0)
    assert await road.rows("SELECT reason, readings, refused -> 0 -> 0 FROM dead_letter") == [("unknown_property", 1, 2)]
    assert await road.rows("SELECT number FROM read.observation") == [(2.0,)]


async def test_poison_during_a_replay_stays_a_letter(road: Road, box: LetterBox, monkeypatch: pytest.MonkeyPatch) -> None:
    await road.run(message(reading(0, 13), reading(1, 1), seq=0, device="new"), message(reading(2, 2), seq=1, device="new"))
    await register(road, "new", "t")
    fill = stage.fill

    async def broken(connection: Any, candidates: Any, *more: Any) -> None:
        if any(candidate.number == 13 for candidate in candidates):
            raise psycopg.DataError("thirteen")
        await fill(connection, candidates, *more)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "fill", broken)
        outcome, _ = await box.replay(EVERYTHING)
    assert (outcome.stored, [(left.reason, left.readings) for left in outcome.left]) == (2, [("store_refused", 1)])
    assert await figures(road) == (2, 1)
    await box.replay(EVERYTHING)
    assert await figures(road) == (3, 0)


async def test_a_message_that_comes_again_after_its_replay_is_no_letter_again(road: Road, box: LetterBox) -> None:
    sent = message(reading(0, 1), seq=0, device="new")
    await road.run(sent)
    await register(road, "new", "t")
    await box.replay(EVERYTHING)
    await road.connection.execute("DELETE FROM datastream WHERE channel = 't' AND name = 't' AND id > 2")
    await road.run(sent)
    assert await road.rows("SELECT * FROM dead_letter") == []


async def test_a_worker_and_a_replay_at_the_same_letter_store_it_once(
    road: Road, box: LetterBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = message(reading(0, 1), seq=0, device="new")
    await road.run(sent)
    await register(road, "new", "t")
    hold = replay._hold
    raced = False

    async def meanwhile(connection: Any, letters: Any) -> None:
        nonlocal raced
        if not raced:
            raced = True
            await road.connection.execute("UPDATE dead_letter SET detail = 'touched'")
        await hold(connection, letters)

    monkeypatch.setattr(replay, "_hold", meanwhile)
    outcome, _ = await box.replay(EVERYTHING)
    assert (raced, outcome.stored, outcome.letters) == (True, 1, 1)
    assert await figures(road) == (1, 0)


@pytest.mark.parametrize("refused", ["too_large: 2000000 bytes", "bad_identity: seq is missing", "bad_record: ?"])
async def test_what_the_bridge_refused_stays_a_letter(road: Road, box: LetterBox, refused: str) -> None:
    sent = message(reading(0, 1))
    await road.run(RawMessage(topic=sent.topic, payload=sent.payload, received_us=sent.received_us, refused=refused))
    outcome, _ = await box.replay(EVERYTHING)
    assert [left.reason for left in outcome.left] == [refused.partition(":")[0]]
    assert await figures(road) == (0, 1)


async def test_a_quarantined_devices_messages_are_replayed(road: Road, box: LetterBox) -> None:
    await road.run(*(message(reading(0, 1, "gone"), seq=n) for n in range(100)))
    await road.run(message(reading(1, 1), reading(2, 1), seq=100), message(reading(3, 1), seq=101))
    assert await figures(road) == (0, 103)
    assert await box.release("default", "dev-1", "tester")
    assert not await box.release("default", "dev-1", "tester")
    outcome, _ = await box.replay(LetterFilter(reason="quarantined"))
    assert (outcome.stored, outcome.letters, outcome.left) == (3, 2, ())
    assert await figures(road) == (3, 100)
    await road.run(message(reading(4, 1), seq=102))
    assert await figures(road) == (4, 100)
    assert await road.rows("SELECT who, what, tenant, device FROM intervention") == [("tester", "release", "default", "dev-1")]


async def test_after_a_quarantine_release_and_replay_leave_what_no_quarantine_would_have_left(road: Road, box: LetterBox) -> None:
    columns = "phenomenon_time, number, flag, tests, epoch, seq, item, received"
    tables = (
        f"SELECT {columns} FROM observation ORDER BY phenomenon_time",
        "SELECT span, bucket, flag, n, sum, sum_squares, min, max, first_number, last_number FROM aggregate ORDER BY 1, 2, 3",
        "SELECT n, first_time, last_time, latest_number, latest_flag FROM datastream_summary",
        "SELECT tenant, device, epoch, runs FROM receipt",
    )
    bad = [message(reading(0, 1, "gone"), seq=seq) for seq in range(100)]
    good = [message(*(reading(seq * 7 % 50 + k / 4, seq + k) for k in range(4)), seq=seq) for seq in range(100, 130)]

    async def left() -> list[list[tuple[Any, ...]]]:
        return [await road.rows(table) for table in tables]

    for sent in (bad, good):
        await road.run(*sent)
    assert await figures(road) == (0, 220)
    await box.release("default", "dev-1", "tester")
    await box.replay(LetterFilter(reason="quarantined"))
    set_aside = await left()
    await road.connection.execute(
        "TRUNCATE observation, aggregate, datastream_summary, dead_letter, receipt, device_state, device_health"
    )
    await road.run(*bad[:99])
    await road.connection.execute("UPDATE device_state SET refused_run = 0")
    for sent in (bad[99:], good[::-1]):
        await road.run(*sent)
    assert await figures(road) == (120, 100)
    assert await left() == set_aside


async def test_a_created_observation_is_replayed_as_what_it_was(road: Road, box: LetterBox) -> None:
    topic = "v1.1/Datastreams(77)/Observations"
    payload = b'{"result": 7, "phenomenonTime": "2026-03-01T09:00:00Z"}'
    received_us = int(RECEIVED.timestamp() * 1e6)
    sent = RawMessage(topic=topic, payload=payload, received_us=received_us, epoch=1, seq=0, gateway="g")
    await road.run(sent)
    await road.connection.execute("UPDATE datastream SET id = 77 WHERE channel = 't'")
    assert (await box.replay(EVERYTHING))[0].stored == 1
    await road.run(sent)
    assert await figures(road) == (1, 0)


async def test_letters_are_found_page_by_page_and_by_filter(road: Road, box: LetterBox) -> None:
    late = RECEIVED + timedelta(minutes=5)
    await road.run(
        *(message(reading(n, n), seq=n, device="a") for n in range(3)), message(reading(0, 1, "x"), seq=0, received=late)
    )
    first = await box.find(EVERYTHING, 2)
    second = await box.find(EVERYTHING, 2, before=first[-1]["id"])
    assert [(row["device"], row["seq"]) for row in first + second] == [("dev-1", 0), ("a", 2), ("a", 1), ("a", 0)]
    assert first[0]["size"] == len(message(reading(0, 1, "x"), seq=0).payload)
    for which, count in [
        (LetterFilter(device="a"), 3), (LetterFilter(tenant="elsewhere"), 0), (LetterFilter(reason="unknown_property"), 1),
        (LetterFilter(since=late), 1), (LetterFilter(until=late), 3), (LetterFilter(ids=(first[0]["id"],)), 1),
    ]:  # fmt: skip
        assert (len(await box.find(which, 10)), await box.count(which)) == (count, count)
    letter = await box.read(first[0]["id"])
    assert letter is not None
    assert letter.payload == message(reading(0, 1, "x"), seq=0).payload
    assert await box.read(10**9) is None


async def test_a_large_replay_goes_on_where_it_stopped(road: Road, box: LetterBox) -> None:
    await road.run(*(message(reading(n, n), seq=n, device="new") for n in range(5)))
    await register(road, "new", "t")
    outcome, go_on = await box.replay(EVERYTHING, most=3)
    assert (outcome.letters, go_on is not None) == (3, True)
    outcome, go_on = await box.replay(EVERYTHING, after=go_on or 0, most=3)
    assert (outcome.letters, go_on) == (2, None)


async def test_dropping_needs_the_right_number_and_is_kept(road: Road, box: LetterBox) -> None:
    await road.run(message(reading(0, 1), reading(1, 1), seq=0, device="a"), message(reading(2, 1), seq=1, device="a"))
    for wrong in (1, 3):
        with pytest.raises(UnexpectedCountError, match="2 letters"):
            await box.drop(LetterFilter(device="a"), "tester", wrong)
    assert await figures(road) == (0, 3)
    assert await box.drop(LetterFilter(device="a"), "tester", 2) == 2
    assert await figures(road) == (0, 0)
    kept = await road.rows(
        "SELECT who, what, tenant, device, readings, detail ->> 'seq', detail ->> 'reason' FROM intervention ORDER BY id"
    )
    assert kept == [
        ("tester", "drop", "default", "a", 2, "0", "unknown_device"),
        ("tester", "drop", "default", "a", 1, "1", "unknown_device"),
    ]
    await road.run(message(reading(0, 1), reading(1, 1), seq=0, device="a"))
    assert await figures(road) == (0, 0)


async def test_resuming_names_the_workers_that_were_paused(road: Road, box: LetterBox) -> None:
    for worker in ("worker-1", "worker-2"):
        await road.connection.execute(
            "INSERT INTO worker_pause (worker, failures, messages, devices, example) VALUES (%s, 501, 1000, 10, 'x')", (worker,)
        )
    assert await box.resume("tester", "worker-2") == ["worker-2"]
    assert await box.resume("tester") == ["worker-1"]
    assert await box.resume("tester") == []
    assert await road.rows("SELECT who, what, detail ->> 'failures' FROM intervention") == [("tester", "resume", "501")] * 2
