"""Moving Things: the Location follows the newest position, history keeps one per 30 s of event time (decisions.md 10)."""

from __future__ import annotations

import random
from typing import Any

from tests.integration.streams.conftest import Road, message, reading


async def places(road: Road) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    current = await road.rows("SELECT l.location -> 'coordinates' FROM location l JOIN thing_location ON location_id = l.id")
    history = await road.rows(
        "SELECT h.time, l.location -> 'coordinates' FROM historical_location h"
        " JOIN historical_location_location hl ON hl.historical_location_id = h.id"
        " JOIN location l ON l.id = hl.location_id ORDER BY h.time"
    )
    return current, history


async def test_location_and_history_do_not_depend_on_the_order(road: Road) -> None:
    await road.connection.execute("""UPDATE thing SET properties = properties || '{"moving": true}'""")
    rides = [
        message(reading(second / 60, second, position=[9.0 + second / 1000, 54.5]), seq=second) for second in range(0, 100, 10)
    ]
    await road.run(*rides)
    current, history = await places(road)
    assert current == [([9.09, 54.5],)]
    assert [place for _, place in history] == [[9.0, 54.5], [9.03, 54.5], [9.06, 54.5], [9.09, 54.5]]
    await road.connection.execute("TRUNCATE observation, aggregate, datastream_summary, historical_location, receipt CASCADE")
    await road.connection.execute("UPDATE location SET moved = NULL")
    random.Random(5).shuffle(rides)
    for ride in rides:
        await road.run(ride)
    assert await places(road) == (current, history)


async def test_a_position_far_from_a_site_that_stands_still_is_suspect_and_moves_nothing(road: Road) -> None:
    before, _ = await places(road)
    await road.run(
        message(
            reading(0, 1, position=[9.43, 54.79]), reading(1, 1, position=[9.6, 54.79]), reading(2, 1, position=[300, 54.79]), seq=0
        )
    )
    assert await road.rows("SELECT flag FROM read.observation ORDER BY phenomenon_time") == [(1,), (3,)]
    assert await places(road) == (before, [])
