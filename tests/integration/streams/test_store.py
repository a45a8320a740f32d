"""One transaction of the store: rows, aggregates, summaries, receipts, letters, ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from streams import ledger, store
from streams.copies import Heard
from streams.errors import FencedError, GapError, RegistryMovedError
from tests.integration.streams.conftest import RECEIVED, TOPIC, Road, message, reading


async def test_readings_become_rows_with_flags_and_the_feature_of_their_site(road: Road) -> None:
    await road.run(message(reading(0, 20.5), reading(1, 50), reading(2, 99), reading(3, None), reading(4, "wet"), seq=0))
    assert await road.rows("SELECT number, result, flag FROM read.observation ORDER BY phenomenon_time") == [
        (20.5, None, 1),
        (50.0, None, 3),
        (99.0, None, 4),
        (None, None, 9),
        (None, "wet", 1),
    ]


async def test_aggregates_count_by_flag_and_sum_exactly(road: Road) -> None:
    await road.run(message(*(reading(m, 0.1) for m in range(10)), seq=0))
    await road.run(message(reading(10, 50), reading(11, 0.2), seq=1))
    hour = await road.rows(
        "SELECT flag, n, sum, sum_squares, min, max, first_number, last_number FROM read.aggregate_hour ORDER BY flag"
    )
    assert hour == [
        (1, 11, Decimal("1.2"), Decimal("0.14"), 0.1, 0.2, 0.1, 0.2),
        (3, 1, Decimal(50), Decimal(2500), 50.0, 50.0, 50.0, 50.0),
    ]
    assert await road.rows("SELECT n, latest_number, latest_flag FROM read.datastream_summary") == [(12, 0.2, 1)]


@pytest.mark.parametrize("has_restarted", [True, False])
async def test_a_repeated_message_changes_nothing_but_is_receipted_again(road: Road, has_restarted: bool) -> None:
    twice = message(reading(0, 1), reading(1, 2), seq=0)
    first = await road.run(twice)
    if has_restarted:  # nobody remembers that it was heard
        road.heard = Heard()
    before = await road.rows("SELECT * FROM aggregate ORDER BY 1, 2, 3, 4")
    assert await road.run(twice) == first == [store.Receipt(tenant="default", device="dev-1", epoch=1, seq=0)]
    assert await road.rows("SELECT * FROM aggregate ORDER BY 1, 2, 3, 4") == before
    assert await road.rows("SELECT count(*) FROM read.observation") == [(2,)]


async def test_the_later_message_of_a_device_wins_whichever_comes_first(road: Road) -> None:
    early, late = message(reading(0, 1), seq=4), message(reading(0, 7), seq=5)
    await road.run(late)
    await road.run(early)
    assert await road.rows("SELECT number, seq FROM read.observation") == [(7.0, 5)]
    await road.run(message(reading(0, 9), seq=6))
    assert await road.rows("SELECT number, seq FROM read.observation") == [(9.0, 6)]
    assert await road.rows("SELECT n, sum, min, max FROM read.aggregate_day") == [(1, Decimal(9), 9.0, 9.0)]
    assert await road.rows("SELECT latest_number FROM read.datastream_summary") == [(9.0,)]
    assert await road.rows("SELECT old ->> 'number', new ->> 'number', cause FROM read.revision") == [("7", "9", "overruled")]


async def test_a_change_in_an_open_bucket_is_no_revision(road: Road) -> None:
    now = datetime.now(UTC)
    young = {"time": now.isoformat(), "property": "t", "value": 1}
    await road.run(message(young, seq=0, received=now))
    await road.run(message({**young, "value": 2}, seq=1, received=now))
    assert await road.rows("SELECT latest_number FROM read.datastream_summary") == [(2.0,)]
    assert await road.rows("SELECT * FROM read.revision") == []


async def test_the_earliest_reception_of_a_copy_counts(road: Road) -> None:
    ahead = reading(60 * 3 + 7, 1)  # seven minutes after RECEIVED
    await road.run(message(ahead, seq=0, received=RECEIVED + timedelta(minutes=30)))
    assert await road.rows("SELECT flag FROM read.observation") == [(1,)]
    await road.run(message(ahead, seq=0))
    assert await road.rows("SELECT flag, received FROM read.observation") == [(4, RECEIVED)]
    assert await road.rows("SELECT flag, n FROM read.aggregate_hour") == [(4, 1)]


async def test_bad_readings_become_one_letter_and_their_neighbours_are_stored(road: Road) -> None:
    bad = message(reading(0, 1), reading(1, 1, "unknown"), reading(2, 1, unit="kg"), reading(-60 * 24 * 365 * 40, 1), seq=0)
    receipts = await road.run(bad)
    assert [receipt.seq for receipt in receipts] == [0]
    assert await road.rows("SELECT count(*) FROM read.observation") == [(1,)]
    (letter,) = await road.rows("SELECT payload, tenant, device, epoch, seq, reason, refused, readings FROM dead_letter")
    assert letter[:6] == (bad.payload, "default", "dev-1", 1, 0, "unknown_property")
    assert [(index, reason) for index, reason, _ in letter[6]] == [(1, "unknown_property"), (2, "wrong_unit"), (3, "bad_time")]
    assert letter[7] == 3


async def test_a_refused_message_sent_again_is_the_same_letter(road: Road) -> None:
    for _ in range(2):
        await road.run(message(reading(0, 1, "unknown"), seq=0))
    assert await road.rows("SELECT count(*), sum(readings) FROM dead_letter") == [(1, 1)]


async def test_a_unit_that_converts_is_converted_and_remembered(road: Road) -> None:
    await road.run(message(reading(0, 68, unit="[degF]"), seq=0))
    assert await road.rows("SELECT number, parameters FROM read.observation") == [
        (20.0, {"original": {"value": 68, "unit": "[degF]"}})
    ]


async def test_a_receipt_reaches_to_the_first_gap_from_the_lowest_held(road: Road) -> None:
    assert [r.seq for r in await road.run(message(reading(0, 1), seq=2))] == [None]
    assert [r.seq for r in await road.run(message(reading(1, 1), seq=0))] == [0]
    assert [r.seq for r in await road.run(message(reading(2, 1), seq=1))] == [2]
    assert [r.seq for r in await road.run(message(reading(3, 1), seq=9, first=9))] == [9]


async def test_epochs_are_receipted_apart(road: Road) -> None:
    await road.run(message(reading(0, 1), seq=0, epoch=5))
    receipts = await road.run(message(reading(1, 1), seq=0, epoch=6))
    assert [(r.epoch, r.seq) for r in receipts] == [(6, 0)]
    assert [(r.epoch, r.seq) for r in await store.last_receipts(road.connection)] == [(6, 0)]


async def test_a_former_owner_is_fenced_and_writes_nothing(road: Road) -> None:
    await ledger.claim(road.connection, "log-1", [(TOPIC, 0)], "worker-2")
    with pytest.raises(FencedError):
        await road.run(message(reading(0, 1), seq=0))
    assert await road.rows("SELECT count(*) FROM observation") == [(0,)]


async def test_a_batch_that_does_not_start_at_the_ledger_is_refused(road: Road) -> None:
    road.offset = 7
    with pytest.raises(GapError):
        await road.run(message(reading(0, 1), seq=0))
    assert await road.rows("SELECT count(*) FROM observation") == [(0,)]


async def test_a_commit_whose_answer_was_lost_is_not_repeated(road: Road) -> None:
    await road.run(message(reading(0, 1), seq=0))
    road.offset = 0
    receipts = await road.run(message(reading(0, 1), seq=0))
    assert [receipt.seq for receipt in receipts] == [0]
    assert await road.rows("SELECT n FROM read.datastream_summary") == [(1,)]


async def test_a_new_incarnation_of_the_log_begins_at_its_start(road: Road) -> None:
    await road.run(message(reading(0, 1), seq=0))
    claims = await ledger.claim(road.connection, "log-2", [(TOPIC, 0)], "worker-1")
    assert claims[TOPIC, 0].next_offset == 0
    again = await ledger.claim(road.connection, "log-1", [(TOPIC, 0)], "worker-1")
    assert (again[TOPIC, 0].next_offset, again[TOPIC, 0].epoch) == (1, 2)


async def test_a_datastream_deleted_after_the_look_up_leaves_no_orphan(road: Road) -> None:
    intake = await road.take_in([message(reading(0, 1), seq=0)])
    await road.connection.execute("DELETE FROM datastream")
    with pytest.raises(RegistryMovedError):
        await store.store_batch(road.connection, intake, road.claim, 0, 1, store.StoreLimits())
    assert await road.rows("SELECT count(*) FROM observation") == [(0,)]


async def test_local_days_and_utc_hours_bound_the_buckets(road: Road) -> None:
    midnight = RECEIVED.replace(hour=23, minute=0) - timedelta(days=1)  # 0:00 in Berlin
    for seq, offset in enumerate((-1, 0)):
        time = (midnight + timedelta(seconds=offset)).isoformat()
        await road.run(message({"time": time, "property": "t", "value": 1}, seq=seq))
    days = await road.rows("SELECT bucket, n FROM read.aggregate_day ORDER BY bucket")
    assert days == [(midnight - timedelta(days=1), 1), (midnight, 1)]


async def test_what_was_stored_is_news_and_what_was_repeated_is_not(road: Road) -> None:
    for _ in range(2):
        await road.run(message(reading(0, 1), seq=0))
    ids = await road.rows("SELECT id FROM observation")
    assert await road.rows("SELECT convert_from(payload, 'UTF8')::json FROM stored_outbox") == [
        ({"version": 1, "created": [ids[0][0]]},)
    ]


async def test_ids_stay_exact_in_javascript_and_carry_their_day(road: Road) -> None:
    await road.run(message(reading(0, 1), seq=0))
    ((observation_id,),) = await road.rows("SELECT id FROM observation")
    assert observation_id < 2**53
    assert observation_id >> 37 == int(RECEIVED.timestamp()) // 86_400
