"""Readings that came again are told before they are judged, and only those of which nothing can follow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ingest_mqtt.contract import RawMessage
from streams.copies import Heard, without_copies
from streams.taken import Accepted
from tests.integration.streams.conftest import RECEIVED, Road, message, reading

SENT = message(reading(0, 1), reading(1, 2), reading(1, "wet", "u"), seq=0)


async def kept(road: Road, *messages: RawMessage) -> list[Any]:
    """What of the messages is not left out."""
    intake = await road.take_in(messages)
    return [c.number if c.result is None else c.result for c in await without_copies(road.connection, intake.candidates)]


async def test_a_copy_of_what_is_stored_is_left_out_whenever_it_comes(road: Road) -> None:
    await road.run(SENT)
    later = message(reading(0, 1), reading(1, 2), seq=0, received=RECEIVED + timedelta(minutes=5))
    assert await kept(road, SENT, later) == ['"wet"']  # a text is left to the store
    assert await kept(road, SENT, message(reading(2, 3), seq=1)) == ['"wet"', 3.0]


@pytest.mark.parametrize(
    ("other", "wins"),
    [
        pytest.param(message(reading(0, 1), seq=0, received=RECEIVED - timedelta(minutes=1)), 1.0, id="earlier stamp"),
        pytest.param(message(reading(0, 7), seq=0), 7.0, id="another value"),
        pytest.param(message(reading(0, 1), seq=1), 1.0, id="another seq"),
        pytest.param(message(reading(0, 1), seq=0, epoch=2), 1.0, id="another epoch"),
        pytest.param(message(reading(3, 1), seq=0), 1.0, id="another time"),
        pytest.param(message(reading(0, 1, "u"), seq=0), 1.0, id="another Datastream"),
        pytest.param(message(reading(0, 1)), 1.0, id="no identity"),
    ],
)
async def test_what_is_no_copy_is_left_to_the_store(road: Road, other: RawMessage, wins: float) -> None:
    await road.run(message(reading(0, 1), seq=0))
    assert await kept(road, other) == [wins]


@pytest.mark.parametrize("change", ["deleted = true", "manual = true"])
async def test_a_row_that_a_person_touched_is_left_to_the_store(road: Road, change: str) -> None:
    await road.run(message(reading(0, 1), seq=0))
    await road.rows(f"UPDATE observation SET {change} RETURNING id")
    assert await kept(road, message(reading(0, 1), seq=0)) == [1.0]


async def test_of_copies_in_one_batch_the_first_is_kept_and_any_with_an_earlier_stamp(road: Road) -> None:
    late = message(reading(0, 1), seq=0, received=RECEIVED + timedelta(minutes=5))
    early = message(reading(0, 1), seq=0)
    assert await kept(road, early, late, early) == [1.0]
    assert await kept(road, late, early) == [1.0, 1.0]
    assert await kept(road) == []


def settled(*seqs: int, epoch: int = 1) -> dict[tuple[str, str, int], Accepted]:
    return {("default", "dev-1", epoch): Accepted(first=0, seqs=list(seqs))}


def test_only_what_reaches_back_behind_the_highest_identity_can_be_a_copy() -> None:
    heard = Heard()
    assert not heard.may_repeat({})
    assert not heard.may_repeat(settled(4, 5))
    assert heard.may_repeat(settled(4, 4))
    heard.add(settled(4, 6))
    heard.add(settled(5))
    assert not heard.may_repeat(settled(7, 8))
    assert heard.may_repeat(settled(8, 6))
    assert not heard.may_repeat(settled(0, epoch=2))
    heard.add(settled(0, epoch=2))
    assert heard.may_repeat(settled(9))
