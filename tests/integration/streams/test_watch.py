"""How devices are, as the store's transactions leave it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest_mqtt.contract import RawMessage
from streams import store
from streams.intake import Intake
from streams.watch import PAUSE_US, Seen, due
from tests.integration.streams.conftest import RECEIVED, Road, message, reading


async def health(road: Road, columns: str) -> tuple[Any, ...]:
    (row,) = await road.rows(f"SELECT {columns} FROM read.device_health")
    return row


async def test_the_newest_stamp_and_the_clocks_offset_are_kept(road: Road) -> None:
    now = RECEIVED - timedelta(hours=3)  # of reading(0)
    await road.run(message(reading(0, 1), reading(-5, 1), received=now + timedelta(seconds=4)))
    assert await health(road, "last_seen, clock_offset_s") == (now + timedelta(seconds=4), 4.0)
    await road.run(message(reading(10, 1), received=now + timedelta(minutes=9)))
    assert await health(road, "clock_offset_s") == (-60.0,)
    await road.run(message(reading(1, 1), received=now + timedelta(minutes=1)))  # late
    assert await health(road, "last_seen, clock_offset_s") == (now + timedelta(minutes=9), -60.0)
    await road.run(RawMessage(topic="region/1/default/dev-1/up/json", payload=b"{", received_us=int(RECEIVED.timestamp() * 1e6)))
    assert await health(road, "last_seen, clock_offset_s") == (RECEIVED, -60.0)


async def test_gaps_and_repeats_follow_from_the_identities_in_any_order_and_cut(road: Road) -> None:
    sent = [message(reading(seq, seq), seq=seq) for seq in range(10, 40) if seq not in (12, 13, 30)]
    sent += [message(reading(seq, seq), seq=seq) for seq in (10, 10, 39, 20)]
    sent += [message(reading(seq, seq), seq=seq, epoch=2) for seq in (0, 1, 3)]
    for seed in range(3):
        await road.connection.execute("TRUNCATE receipt")
        order = random.Random(seed)
        order.shuffle(sent)
        left = list(sent)
        while left:
            count = order.randint(1, 12)
            await road.run(*left[:count])
            left = left[count:]
        assert await health(road, "messages, missing, repeats") == (30, 4, 4), seed


async def test_a_commit_whose_answer_was_lost_counts_no_repeats(road: Road) -> None:
    await road.run(message(reading(0, 1), seq=0))
    road.offset = 0
    await road.run(message(reading(0, 1), seq=0))
    assert await health(road, "messages, missing, repeats") == (1, 0, 0)


async def test_a_device_that_was_never_heard_of_is_silent_and_one_just_heard_of_is_not(road: Road) -> None:
    assert await health(road, "silent, last_seen, messages, quarantined") == (True, None, None, False)
    now = datetime.now(UTC)
    await road.run(message({"time": now.isoformat(), "property": "t", "value": 1}, received=now))
    assert await health(road, "silent") == (False,)
    await road.connection.execute("UPDATE device_health SET last_seen = now() - interval '16 minutes'")
    assert await health(road, "silent") == (True,)
    await road.connection.execute("UPDATE datastream SET properties = properties || '{\"interval_s\": 600}'")
    assert await health(road, "silent") == (False,)
    await road.connection.execute('UPDATE datastream SET properties = properties || \'{"interval_s": "often"}\'')
    assert await health(road, "silent") == (True,)


async def test_the_battery_is_the_latest_of_its_channel(road: Road) -> None:
    await road.connection.execute("UPDATE datastream SET properties = '{\"channel\": \"battery\"}' WHERE channel = 'u'")
    assert await health(road, "battery ->> 'value'") == (None,)
    await road.run(message(reading(0, 3.7, "battery"), reading(1, 3.6, "battery"), seq=0))
    assert await health(road, "battery ->> 'value'") == ("3.6",)


@pytest.mark.parametrize(("later_us", "noted"), [(PAUSE_US - 1, False), (PAUSE_US, True)])
def test_a_device_is_noted_again_after_a_pause(later_us: int, noted: bool) -> None:
    device = ("default", "dev-1")
    assert (device in due({device: Seen(5 + later_us)}, {device: 5})) is noted
    assert device in due({device: Seen(PAUSE_US)}, {})


async def test_nothing_seen_writes_nothing(road: Road) -> None:
    await store.store_batch(road.connection, Intake(), road.claim, 0, 1, store.StoreLimits())
    assert await road.rows("SELECT * FROM device_health") == []
