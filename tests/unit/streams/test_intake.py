from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest_mqtt.contract import RawMessage
from streams.candidate import NAN, Channel
from streams.intake import Accepted, Fault, Intake, Limits, take_in
from streams.registry import Registry

RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LIMITS = Limits(earliest=EARLIEST, ahead=timedelta(days=1))
OUT_OF_RANGE = Fault(reason="store_refused", detail="out of range")
MICROSECOND = timedelta(microseconds=1)
UP = "region/1/default/dev-1/up/json"


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    made._devices = {("default", "dev-1"): {"t": Channel(datastream_id=7, thing_id=3, unit="Cel", feature_id=5)}}
    return made


def reading(value: Any = 20.5, time: datetime | str = RECEIVED, property: str = "t", **more: Any) -> dict[str, Any]:  # noqa: A002
    return {"property": property, "value": value, "time": time if isinstance(time, str) else time.isoformat(), **more}


def message(*readings: dict[str, Any], topic: str = UP, body: dict[str, Any] | None = None, **given: Any) -> RawMessage:
    payload = json.dumps({"readings": list(readings), **(body or {})}).encode()
    return RawMessage(**{"topic": topic, "payload": payload, "received_us": int(RECEIVED.timestamp() * 1e6), **given})


def reasons(intake: Intake) -> list[str]:
    """One for each refused reading: sent = stored + refused."""
    found: list[str] = []
    for letter in intake.letters:
        of_letter = [letter.reason] if letter.refused is None else [refused.reason for refused in letter.refused]
        assert len(of_letter) == letter.readings
        found += of_letter
    return found


def test_a_reading_becomes_a_candidate_of_its_datastream(registry: Registry) -> None:
    intake = take_in([message(reading()), message(reading(21.5), epoch=9, seq=4)], registry, LIMITS)
    first, second = intake.candidates
    assert (first.channel.datastream_id, first.number, first.time, first.received) == (7, 20.5, RECEIVED, RECEIVED)
    assert (first.message, first.item, first.epoch, first.seq, first.feature_id) == (0, 0, None, None, 5)
    assert (second.message, second.item, second.epoch, second.seq) == (1, 0, 9, 4)
    assert (intake.letters, intake.unknown) == ([], set())


@pytest.mark.parametrize(
    ("value", "number", "result", "missing"),
    [(20, 20.0, None, False), ("on", None, '"on"', False), (True, None, "true", False), (None, None, None, True)],
)
def test_numbers_other_results_and_no_value_are_kept_apart(
    registry: Registry, value: Any, number: float | None, result: str | None, missing: bool
) -> None:
    [candidate] = take_in([message(reading(value))], registry, LIMITS).candidates
    assert (candidate.number, candidate.result, candidate.missing) == (number, result, missing)


def test_another_unit_is_converted_and_the_original_kept(registry: Registry) -> None:
    [candidate] = take_in([message(reading(273.25, unit="K", parameters={"a": 1}))], registry, LIMITS).candidates
    assert candidate.number == 0.1
    assert json.loads(candidate.parameters or "") == {"a": 1, "original": {"value": 273.25, "unit": "K"}}


def test_another_name_of_the_same_unit_changes_nothing(registry: Registry) -> None:
    [candidate] = take_in([message(reading(20.5, unit="°C"))], registry, LIMITS).candidates
    assert (candidate.number, candidate.parameters) == (20.5, None)


def test_a_text_with_a_fitting_unit_stays_as_it_is(registry: Registry) -> None:
    [candidate] = take_in([message(reading("low", unit="K"))], registry, LIMITS).candidates
    assert (candidate.result, candidate.parameters) == ('"low"', None)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (reading(unit="m"), "wrong_unit"),
        (reading(unit="furlongs"), "unknown_unit"),
        (reading([1, 2]), "wrong_type"),
        (reading(property="p"), "unknown_property"),
        (reading(time=EARLIEST - MICROSECOND), "bad_time"),
        (reading(time=RECEIVED + timedelta(days=1) + MICROSECOND), "bad_time"),
        (reading(time="yesterday"), "bad_time"),
    ],
)
def test_a_bad_reading_is_refused_and_its_neighbours_are_not(registry: Registry, bad: dict[str, Any], reason: str) -> None:
    intake = take_in([message(reading(1), bad, reading(3))], registry, LIMITS)
    assert [candidate.number for candidate in intake.candidates] == [1.0, 3.0]
    assert reasons(intake) == [reason]
    [letter] = intake.letters
    assert [refused.index for refused in letter.refused or []] == [1]


@pytest.mark.parametrize("time", [EARLIEST, RECEIVED + timedelta(days=1)])
def test_the_ends_of_the_accepted_time_are_accepted(registry: Registry, time: datetime) -> None:
    assert [candidate.time for candidate in take_in([message(reading(time=time))], registry, LIMITS).candidates] == [time]


def test_an_unknown_device_is_named_for_another_look(registry: Registry) -> None:
    intake = take_in([message(reading(), reading(), topic="region/1/default/dev-2/up/json")], registry, LIMITS)
    assert intake.unknown == {("default", "dev-2")}
    assert reasons(intake) == ["unknown_device", "unknown_device"]


def test_an_unknown_property_is_named_for_another_look(registry: Registry) -> None:
    assert take_in([message(reading(property="p"))], registry, LIMITS).unknown == {("default", "dev-1")}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (message(topic="region/1/default/dev-1/down/json"), "bad_topic"),
        (message(reading(), topic="region/1/default/dev-1/up/xml"), "unknown_format"),
        (message(reading(), payload=b"{"), "invalid_json"),
        (message(reading(), refused="bad_identity: seq is negative"), "bad_identity"),
    ],
)
def test_an_undecodable_message_is_one_letter_with_its_bytes(registry: Registry, sent: RawMessage, reason: str) -> None:
    intake = take_in([sent, message(reading())], registry, LIMITS)
    assert len(intake.candidates) == 1
    [letter] = intake.letters
    assert (letter.reason, letter.refused, letter.readings, letter.message.payload) == (reason, None, 1, sent.payload)


def test_the_bridges_reason_is_split_from_its_detail(registry: Registry) -> None:
    [letter] = take_in([message(refused="bad_identity: seq: negative")], registry, LIMITS).letters
    assert (letter.reason, letter.detail) == ("bad_identity", "seq: negative")


def test_what_the_database_refused_before_is_refused_here(registry: Registry) -> None:
    intake = take_in([message(reading(1)), message(reading(2), reading(3))], registry, LIMITS, poison={(1, 0): OUT_OF_RANGE})
    assert [candidate.number for candidate in intake.candidates] == [1.0, 3.0]
    assert [(letter.reason, letter.detail) for letter in intake.letters] == [("store_refused", "out of range")]


def test_an_identity_in_the_body_is_enough(registry: Registry) -> None:
    intake = take_in([message(reading(), body={"epoch": 9, "seq": 4, "first": 2})], registry, LIMITS)
    assert [(c.epoch, c.seq) for c in intake.candidates] == [(9, 4)]
    assert intake.settled == {("default", "dev-1", 9): Accepted(first=2, seqs=[4])}


def test_the_same_identity_twice_is_one(registry: Registry) -> None:
    intake = take_in([message(reading(), body={"epoch": 9, "seq": 4}, epoch=9, seq=4, first=3)], registry, LIMITS)
    assert [(c.epoch, c.seq) for c in intake.candidates] == [(9, 4)]
    assert intake.settled == {("default", "dev-1", 9): Accepted(first=3, seqs=[4])}


@pytest.mark.parametrize("body", [{"epoch": 9, "seq": 5}, {"epoch": 8, "seq": 4}])
def test_different_identities_are_a_dead_letter_that_is_receipted(registry: Registry, body: dict[str, int]) -> None:
    intake = take_in([message(reading(), body=body, epoch=9, seq=4)], registry, LIMITS)
    assert intake.candidates == []
    assert reasons(intake) == ["identity_conflict"]
    assert intake.settled == {("default", "dev-1", 9): Accepted(first=0, seqs=[4])}


def test_receipts_of_a_batch_are_joined_by_device_and_epoch(registry: Registry) -> None:
    sent = [
        message(reading(), epoch=9, seq=4, first=1),
        message(reading(), epoch=9, seq=2, first=3),
        message(reading(), epoch=9, seq=5, first=2),
        message(reading(), epoch=10, seq=0),
        message(reading()),
        message(reading(), epoch=9, seq=0, topic="region/1/default/dev-2/up/json"),
    ]
    assert take_in(sent, registry, LIMITS).settled == {
        ("default", "dev-1", 9): Accepted(first=3, seqs=[4, 2, 5]),
        ("default", "dev-1", 10): Accepted(first=0, seqs=[0]),
        ("default", "dev-2", 9): Accepted(first=0, seqs=[0]),
    }


def test_a_refused_message_with_identity_is_receipted(registry: Registry) -> None:
    intake = take_in([message(payload=b"{", epoch=9, seq=4)], registry, LIMITS)
    assert intake.settled == {("default", "dev-1", 9): Accepted(first=0, seqs=[4])}
    assert intake.letters[0].identity == (9, 4)


def test_a_message_from_no_device_is_not_receipted(registry: Registry) -> None:
    intake = take_in([message(topic="elsewhere", epoch=9, seq=4)], registry, LIMITS)
    assert (intake.settled, intake.letters[0].tenant, intake.letters[0].device) == ({}, None, None)


@pytest.fixture
def wind() -> Registry:
    made = Registry()
    parts = ((0.0, 60.0, NAN, NAN), (0.0, 360.0, NAN, NAN))
    made._devices = {("default", "dev-1"): {"wind": Channel(datastream_id=8, thing_id=3, unit="", parts=parts)}}
    return made


def test_an_array_is_a_result_of_a_multidatastream(wind: Registry) -> None:
    sent = message(reading([8, None], property="wind", parameters={"a": 1}), reading(None, property="wind"))
    whole, missing = take_in([sent], wind, LIMITS).candidates
    assert (whole.number, whole.result, whole.parameters) == (None, "[8,null]", '{"a":1}')
    assert whole.numbers[0] == 8.0
    assert math.isnan(whole.numbers[1])
    assert (missing.result, missing.missing, missing.numbers) == (None, True, ())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (reading([8], property="wind"), "wrong_type"),
        (reading(8, property="wind"), "wrong_type"),
        (reading([8, 270], property="wind", unit="m/s"), "wrong_unit"),
    ],
)
def test_what_does_not_fit_a_multidatastream_is_refused(wind: Registry, bad: dict[str, Any], reason: str) -> None:
    intake = take_in([message(bad)], wind, LIMITS)
    assert (intake.candidates, reasons(intake)) == ([], [reason])


def test_an_observation_that_the_database_refused_before_is_refused_here(registry: Registry) -> None:
    sent = RawMessage(topic="v1.1/Datastreams(1)/Observations", payload=b'{"result": 1}', received_us=0)
    intake = take_in([sent], registry, LIMITS, poison={(0, 0): OUT_OF_RANGE})
    assert (intake.candidates, reasons(intake)) == ([], ["store_refused"])
