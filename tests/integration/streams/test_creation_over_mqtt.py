"""Observations that SensorThings clients create over MQTT, on the worker's way."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_mqtt.contract import RawMessage
from streams.store import StoreLimits, store_batch
from tests.integration.streams.conftest import RECEIVED, Road

pytestmark = pytest.mark.integration

TIME = "2026-03-01T10:00:00+01:00"


async def single(road: Road) -> int:
    return (await road.rows("SELECT min(id) FROM datastream"))[0][0]


def create(topic: str, body: Any, received: int = 0) -> RawMessage:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RawMessage(topic=topic, payload=payload, received_us=int((RECEIVED + timedelta(seconds=received)).timestamp() * 1e6))


async def run(road: Road, *messages: RawMessage) -> None:
    start, road.offset = road.offset, road.offset + 1
    intake = await road.take_in(messages)
    await road.registry.refresh_entities(road.connection, intake.unknown_datastreams, intake.unknown_features)
    intake = await road.take_in(messages)
    await store_batch(road.connection, intake, road.claim, start, road.offset, StoreLimits())


async def test_each_topic_creates(road: Road) -> None:
    number = await single(road)
    ((feature,),) = await road.rows("SELECT feature_of_thing(id) FROM thing")
    link = {"Datastream": {"@iot.id": number}}
    await run(
        road,
        create("v1.1/Observations", {"result": 1, "phenomenonTime": TIME, **link}),
        create(f"v1.1/Datastreams({number})/Observations", {"result": 2, "phenomenonTime": TIME}),
        create(f"v1.1/FeaturesOfInterest({feature})/Observations", {"result": "3", "phenomenonTime": TIME, **link}),
        create(
            f"v1.1/Datastreams({number})/Observations",
            {
                "result": 4.5,
                "phenomenonTime": "2026-03-01T10:00:00Z/2026-03-01T11:00:00Z",
                "resultTime": TIME,
                "validTime": "2026-03-01T10:00:00Z/2026-03-01T11:00:00Z",
                "parameters": {"a": 1},
                "resultQuality": "fine",
                "FeatureOfInterest": {"@iot.id": feature},
            },
        ),
    )
    assert await road.rows("SELECT * FROM dead_letter") == []
    assert await road.rows("SELECT number, result::text, feature_id FROM observation ORDER BY number") == [
        (1, None, feature),
        (2, None, feature),
        (4.5, None, feature),
        (None, '"3"', feature),
    ]
    assert await road.rows("SELECT n FROM datastream_summary") == [(4,)]


async def test_without_a_time_it_is_the_stamp_of_the_bridge(road: Road) -> None:
    await run(road, create(f"v1.1/Datastreams({await single(road)})/Observations", {"result": 1}))
    assert await road.rows("SELECT phenomenon_time, received FROM observation") == [(RECEIVED, RECEIVED)]


async def test_the_feature_of_the_thing_is_made_where_there_is_none(road: Road) -> None:
    await run(road, create(f"v1.1/Datastreams({await single(road)})/Observations", {"result": 1}))
    assert await road.rows("SELECT o.feature_id = l.feature_id FROM observation o, location l") == [(True,)]


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        ("v1.1/Observations", {"result": 1}, "missing_field"),
        ("v1.1/Datastreams(1)/Observations", {}, "missing_field"),
        ("v1.1/Datastreams(1)/Observations", b"{", "invalid_json"),
        ("v1.1/Datastreams(1)/Observations", b'{"result": NaN}', "not_finite"),
        ("v1.1/Datastreams(1)/Observations", [1], "wrong_type"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "@iot.id": 7}, "wrong_type"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "Result": 7}, "wrong_type"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "phenomenonTime": "yesterday"}, "bad_time"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "phenomenonTime": "2026-03-01T10:00:00"}, "bad_time"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "validTime": TIME}, "bad_time"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "Datastream": {"@iot.id": 2}}, "wrong_type"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "MultiDatastream": {"@iot.id": 2}}, "missing_field"),
        ("v1.1/Datastreams(1)/Observations", {"result": "\u0000"}, "invalid_text"),
        ("v1.1/Datastreams(4711)/Observations", {"result": 1}, "unknown_entity"),
        ("v1.1/MultiDatastreams(1)/Observations", {"result": [1]}, "unknown_entity"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "FeatureOfInterest": {"@iot.id": 4711}}, "unknown_entity"),
        ("v1.1/Things(1)/Observations", {"result": 1}, "bad_topic"),
        ("v1.1/Datastreams(1)/Observations", {"result": 1, "phenomenonTime": "0001-01-01T00:00:00Z"}, "store_refused"),
    ],
)
async def test_what_is_wrong_is_a_dead_letter_and_its_neighbours_are_stored(road: Road, topic: str, body: Any, reason: str) -> None:
    assert await single(road) == 1
    good = [create("v1.1/Datastreams(1)/Observations", {"result": n, "phenomenonTime": TIME}) for n in range(2)]
    await run(road, good[0], create(topic, body), good[1])
    letters = await road.rows("SELECT reason, topic FROM dead_letter")
    if reason == "store_refused":  # PostgreSQL knows the year 1
        assert letters == []
    else:
        assert letters == [(reason, topic)]
        assert await road.rows("SELECT number FROM observation ORDER BY 1") == [(0,), (1,)]


async def test_a_thing_without_a_place_needs_a_feature(road: Road) -> None:
    await road.connection.execute("DELETE FROM location")
    await run(road, create(f"v1.1/Datastreams({await single(road)})/Observations", {"result": 1}))
    assert await road.rows("SELECT reason FROM dead_letter") == [("no_feature",)]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    again=st.lists(st.tuples(st.integers(0, 3), st.integers(-60, 60)), max_size=6),
)
async def test_a_redelivery_is_harmless(road: Road, values: list[int], again: list[tuple[int, int]]) -> None:
    await road.connection.execute("TRUNCATE observation, aggregate, datastream_summary, stored_outbox")
    topic = f"v1.1/Datastreams({await single(road)})/Observations"
    sent = [create(topic, {"result": value, "phenomenonTime": TIME}) for value in values]
    await run(road, *sent)
    for place, late in again:
        message = sent[place % len(sent)]
        await run(road, RawMessage(topic=topic, payload=message.payload, received_us=message.received_us + late * 1_000_000))
    assert await road.rows("SELECT number FROM observation ORDER BY 1") == [(value,) for value in sorted(set(values))]
    assert await road.rows("SELECT n FROM datastream_summary") == [(len(set(values)),)]
    assert await road.rows("SELECT n FROM aggregate WHERE span = 'day'") == [(len(set(values)),)]
