"""Quarantine, bugs and the identity of SensorThings clients, as far as the intake decides them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest_mqtt.contract import RawMessage
from streams import creation, intake
from streams.bugs import describe
from streams.candidate import Channel
from streams.intake import Accepted, Fault, Intake, Limits, take_in
from streams.registry import Registry
from streams.standing import QUARANTINE_AFTER, Standing

RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(earliest=datetime(2000, 1, 1, tzinfo=UTC), ahead=timedelta(days=1))
DEVICE = ("default", "dev-1")


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    channel = Channel(datastream_id=7, thing_id=3, unit="Cel", feature_id=5)
    made._devices = {DEVICE: {"t": channel}}
    made._datastreams = {7: channel}
    return made


def sent(payload: bytes | None = None, *, device: str = "dev-1", channel: str = "t", number: int = 1, **given: Any) -> RawMessage:
    reading = {"property": channel, "value": 1, "time": RECEIVED.isoformat()}
    body = json.dumps({"readings": [reading] * number}).encode() if payload is None else payload
    topic = f"region/1/default/{device}/up/json"
    return RawMessage(**{"topic": topic, "payload": body, "received_us": int(RECEIVED.timestamp() * 1e6), **given})


BAD = sent(b"{")


def after(taken: Intake) -> Standing:
    return taken.moves[DEVICE][1]


def test_refused_messages_in_a_row_are_counted_and_one_good_reading_ends_the_row(registry: Registry) -> None:
    assert after(take_in([BAD, BAD], registry, LIMITS)) == Standing(refused_run=2)
    assert after(take_in([BAD, sent(), BAD], registry, LIMITS)) == Standing(refused_run=1)
    before = {DEVICE: Standing(refused_run=40, newest=(1, 2))}
    ended = take_in([sent()], registry, LIMITS, standings=before).moves
    assert ended == {DEVICE: (before[DEVICE], Standing(newest=(1, 2)))}
    assert take_in([sent()], registry, LIMITS).moves == {}


def test_a_message_that_comes_again_or_late_does_not_count(registry: Registry) -> None:
    def bad(epoch: int, seq: int) -> RawMessage:
        return sent(b"{", epoch=epoch, seq=seq)

    log = [bad(1, 5), bad(1, 6), bad(1, 5), bad(1, 6), bad(1, 4), sent(epoch=1, seq=3), bad(2, 0)]
    assert after(take_in(log, registry, LIMITS)) == Standing(refused_run=3, newest=(2, 0))
    again = take_in([bad(1, 6)], registry, LIMITS, standings={DEVICE: Standing(refused_run=2, newest=(1, 6))})
    assert again.moves == {}
    assert after(take_in([*log, sent(epoch=2, seq=1)], registry, LIMITS)) == Standing(newest=(2, 1))


@pytest.mark.parametrize("cut", [1, QUARANTINE_AFTER - 1, QUARANTINE_AFTER])
def test_the_message_after_a_hundred_refused_ones_is_set_aside_however_the_log_is_cut(registry: Registry, cut: int) -> None:
    log = [BAD] * QUARANTINE_AFTER + [sent(number=3), BAD]
    first = take_in(log[:cut], registry, LIMITS)
    standings = {device: now for device, (_, now) in first.moves.items()}
    second = take_in(log[cut:], registry, LIMITS, standings=standings)
    letters = first.letters + second.letters
    assert [letter.reason for letter in letters[:QUARANTINE_AFTER]] == ["invalid_json"] * QUARANTINE_AFTER
    assert [(letter.reason, letter.readings, letter.refused) for letter in letters[QUARANTINE_AFTER:]] == [
        ("quarantined", 3, None),
        ("quarantined", 1, None),
    ]
    assert second.candidates == []
    assert {**standings, DEVICE: after(second) if second.moves else standings[DEVICE]}[DEVICE].quarantined


def test_one_message_fewer_is_not_enough(registry: Registry) -> None:
    taken = take_in([BAD] * (QUARANTINE_AFTER - 1) + [sent()], registry, LIMITS)
    assert len(taken.candidates) == 1
    assert not after(taken).quarantined


def test_an_unknown_device_never_counts(registry: Registry) -> None:
    assert take_in([sent(device="dev-2")] * (QUARANTINE_AFTER + 1), registry, LIMITS).moves == {}


def test_an_unknown_property_counts(registry: Registry) -> None:
    assert after(take_in([sent(channel="p")], registry, LIMITS)) == Standing(refused_run=1)


def test_a_quarantined_device_gets_its_receipts(registry: Registry) -> None:
    standings = {DEVICE: Standing(refused_run=100, quarantined=True)}
    taken = take_in([sent(epoch=3, seq=4, first=2)], registry, LIMITS, standings=standings)
    assert taken.settled == {(*DEVICE, 3): Accepted(first=2, seqs=[4])}
    assert (taken.letters[0].reason, taken.letters[0].identity, taken.moves) == ("quarantined", (3, 4), {})


def test_messages_that_fail_to_decode_are_named_and_others_are_not(registry: Registry) -> None:
    log = [BAD, sent(), sent(refused="too_large: 1"), sent(device="dev-2"), sent(channel="p"), BAD]
    taken = take_in(log, registry, LIMITS)
    assert (taken.messages, [place for place, _ in taken.failures]) == (6, [0, 5])


def broken(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("out of order")


def test_a_bug_in_decoding_refuses_its_message_alone(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = intake.decode
    monkeypatch.setattr(intake, "decode", lambda t, p, **more: broken() if p == b"bug" else decode(t, p, **more))
    taken = take_in([sent(), sent(b"bug"), sent()], registry, LIMITS)
    assert len(taken.candidates) == 2
    [letter] = taken.letters
    assert (letter.reason, letter.readings) == ("bug", 1)
    assert letter.detail.startswith("ZeroDivisionError: out of order (test_standing.py:")
    assert [place for place, _ in taken.failures] == [1]


def test_a_bug_in_a_reading_refuses_that_reading_alone(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    value = intake._value
    monkeypatch.setattr(intake, "_value", lambda reading, channel: broken() if reading.index == 1 else value(reading, channel))
    taken = take_in([sent(number=3)], registry, LIMITS)
    assert [candidate.item for candidate in taken.candidates] == [0, 2]
    assert [(refused.index, refused.reason) for refused in taken.letters[0].refused or []] == [(1, "bug")]
    assert taken.failures == [(0, sent().topic)]


def test_a_bug_that_the_store_found_is_a_letter_of_its_reading(registry: Registry) -> None:
    taken = take_in([sent(number=2)], registry, LIMITS, poison={(0, 1): Fault(reason="bug", detail="KeyError")})
    assert [candidate.item for candidate in taken.candidates] == [0]
    assert (taken.letters[0].reason, taken.letters[0].readings, len(taken.failures)) == ("bug", 1, 1)


def no_memory(*_: Any, **__: Any) -> Any:
    raise MemoryError


@pytest.mark.parametrize("name", ["decode", "_value"])
def test_a_process_without_memory_blames_no_message(registry: Registry, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(intake, name, no_memory)
    with pytest.raises(MemoryError):
        take_in([sent()], registry, LIMITS)


def created(payload: bytes = b'{"result": 1}', **given: Any) -> RawMessage:
    return RawMessage(**{"topic": "v1.1/Datastreams(7)/Observations", "payload": payload, "received_us": 0, **given})


def test_a_created_observation_of_an_outbox_is_receipted_stored_or_not(registry: Registry) -> None:
    log = [created(epoch=3, seq=0, gateway="fjord"), created(b"{", epoch=3, seq=1, first=1, gateway="fjord")]
    taken = take_in(log, registry, LIMITS)
    assert len(taken.candidates) == 1
    assert taken.settled == {("partner", "fjord", 3): Accepted(first=1, seqs=[0, 1])}
    [letter] = taken.letters
    assert (letter.tenant, letter.device, letter.identity) == ("partner", "fjord", (3, 1))


def test_without_a_gateways_name_a_created_observation_is_not_receipted(registry: Registry) -> None:
    taken = take_in([created(epoch=3, seq=0), created(gateway="fjord"), created(b"{", epoch=3, seq=1)], registry, LIMITS)
    assert taken.settled == {}
    assert (taken.letters[0].device, taken.letters[0].identity) == (None, None)


def test_a_bug_in_a_created_observation_refuses_it_alone(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate_of = creation.candidate_of
    monkeypatch.setattr(
        creation, "candidate_of", lambda m, place, r: broken() if m.payload == b"bug" else candidate_of(m, place, r)
    )
    taken = take_in(
        [created(b"bug"), created(), created(b"{"), created(b'{"result": 1}', refused="too_large: x")], registry, LIMITS
    )
    assert len(taken.candidates) == 1
    assert [letter.reason for letter in taken.letters] == ["bug", "invalid_json", "too_large"]
    assert [place for place, _ in taken.failures] == [0, 2]


def test_what_is_said_of_a_bug_is_short_and_names_the_place() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        broken()
    assert describe(caught.value).startswith("ZeroDivisionError: out of order (test_standing.py:")
    assert describe(ValueError("x" * 10_000)) == ("ValueError: " + "x" * 10_000)[:500]
