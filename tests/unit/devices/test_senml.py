"""SenML: the RFC's own vectors, base fields, times, and poison in both encodings."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import units
from devices.decoders.select import decode
from devices.decoders.senml_units import UCUM
from devices.vocabulary import REASONS, UndecodableError

GOLDEN = Path(__file__).parents[2] / "golden" / "senml"
NOW_US = 1_795_342_500_000_000
NOW = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW_US)
BASE = {"bn": "urn:dev:x:", "bt": 1_795_000_000}


def read(pack, form="senml-json", **more):
    if not isinstance(pack, bytes):
        pack = json.dumps(pack).encode() if form == "senml-json" else cbor2.dumps(pack)
    return decode(f"region/1/default/a/up/{form}", pack, received_us=NOW_US, **more)


def undecodable(pack, form="senml-json"):
    with pytest.raises(UndecodableError) as caught:
        read(pack, form)
    return caught.value.reason


def refused(record, **more):
    """Refuse a record between two good ones, in the quick and in the careful way."""
    reasons = set()
    for first in (BASE, {**BASE, "note": "\n"}):
        decoded = read([{**first, "n": "a", "v": 1}, record, {"n": "b", "v": 2}], **more)
        assert [reading.value for reading in decoded.readings] == [1, 2]
        (fault,) = decoded.refused
        assert fault.index == 1
        reasons.add(fault.reason)
    return reasons.pop() if len(reasons) == 1 else reasons


@pytest.mark.parametrize("name", ["ex2", "ex3", "ex4", "ex5", "ex6", "ex8", "ex9", "ex10", "ex11"])
def test_the_examples_of_the_rfc_resolve_as_it_says(name):
    resolved = json.loads((GOLDEN / f"{name}.resolved.json").read_text())
    packs = [("senml-json", GOLDEN / f"{name}.json"), ("senml-cbor", GOLDEN / f"{name}.cbor")]
    for form, path in packs:
        if not path.exists():
            continue
        decoded = read(path.read_bytes(), form)
        assert not decoded.refused
        for reading, expected in zip(decoded.readings, resolved, strict=True):
            assert reading.property == expected["n"].replace("/", ":").split(":")[-1]
            assert reading.value == expected["v"]
            assert reading.unit == UCUM.get(expected["u"], expected["u"])
            if name not in {"ex2", "ex9"}:  # theirs are relative to another now
                assert reading.time.timestamp() == pytest.approx(expected["t"], abs=1e-5)


def test_texts_booleans_and_data_are_values():
    readings = read((GOLDEN / "ex7.json").read_bytes()).readings
    assert [reading.value for reading in readings] == [23.1, "Machine Room", False, "aGkgCg"]
    (data,) = read([{0: "x", 8: b"hi \n"}], "senml-cbor").readings
    assert data.value == "aGkgCg"


def test_base_value_base_sum_and_their_fields_are_added_exactly():
    pack = [{**BASE, "bv": 0.1, "bs": 100, "n": "a", "v": 0.2, "u": "W", "s": 5}, {"n": "b", "s": 1}, {"bv": 2, "n": "c", "v": 3}]
    a, b, c = read(pack).readings
    assert (a.value, a.unit, a.parameters) == (0.3, "W", {"sum": 105})
    assert (b.value, b.unit) == (101, None)
    assert (c.value, type(c.value)) == (5, int)


def test_a_sum_alone_is_in_the_unit_times_seconds():
    (reading,) = read([{**BASE, "n": "energy", "u": "W", "s": 3_600_000}]).readings
    assert units.converter(reading.unit, "kW.h").convert(reading.value) == 1.0


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (0, NOW),
        (-5, NOW - timedelta(seconds=5)),
        (-0.25, NOW - timedelta(milliseconds=250)),
        (2**28 - 1, NOW + timedelta(seconds=2**28 - 1)),
        (2**28, datetime.fromtimestamp(2**28, UTC)),
        (1_276_020_076.001, datetime(2010, 6, 8, 18, 1, 16, 1_000, tzinfo=UTC)),
    ],
)
def test_times_below_2_to_the_28_count_from_the_reception(t, expected):
    (reading,) = read([{"n": "a", "t": t, "v": 1}]).readings
    assert reading.time == expected


def test_a_base_time_and_its_offset_decide_together_what_is_relative():
    (reading,) = read([{"n": "a", "bt": 2**28, "t": -1, "v": 1}]).readings
    assert reading.time == NOW + timedelta(seconds=2**28 - 1)


def test_a_message_with_identity_has_no_relative_times():
    assert refused({"n": "x", "t": -1_795_000_000, "v": 1}, identified=True) == "relative_time"


@pytest.mark.parametrize("name", ["a_b", "urn:dev:x:a_b", "/a_b", "x/y/a_b"])
def test_the_property_is_the_last_part_of_the_name(name):
    (reading,) = read([{"bn": "urn:dev:", "n": name, "v": 1}]).readings
    assert reading.property == "a_b"


def test_the_property_of_a_record_without_name_is_the_base_names_last_part():
    (reading,) = read([{"bn": "urn:dev:x:temp", "v": 1}]).readings
    assert reading.property == "temp"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"n": "Temp", "v": 1}, "bad_name"),
        ({"n": "a b", "v": 1}, "bad_name"),
        ({"n": "", "v": 1}, "bad_name"),
        ({"n": 5, "v": 1}, "wrong_type"),
        ({"n": "x"}, "missing_field"),
        ({}, None),
        ({"n": "x", "v": "1"}, "wrong_type"),
        ({"n": "x", "v": True}, "wrong_type"),
        ({"n": "x", "v": None}, "wrong_type"),
        ({"n": "x", "vs": 1}, "wrong_type"),
        ({"n": "x", "vb": 1}, "wrong_type"),
        ({"n": "x", "vd": "*"}, "wrong_type"),
        ({"n": "x", "v": 1, "vb": True}, "wrong_type"),
        ({"n": "x", "v": 2**53 + 1}, "out_of_range"),
        ({"n": "x", "v": float("nan")}, "not_finite"),
        ({"n": "x", "vs": "\0"}, "invalid_text"),
        ({"n": "x", "vs": "\ud800"}, "invalid_text"),
        ({"n": "x", "v": 1, "u": 5}, "wrong_type"),
        ({"n": "x", "v": 1, "t": "now"}, "wrong_type"),
        ({"n": "x", "v": 1, "t": 1e300}, "bad_time"),
        ({"n": "x", "v": 1, "t": 253_402_300_800}, "bad_time"),
        ({"n": "x", "v": 1, "t": -1e14}, "bad_time"),
        ({"n": "x", "v": 1, "new_": 1}, "must_understand"),
        (5, "wrong_type"),
        ([], "wrong_type"),
    ],
)
def test_a_bad_record_is_refused_alone(record, reason):
    if reason is None:
        assert len(read([{**BASE, "n": "a", "v": 1}, record]).readings) == 1
    else:
        assert refused(record) == reason


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ({"bt": "x"}, "wrong_type"),
        ({"bv": 2**60}, "out_of_range"),
        ({"bver": 11}, "unsupported_version"),
        ({"bx_": 1}, "must_understand"),
    ],
)
def test_after_a_refused_base_field_records_are_unknowable(base, reason):
    decoded = read([{**BASE, "n": "a", "v": 1}, {**base, "n": "b", "v": 1}, {"n": "c", "v": 1}])
    assert [reading.property for reading in decoded.readings] == ["a"]
    assert [fault.reason for fault in decoded.refused] == [reason, "bad_base"]


def test_a_base_field_set_again_heals_the_pack():
    decoded = read([{**BASE, "n": "a", "v": 1}, {"bt": "x", "n": "b", "v": 1}, {"bt": 1_795_000_000, "n": "c", "v": 1}])
    assert [reading.property for reading in decoded.readings] == ["a", "c"]


def test_a_broken_record_that_may_have_set_a_base_field_spoils_the_rest():
    pack = b'[{"bn":"urn:dev:","n":"a","v":1},{"bt":5,"n":"b","v":NaN},{"n":"c","v":1}]'
    assert [fault.reason for fault in read(pack).refused] == ["not_finite", "bad_base"]


@pytest.mark.parametrize("version", [1, 5, 10, 26])
def test_known_versions_are_read(version):
    assert len(read([{**BASE, "bver": version, "n": "a", "v": 1}]).readings) == 1


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        (b"", "invalid_json"),
        (b"[]", "no_readings"),
        (b"{}", "wrong_type"),
        (b"[{]", "invalid_json"),
        (b'[{"bn":"x"}]', "no_readings"),
        (b"[" * 200_000, "too_deep"),
        (b"[" + b"{}," * 10_000 + b"{}]", "too_many_readings"),
        (b'[{"n":"a","v":1}', "invalid_json"),
    ],
)
def test_a_json_pack_without_records_is_undecodable(pack, reason):
    assert undecodable(pack) == reason


def test_a_doubled_label_is_refused():
    decoded = read(b'[{"n":"a","v":1,"v":2},{"n":"b","v":1}]')
    assert ([fault.reason for fault in decoded.refused], len(decoded.readings)) == (["duplicate_key"], 1)


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        (b"", "invalid_cbor"),
        (b"\xff", "invalid_cbor"),
        (b"\x81" * 200_000 + b"\x01", "too_deep"),
        (b"\xd9\xd9\xf7" * 80_000 + b"\x80", "too_deep"),
        (b"\x9b" + struct.pack(">Q", 2**60), "invalid_cbor"),
        (b"\x9a" + struct.pack(">I", 2**32 - 1) + b"\xa0", "invalid_cbor"),
        (b"\xbb" + struct.pack(">Q", 2**63), "invalid_cbor"),
        (b"\x7b" + struct.pack(">Q", 2**63), "invalid_cbor"),
        (b"\x5b" + struct.pack(">Q", 2**64 - 1), "invalid_cbor"),
        (b"\x80\x00", "invalid_cbor"),
        (b"\x80", "no_readings"),
        (b"\xa0", "wrong_type"),
        (b"\x81\xa2\x02\x01\x02\x02", "duplicate_key"),
        (b"\x81\xa2\x00\x62\xff\xfe\x02\x01", "invalid_text"),
        (bytes.fromhex("d81c81d81d00"), "wrong_type"),
    ],
)
def test_cbor_that_is_no_pack_is_undecodable(pack, reason):
    assert undecodable(pack, "senml-cbor") == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not_finite"),
        (float("inf"), "not_finite"),
        (2**64, "wrong_type"),
        (2**63, "out_of_range"),
        (cbor2.CBORTag(4, [10**15, 1]), "wrong_type"),
        (cbor2.CBORTag(5, [10**15, 1]), "wrong_type"),
        (cbor2.CBORTag(30, [1, 3]), "wrong_type"),
        (cbor2.CBORTag(29, 0), "wrong_type"),
        (cbor2.CBORTag(35, "(a+)+"), "wrong_type"),
        (cbor2.CBORTag(4, [400, 1]), "not_finite"),
        (cbor2.undefined, "wrong_type"),
        (cbor2.CBORSimpleValue(99), "wrong_type"),
        (b"x", "wrong_type"),
    ],
)
def test_a_poison_value_in_cbor_spares_its_neighbours(value, reason):
    decoded = read([{-2: "urn:x:", 0: "a", 2: 1}, {0: "b", 2: value}, {0: "c", 2: 2}], "senml-cbor")
    assert [reading.value for reading in decoded.readings] == [1, 2]
    assert [fault.reason for fault in decoded.refused] == [reason]


def test_a_decimal_fraction_is_a_number():
    (reading,) = read([{0: "a", 2: cbor2.CBORTag(4, [-2, 1234])}], "senml-cbor").readings
    assert reading.value == 12.34


def test_a_label_as_number_and_as_text_is_doubled():
    decoded = read([{0: "a", 2: 1, "v": 2}, {0: "b", 2: 1, 99: 5, "l": 1}], "senml-cbor")
    assert ([fault.reason for fault in decoded.refused], len(decoded.readings)) == (["duplicate_key"], 1)


def test_a_record_that_is_no_map_is_refused():
    decoded = read([7, {0: "b", 2: 1}], "senml-cbor")
    assert ([fault.reason for fault in decoded.refused], len(decoded.readings)) == (["wrong_type"], 1)


def test_a_label_that_is_neither_number_nor_text_is_refused():
    decoded = read([{1.5: 1}, {0: "b", 2: 1}], "senml-cbor")
    assert ([fault.reason for fault in decoded.refused], len(decoded.readings)) == (["wrong_type"], 1)


def test_a_pack_may_describe_itself_as_cbor():
    assert len(read(cbor2.CBORTag(55_799, [{0: "a", 2: 1}]), "senml-cbor").readings) == 1


def test_indefinite_lengths_are_read():
    (reading,) = read(bytes.fromhex("9fbf006161 0201ffff"), "senml-cbor").readings
    assert (reading.property, reading.value) == ("a", 1)


@pytest.mark.parametrize("code", sorted({*UCUM.values()}))
def test_every_unit_that_senml_names_map_to_is_known(code):
    assert units.is_known(code)


def outcome(payload, form):
    try:
        return read(payload, form)
    except UndecodableError as error:
        found = error
    assert found.reason in REASONS
    assert "\0" not in found.detail
    return found


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
labels = ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut", "x_"]
json_records = st.dictionaries(st.sampled_from(labels) | st.text(max_size=3), values, max_size=6) | values
cbor_records = st.dictionaries(st.integers(-8, 10) | st.text(max_size=3), values | st.binary(max_size=9), max_size=6) | values


@given(st.binary() | st.lists(json_records, max_size=4).map(lambda pack: json.dumps(pack).encode()))
def test_any_bytes_as_json_are_decoded_or_undecodable(payload):
    outcome(payload, "senml-json")


@given(st.binary() | st.lists(cbor_records, max_size=4).map(cbor2.dumps))
def test_any_bytes_as_cbor_are_decoded_or_undecodable(payload):
    outcome(payload, "senml-cbor")


@given(st.lists(json_records, min_size=1, max_size=5))
def test_every_record_is_a_reading_a_refusal_or_sets_base_fields(pack):
    decoded = outcome(json.dumps(pack).encode(), "senml-json")
    if not isinstance(decoded, UndecodableError):
        seen = sorted([reading.index for reading in decoded.readings] + [fault.index for fault in decoded.refused])
        quiet = [i for i in range(len(pack)) if i not in seen]
        assert len(set(seen)) == len(seen)
        assert all(isinstance(pack[i], dict) and all(label.startswith("b") for label in pack[i]) for i in quiet)
