"""Observations that bring new entities along over MQTT (18-088, 14.1 and 10.2.1.2): whole or not at all, and once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.sensorthings.writer.related import write_related
from ingest_mqtt.contract import RawMessage
from streams.candidate import Candidate
from streams.creation import candidate_of
from streams.intake import Intake
from streams.letter_box import LetterBox, LetterFilter
from streams.registry import Registry
from streams.related import WriteRelated, store_along
from streams.replay import Outcome
from streams.store import StoreLimits, store_batch
from streams.taken import Along, Letter
from tests.integration.streams.conftest import LIMITS, RECEIVED, Road

pytestmark = pytest.mark.integration

TIME = "2015-03-01T00:00:00.000Z"
FEATURE = {
    "name": "A weather station.", "description": "at the fjord", "encodingType": "application/vnd.geo+json",
    "feature": {"type": "Point", "coordinates": [-114.05, 51.05]},
}  # fmt: skip
DATASTREAM = {
    "name": "light", "description": "", "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
    "unitOfMeasurement": {"name": "lumen", "symbol": "lm", "definition": "lm"},
    "Thing": {"name": "lamp", "description": ""},
    "ObservedProperty": {"name": "flux", "definition": "urn:flux", "description": ""},
    "Sensor": {"name": "fluxomatic", "description": "", "encodingType": "text/plain", "metadata": "m"},
}  # fmt: skip
MULTI = {
    "name": "wind", "description": "", "multiObservationDataTypes": [DATASTREAM["observationType"]] * 2,
    "unitOfMeasurements": [DATASTREAM["unitOfMeasurement"]] * 2, "Thing": DATASTREAM["Thing"], "Sensor": DATASTREAM["Sensor"],
    "ObservedProperties": [DATASTREAM["ObservedProperty"], {"name": "p2", "definition": "urn:p2", "description": ""}],
}  # fmt: skip
PLACED = "observation o JOIN feature_of_interest f ON f.id = o.feature_id"
TABLES = ("thing", "sensor", "observed_property", "datastream", "feature_of_interest", "observation", "created_along")


def create(topic: str, body: Any, received: int = 0) -> RawMessage:
    stamp = int((RECEIVED + timedelta(seconds=received)).timestamp() * 1e6)
    return RawMessage(topic=topic, payload=json.dumps(body).encode(), received_us=stamp)


async def run(road: Road, *messages: RawMessage) -> Intake:
    async def along(connection: Any, messages: Any) -> list[Letter]:
        return await store_along(connection, messages, StoreLimits(), write_related)

    intake = await road.take_in(messages)
    await road.registry.refresh_entities(road.connection, intake.unknown_datastreams, intake.unknown_features)
    intake = await road.take_in(messages)
    start, road.offset = road.offset, road.offset + 1
    await store_batch(road.connection, intake, road.claim, start, road.offset, StoreLimits(), None, along)
    return intake


async def replayed(road: Road, related: WriteRelated | None) -> Outcome:
    dsn = f"{road.connection.info.dsn} password={road.connection.info.password}"
    box = await LetterBox.open(dsn, LIMITS, StoreLimits(), related=related)
    try:
        return (await box.replay(LetterFilter()))[0]
    finally:
        await box.close()


async def counts(road: Road) -> list[int]:
    return [(await road.rows(f"SELECT count(*) FROM {table}"))[0][0] for table in TABLES]


async def test_a_feature_comes_along_on_each_topic(road: Road) -> None:
    ((number,),) = await road.rows("SELECT min(id) FROM datastream")
    link = {"Datastream": {"@iot.id": number, "name": "as it was read"}}
    intake = await run(
        road,
        create(f"v1.1/Datastreams({number})/Observations", {"result": 1, "phenomenonTime": TIME, "FeatureOfInterest": FEATURE}),
        create("v1.1/Observations", {"result": 2, "phenomenonTime": TIME, **link}),
        create("v1.1/Observations", {"result": 3, "phenomenonTime": TIME, "FeatureOfInterest": FEATURE, **link}),
    )
    assert (intake.letters, len(intake.candidates), intake.created) == ([], 1, 2)
    assert await road.rows(f"SELECT number, feature->'coordinates'->0, flag FROM {PLACED} ORDER BY number") == [
        (1, -114.05, 1),
        (2, 9.43, 1),
        (3, -114.05, 1),
    ]
    assert await road.rows("SELECT n FROM datastream_summary WHERE n > 0") == [(3,)]
    assert await road.rows("SELECT sum(n) FROM aggregate WHERE span = 'day'") == [(3,)]


async def test_a_whole_world_comes_along(road: Road) -> None:
    body = {"result": 2**62 + 1, "phenomenonTime": TIME, "FeatureOfInterest": FEATURE, "Datastream": DATASTREAM}
    before = await counts(road)
    await run(road, create("v1.1/Observations", body))
    assert await counts(road) == [n + 1 for n in before]
    assert await road.rows(
        f"SELECT coalesce(result::text, number::text), feature->'coordinates'->0, phenomenon_time FROM {PLACED}"
    ) == [(str(2**62 + 1), -114.05, datetime(2015, 3, 1, tzinfo=UTC))]
    ((feature,),) = await road.rows("SELECT max(id) FROM feature_of_interest")
    multi = {"result": [1, 2], "phenomenonTime": TIME, "MultiDatastream": MULTI}
    intake = await run(road, create(f"v1.1/FeaturesOfInterest({feature})/Observations", multi))
    assert intake.letters == []
    assert await road.rows("SELECT result::text FROM observation WHERE feature_id = %s ORDER BY id DESC LIMIT 1", feature) == [
        ("[1,2]",)
    ]


async def test_a_message_that_comes_again_is_written_once(road: Road) -> None:
    body = {"result": 1, "phenomenonTime": TIME, "FeatureOfInterest": FEATURE, "Datastream": DATASTREAM}
    sent = create("v1.1/Observations", body)
    await run(road, sent, create("v1.1/Observations", body, received=1))
    once = await counts(road)
    intake = await run(road, create("v1.1/Observations", body, received=30))
    assert (await counts(road), intake.letters, intake.created) == (once, [], 1)
    await run(road, create("v1.1/Observations", {**body, "result": 2}))
    assert (await counts(road))[0] == once[0] + 1


async def test_without_a_time_each_message_is_another_observation_of_its_reception(road: Road) -> None:
    ((number,),) = await road.rows("SELECT min(id) FROM datastream")
    topic, body = f"v1.1/Datastreams({number})/Observations", {"result": 1, "FeatureOfInterest": FEATURE}
    await run(road, *(create(topic, body, received=n) for n in range(2)))
    assert await road.rows("SELECT phenomenon_time FROM observation ORDER BY 1") == [
        (RECEIVED,),
        (RECEIVED + timedelta(seconds=1),),
    ]


@pytest.mark.parametrize(
    ("body", "reason", "detail"),
    [
        ({"FeatureOfInterest": {**FEATURE, "name": 1}}, "refused_entity", "FeatureOfInterest.name must be a string"),
        ({"FeatureOfInterest": {"name": "x"}}, "refused_entity", "FeatureOfInterest.description is missing"),
        ({"FeatureOfInterest": FEATURE, "Datastream": {"@iot.id": 4711}}, "refused_entity", "there is no Datastream 4711"),
        ({"FeatureOfInterest": FEATURE, "phenomenonTime": "now"}, "refused_entity", "phenomenonTime"),
        ({"Datastream": {**DATASTREAM, "Thing": {"name": "t"}}}, "refused_entity", "Datastream.Thing.description is missing"),
        ({"Datastream": DATASTREAM}, "refused_entity", "FeatureOfInterest is missing"),
        ({"MultiDatastream": MULTI, "FeatureOfInterest": FEATURE}, "refused_entity", "result must be an array of 2 elements"),
        ({"FeatureOfInterest": {**FEATURE, "properties": {"a": "\0"}}}, "invalid_text", "NUL"),
    ],
)
async def test_what_can_not_come_along_is_a_dead_letter_and_nothing_of_it_is_there(
    road: Road, body: dict[str, Any], reason: str, detail: str
) -> None:
    ((number,),) = await road.rows("SELECT min(id) FROM datastream")
    other = body.keys() & {"Datastream", "MultiDatastream"}
    topic = "v1.1/Observations" if other else f"v1.1/Datastreams({number})/Observations"
    await run(road, create(f"v1.1/Datastreams({number})/Observations", {"result": 0, "phenomenonTime": TIME}))
    before = await counts(road)
    good = {"result": 1, "phenomenonTime": TIME, "FeatureOfInterest": FEATURE, "Datastream": {"@iot.id": number}}
    intake = await run(road, create(topic, {"result": 5, "phenomenonTime": TIME, **body}), create("v1.1/Observations", good))
    assert [letter.reason for letter in intake.letters] == [reason]
    assert detail in intake.letters[0].detail
    assert await road.rows("SELECT reason, topic FROM dead_letter") == [(reason, topic)]
    # The neighbour with its feature is all that came.
    assert [after - then for after, then in zip(await counts(road), before, strict=True)] == [0, 0, 0, 0, 1, 1, 1]


async def test_what_the_database_refuses_spares_its_neighbours(road: Road) -> None:
    ((number,),) = await road.rows("SELECT min(id) FROM datastream")
    topic = f"v1.1/Datastreams({number})/Observations"

    def bodies(*results: Any) -> list[RawMessage]:
        return [create(topic, {"result": r, "phenomenonTime": TIME, "FeatureOfInterest": FEATURE}) for r in results]

    await road.connection.execute("ALTER TABLE observation ADD CONSTRAINT odd CHECK (number IS DISTINCT FROM 3)")
    intake = await run(road, *bodies(1, 2, 3, 4))
    assert [letter.reason for letter in intake.letters] == ["bug"]
    assert await road.rows("SELECT number FROM observation ORDER BY 1") == [(1,), (2,), (4,)]
    assert (await counts(road))[-3:] == [3 + (await road.rows("SELECT count(feature_id) FROM location"))[0][0], 3, 3]


async def test_a_letter_is_replayed_with_what_it_brings_along(road: Road) -> None:
    ((number,),) = await road.rows("SELECT min(id) FROM datastream")
    body = {"result": 1, "phenomenonTime": TIME, "FeatureOfInterest": {**FEATURE, "encodingType": ""}}
    sent = create(f"v1.1/Datastreams({number})/Observations", body)
    await run(road, sent)
    again = await replayed(road, write_related)
    assert (again.stored, [left.reason for left in again.left]) == (0, ["refused_entity"])
    mended = json.dumps({**body, "FeatureOfInterest": FEATURE}).encode()
    await road.connection.execute("UPDATE dead_letter SET payload = %s", (mended,))
    outcome = await replayed(road, None)  # by who knows no entities
    assert (outcome.stored, outcome.letters) == (0, 0)
    outcome = await replayed(road, write_related)
    assert (outcome.stored, outcome.letters) == (1, 1)
    assert await road.rows("SELECT number FROM observation") == [(1,)]


def test_what_names_entities_that_are_there_brings_nothing_along() -> None:
    taken = candidate_of(create("v1.1/Datastreams(1)/Observations", {"result": 1, "FeatureOfInterest": {}}), 0, Registry())
    assert not isinstance(taken, Candidate)
    assert Along(message=create("v1.1/Observations", {}), identity=None, timed=taken.timed).timed is False
