"""Readings whose value is an array: telemetry of a MultiDatastream."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.streams.conftest import Road, message, reading

pytestmark = pytest.mark.integration

REGISTER = """
    WITH m AS (INSERT INTO multi_datastream (name, description, observation_type, multi_observation_data_types,
                                             unit_of_measurements, properties, thing_id, sensor_id)
               SELECT 'wind', '', '', '["", ""]', '[{}, {}]', jsonb_build_object('channel', 'wind') || %s::jsonb, t.id, s.id
                 FROM thing t, sensor s RETURNING id)
    INSERT INTO multi_datastream_observed_property
    SELECT m.id, rank, p.id FROM m, observed_property p, generate_series(1, 2) AS rank
"""


async def wind(road: Road, properties: str = "{}") -> None:
    await road.connection.execute(REGISTER, (properties,))


async def stored(road: Road) -> list[tuple[Any, ...]]:
    return await road.rows("SELECT number, result::text, flag, (tests >> 12) & 15 FROM observation ORDER BY phenomenon_time")


@pytest.mark.parametrize(
    ("value", "verdict"), [([20, 21], 1), ([20, 50], 3), ([50, 20], 3), ([-50, 50], 4), ([20, None], 1), ([None, "calm"], 0)]
)
async def test_the_worst_part_decides(road: Road, value: list[Any], verdict: int) -> None:
    await wind(road)
    await road.run(message(reading(0, value, "wind"), seq=0))
    ((number, result, flag, gross_range),) = await stored(road)
    assert number is None
    assert result == str(value).replace(" ", "").replace("None", "null").replace("'", '"')
    assert gross_range == verdict
    if verdict > 1:
        assert flag == verdict


async def test_a_multi_datastream_may_have_spans_of_its_own(road: Road) -> None:
    await wind(road, '{"fail_span": [[0, 10], null]}')
    await road.run(message(reading(0, [20, 20], "wind"), reading(1, [5, 20], "wind"), seq=0))
    assert [row[3] for row in await stored(road)] == [4, 1]


@pytest.mark.parametrize(
    ("channel", "value", "unit", "reason"),
    [
        ("wind", [1], None, "wrong_type"),
        ("wind", [1, 2, 3], None, "wrong_type"),
        ("wind", 1, None, "wrong_type"),
        ("wind", [1, 2], "Cel", "wrong_unit"),
        ("t", [1, 2], None, "wrong_type"),
    ],
)
async def test_what_does_not_fit_is_a_dead_letter(road: Road, channel: str, value: Any, unit: str | None, reason: str) -> None:
    await wind(road)
    more = {} if unit is None else {"unit": unit}
    receipts = await road.run(message(reading(0, value, channel, **more), seq=0))
    assert [receipt.seq for receipt in receipts] == [0]
    assert await road.rows("SELECT reason FROM dead_letter") == [(reason,)]
    assert await stored(road) == []


async def test_no_value_is_missing(road: Road) -> None:
    await wind(road)
    await road.run(message(reading(0, None, "wind"), seq=0))
    assert [row[:3] for row in await stored(road)] == [(None, None, 9)]


async def test_a_mixed_batch_judges_each_row_by_its_own_spans(road: Road) -> None:
    await wind(road)
    readings = [reading(0, [50, 1], "wind"), reading(1, 20), reading(2, 70), reading(3, [1, 1], "wind")]
    await road.run(message(*readings, seq=0))
    assert [row[3] for row in await stored(road)] == [3, 1, 4, 1]
