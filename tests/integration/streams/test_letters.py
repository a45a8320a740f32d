"""Letters and standings in the store's transaction: counted once, whatever comes again."""

from __future__ import annotations

from typing import Any

import pytest

from ingest_mqtt.contract import RawMessage
from streams import store
from streams.errors import StandingMovedError
from streams.standing import QUARANTINE_AFTER
from tests.integration.streams.conftest import RECEIVED, REGISTER, Road, message, reading

UNKNOWN = "dev-9"


async def letters(road: Road) -> list[tuple[Any, ...]]:
    return await road.rows("SELECT seq, reason, readings FROM dead_letter ORDER BY seq, id")


async def stored(road: Road) -> int:
    ((count,),) = await road.rows("SELECT count(*) FROM observation")
    return count


def raw(payload: bytes = b"{", *, stamp: int = 0, device: str = "dev-1") -> RawMessage:
    received_us = int(RECEIVED.timestamp() * 1e6) + stamp
    return RawMessage(topic=f"region/1/default/{device}/up/json", payload=payload, received_us=received_us)


async def test_a_record_that_the_log_has_twice_is_one_letter_and_an_equal_message_is_another(road: Road) -> None:
    await road.run(raw(), raw(stamp=1))
    await road.run(raw(), raw(stamp=1))
    assert len(await letters(road)) == 2


async def test_a_message_that_comes_again_after_its_device_was_registered_is_stored_and_no_letter_any_more(road: Road) -> None:
    late = message(reading(0, 1), reading(1, 2), seq=0, device=UNKNOWN)
    await road.run(late)
    assert await letters(road) == [(0, "unknown_device", 2)]
    await road.connection.execute(REGISTER, {"device": UNKNOWN, "channels": ["t"]})
    await road.run(late)
    assert (await stored(road), await letters(road)) == (2, [])


async def test_of_a_letter_less_may_be_left_but_never_more(road: Road) -> None:
    sent = message(reading(0, 1), reading(1, 2, "new"), reading(2, 3, "other"), seq=0)
    await road.run(sent)
    assert await letters(road) == [(0, "unknown_property", 2)]
    await road.connection.execute("UPDATE datastream SET properties = '{\"channel\": \"new\"}' WHERE channel = 'u'")
    await road.run(sent)
    assert (await stored(road), await letters(road)) == (2, [(0, "unknown_property", 1)])
    await road.connection.execute("UPDATE datastream SET properties = '{}'")
    await road.run(sent)
    assert (await stored(road), await letters(road)) == (2, [(0, "unknown_property", 1)])


async def test_what_was_stored_before_becomes_no_letter_when_it_comes_again(road: Road) -> None:
    sent = message(reading(0, 1), seq=0)
    await road.run(sent)
    await road.connection.execute("UPDATE datastream SET properties = '{}'")
    receipts = await road.run(sent)
    assert [receipt.seq for receipt in receipts] == [0]
    assert (await stored(road), await letters(road)) == (1, [])


async def test_what_the_bridge_refused_is_marked(road: Road) -> None:
    topic = "region/1/default/dev-1/up/json"
    await road.run(RawMessage(topic=topic, payload=b"x", received_us=0, refused="too_large: 9\x00 bytes"))
    assert await road.rows("SELECT reason, marked FROM dead_letter") == [("too_large", "too_large: 9\\0 bytes")]


def bad(seq: int) -> RawMessage:
    return message(reading(0, 1, "gone"), seq=seq)


async def state(road: Road) -> list[tuple[Any, ...]]:
    return await road.rows("SELECT device, refused_run, quarantined, since IS NOT NULL FROM device_state")


@pytest.mark.parametrize("cut", [1, 50, QUARANTINE_AFTER + 2])
async def test_a_device_is_quarantined_in_the_transaction_of_its_hundredth_refused_message(road: Road, cut: int) -> None:
    log = [bad(seq) for seq in range(QUARANTINE_AFTER)] + [message(reading(0, 1), reading(1, 2), seq=100), bad(101)]
    for start in range(0, len(log), cut):
        receipts = await road.run(*log[start : start + cut])
        assert receipts[0].seq == min(start + cut, len(log)) - 1
    assert await state(road) == [("dev-1", 100, True, True)]
    assert await letters(road) == [(seq, "unknown_property", 1) for seq in range(100)] + [
        (100, "quarantined", 2),
        (101, "quarantined", 1),
    ]
    assert await stored(road) == 0


async def test_a_good_message_ends_the_row_of_refused_ones(road: Road) -> None:
    await road.run(*(bad(seq) for seq in range(QUARANTINE_AFTER - 1)))
    assert await state(road) == [("dev-1", 99, False, False)]
    await road.run(message(reading(0, 1), seq=99))
    assert await state(road) == [("dev-1", 0, False, False)]


async def test_a_message_stored_before_the_quarantine_becomes_no_letter_when_it_comes_again(road: Road) -> None:
    good = message(reading(0, 1), seq=0)
    await road.run(good, *(bad(seq) for seq in range(1, QUARANTINE_AFTER + 1)))
    await road.run(good)
    assert (await stored(road), len(await letters(road))) == (1, QUARANTINE_AFTER)


async def test_a_batch_judged_before_a_release_is_judged_again(road: Road) -> None:
    await road.run(*(bad(seq) for seq in range(99)))
    intake = await road.take_in([bad(99)])
    await road.connection.execute("UPDATE device_state SET refused_run = 0")
    with pytest.raises(StandingMovedError):
        await store.store_batch(road.connection, intake, road.claim, road.offset, road.offset + 1, store.StoreLimits())
    assert len(await letters(road)) == 99
