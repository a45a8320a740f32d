"""What a gateway makes of readings, and what it refuses before the outbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import cbor2
import pytest

from devices.decoders.select import decode
from devices.gateway import InvalidReadingError, TooLargeError, command
from devices.gateway.connection import UserProperties
from devices.gateway.payload import check_size, check_takes_identity, encode, with_identity

NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
READING = {"time": "2026-11-22T10:15:00Z", "property": "t", "value": 1.5, "unit": "Cel"}


@pytest.mark.parametrize("form", ["json", "senml-json", "senml-cbor"])
@pytest.mark.parametrize("value", [1.5, 7, True, "open"])
def test_what_is_encoded_is_what_the_platform_decodes(form, value):
    payload = encode([{**READING, "value": value, "time": NOW}, {**READING, "unit": "W.h"}], form, now=NOW)
    first, second = decode(f"region/1/t/d/up/{form}", payload, received_us=0, identified=True).readings
    assert (first.time, first.property, first.value, first.unit) == (NOW, "t", value, "Cel")
    assert second.unit == "W.h"


def test_a_reading_without_time_is_stamped_once():
    assert json.loads(encode([{"property": "t", "value": 1}], "json", now=NOW))["readings"][0]["time"] == "2026-11-22T10:15:00Z"
    assert cbor2.loads(encode([{"property": "t", "value": 1}], "senml-cbor", now=NOW))[0][6] == NOW.timestamp()


@pytest.mark.parametrize(
    ("reading", "says"),
    [
        ({**READING, "time": "2026-11-22T10:15:00"}, "reading 0: bad_time"),
        ({**READING, "time": datetime(2026, 11, 22)}, "reading 0: bad_time"),  # noqa: DTZ001
        ({**READING, "property": "T"}, "reading 0: bad_name"),
        ({**READING, "value": float("nan")}, "reading 0: not_finite"),
        ({**READING, "value": [1, float("inf")]}, "reading 0: not_finite"),
        ({**READING, "parameters": {"a": float("nan")}}, "reading 0: not_finite"),
        ({**READING, "value": 2**60}, "reading 0: out_of_range"),
        ({**READING, "value": object()}, "not JSON"),
        ({"time": NOW, "property": "t"}, "reading 0: missing_field"),
    ],
)
def test_a_reading_that_the_platform_would_refuse_is_refused(reading, says):
    with pytest.raises(InvalidReadingError, match=says):
        encode([reading], "json", now=NOW)


@pytest.mark.parametrize(
    "reading", [{**READING, "position": [9, 54]}, {**READING, "value": None}, {**READING, "value": [1]}, {**READING, "time": "x"}]
)
def test_what_senml_can_not_say_is_refused(reading):
    with pytest.raises(InvalidReadingError, match="reading 0"):
        encode([reading], "senml-json", now=NOW)


def test_no_readings_and_unknown_formats_are_refused():
    with pytest.raises(InvalidReadingError, match="no_readings"):
        encode([], "json", now=NOW)
    with pytest.raises(ValueError, match="format 'xml'"):
        encode([READING], "xml", now=NOW)


def test_256_kib_are_the_most():
    check_size(b"x" * 262_144)
    check_size(b"x" * 262_134, 10)
    for size, room in ((262_145, 0), (262_135, 10)):
        with pytest.raises(TooLargeError, match=str(size)):
            check_size(b"x" * size, room)


def test_identity_goes_into_a_body():
    payload = encode([READING], "json", now=NOW)
    check_takes_identity(payload, "json")
    largest = 2**63 - 1
    decoded = decode("region/1/t/d/up/json", with_identity(payload, largest, largest, largest), received_us=0)
    assert (decoded.epoch, decoded.seq, decoded.first, len(decoded.readings)) == (largest, largest, largest, 1)


@pytest.mark.parametrize(
    ("payload", "form"), [(b"[]", "json"), (b"{}", "json"), (b"x", "json"), (b'{"seq":1}', "json"), (b'{"a":1}', "senml-json")]
)
def test_a_body_that_takes_no_identity_is_refused(payload, form):
    with pytest.raises(InvalidReadingError, match=r"3\.1\.1"):
        check_takes_identity(payload, form)


def test_user_properties_are_packed_as_the_standard_has_it():
    pytest.importorskip("paho.mqtt.properties")
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.properties import Properties  # noqa: PLC0415

    theirs = Properties(PacketTypes.PUBLISH)
    theirs.UserProperty = [("epoch", str(2**63 - 1)), ("seq", str(2**63 - 1)), ("first", str(2**63 - 1))]
    assert UserProperties(epoch=2**63 - 1, seq=2**63 - 1, first=2**63 - 1).pack() == theirs.pack()


def test_a_value_of_the_command_line_is_json_or_else_text():
    assert command.reading_of("t", "1.5")["value"] == 1.5
    assert command.reading_of("t", "open", "2026-11-22T10:15:00Z", "1") == {
        "property": "t", "value": "open", "time": "2026-11-22T10:15:00Z", "unit": "1",
    }  # fmt: skip
    assert command.reading_of("t", "null") == {"property": "t", "value": None}
