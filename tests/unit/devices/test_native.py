"""Native JSON: every poison of delivery.md 8 is refused by its reason, and its neighbours survive."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.decoders.select import decode
from devices.vocabulary import REASONS, UndecodableError

TOPIC = "region/1/default/a/up/json"
GOOD = {"time": "2026-11-22T10:15:00Z", "property": "pm2.5", "value": 12.3, "unit": "ug/m3"}
NOON = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)


def read(payload):
    return decode(TOPIC, payload if isinstance(payload, bytes) else json.dumps(payload).encode(), received_us=0)


def refusal_of(text: bytes) -> str:
    """Put a reading between two good ones, in both the quick and the careful way, and return the reason of its refusal."""
    reasons = set()
    for extra in (b"", b'"note":"\\n",'):
        good = json.dumps(GOOD).encode()
        decoded = read(b"{" + extra + b'"readings":[' + good + b"," + text + b"," + good + b"]}")
        assert [reading.index for reading in decoded.readings] == [0, 2]
        assert [reading.value for reading in decoded.readings] == [12.3, 12.3]
        assert [fault.index for fault in decoded.refused] == [1]
        assert "\0" not in decoded.refused[0].detail
        reasons.add(decoded.refused[0].reason)
    assert len(reasons) == 1
    return reasons.pop()


def with_value(value: bytes) -> bytes:
    return b'{"time":"2026-11-22T10:15:00Z","property":"x","value":' + value + b"}"


def test_a_reading_is_decoded_whole():
    decoded = read(
        {
            "epoch": 3,
            "seq": 1042,
            "first": 1040,
            "readings": [
                {**GOOD, "position": [9.4, 54.8, 12], "parameters": {"line": "4", "deep": [{"x": None}]}},
                {"start": "2026-11-22T10:15:00Z", "end": "2026-11-22T10:30:00Z", "property": "n", "value": [1, "a", True, None]},
            ],
        }
    )
    assert (decoded.epoch, decoded.seq, decoded.first) == (3, 1042, 1040)
    one, two = decoded.readings
    assert (one.index, one.time, one.end, one.property, one.value, one.unit) == (0, NOON, None, "pm2.5", 12.3, "ug/m3")
    assert one.position == (9.4, 54.8, 12.0)
    assert one.parameters == {"line": "4", "deep": [{"x": None}]}
    assert (two.time, two.end, two.value) == (NOON, NOON + timedelta(minutes=15), [1, "a", True, None])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T11:15:00+01:00", NOON),
        ("2026-11-22t10:15:00z", NOON),
        ("2026-11-22 10:15:00Z", NOON),
        ("2026-11-22T10:15:00.123456Z", NOON + timedelta(microseconds=123_456)),
        ("2026-11-22T10:15:00.1234567Z", NOON + timedelta(microseconds=123_457)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_become_aware_utc(text, expected):
    (reading,) = read({"readings": [{**GOOD, "time": text}]}).readings
    assert reading.time == expected
    assert reading.time.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:15:00",
        "2026-11-22",
        "10000-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:15:60Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "yesterday",
        "",
    ],
)
def test_what_is_no_instant_is_a_bad_time(text):
    assert refusal_of(json.dumps({**GOOD, "time": text}).encode()) == "bad_time"


def test_a_number_is_no_time():
    assert refusal_of(json.dumps({**GOOD, "time": 1795342500}).encode()) in {"bad_time", "wrong_type"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": None}, "missing_field"),
        ({"time": None, "start": "2026-11-22T10:15:00Z"}, "missing_field"),
        ({"end": "2026-11-22T11:15:00Z"}, "bad_time"),
        ({"time": None, "start": "2026-11-22T10:15:00Z", "end": "2026-11-22T10:15:00Z"}, "bad_time"),
        ({"property": "PM 2.5"}, "bad_name"),
        ({"property": "../x"}, "bad_name"),
        ({"property": "a" * 64}, "bad_name"),
        ({"property": 5}, "wrong_type"),
        ({"unit": 5}, "wrong_type"),
        ({"unit": "\0"}, "invalid_text"),
        ({"position": [9.4]}, "bad_position"),
        ({"position": [9.4, 54.8, 1, 2]}, "bad_position"),
        ({"position": [180.1, 54.8]}, "bad_position"),
        ({"position": [9.4, -90.1]}, "bad_position"),
        ({"position": [527859.5, 6072000]}, "bad_position"),
        ({"position": "here"}, "bad_position"),
        ({"parameters": []}, "wrong_type"),
        ({"parameters": {"a": "\0"}}, "invalid_text"),
        ({"parameters": {"\0": 1}}, "invalid_text"),
        ({"parameters": {"a": 2**64}}, "out_of_range"),
        ({"value": {"x": 1}}, "wrong_type"),
        ({"value": [[1]]}, "wrong_type"),
        ({"value": [2**53 + 1]}, "out_of_range"),
        ({"value": ["\0"]}, "invalid_text"),
    ],
)
def test_a_field_that_is_wrong_has_its_reason(change, reason):
    assert refusal_of(json.dumps({**GOOD, **change}).encode()) == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"NaN", "not_finite"),
        (b"-Infinity", "not_finite"),
        (b"1e400", "out_of_range"),
        (b"-1e400", "out_of_range"),
        (b"9" * 5_000, "out_of_range"),
        (b"9" * 310, "out_of_range"),
        (b"9007199254740993", "out_of_range"),
        (b"-9007199254740993", "out_of_range"),
        (b'"\\u0000"', "invalid_text"),
        (b'"\\ud800"', "invalid_text"),
        (b'"\\udc00x"', "invalid_text"),
        (b'"\xff"', "invalid_text"),
        (b'"\xed\xa0\x80"', "invalid_text"),
        (b"01", "invalid_json"),
        (b"1 1", "invalid_json"),
        (b"", "invalid_json"),
        (b"tru", "invalid_json"),
        (b'1,"value":2', "duplicate_key"),
        (b"[" * 100_000 + b"]" * 100_000, "wrong_type"),
        (b'1,"note":' + b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'1,"parameters":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "too_deep"),
    ],
)
def test_a_poison_value_has_its_reason(value, reason):
    assert refusal_of(with_value(value)) == reason


@pytest.mark.parametrize(("depth", "fits"), [(16, True), (17, False)])
def test_parameters_have_at_most_sixteen_levels(depth, fits):
    parameters = b'{"a":' * depth + b"1" + b"}" * depth
    decoded = read(b'{"readings":[' + with_value(b'1,"parameters":' + parameters) + b"]}")
    assert (len(decoded.readings), len(decoded.refused)) == ((1, 0) if fits else (0, 1))


@pytest.mark.parametrize("value", [2**53, -(2**53), 0, 1.7e308, 5e-324, "", "ä\n", True, False, None, []])
def test_values_at_the_bounds_are_kept(value):
    (reading,) = read({"readings": [{**GOOD, "value": value}]}).readings
    assert reading.value == value
    assert type(reading.value) is type(value)


def test_a_bracket_or_quote_in_a_string_cuts_nothing():
    texts = ["]", "},{", '"', '\\"],[', "\\", "[{"]
    decoded = read({"readings": [{**GOOD, "value": text} for text in texts] + [{**GOOD, "value": {}}]})
    assert [reading.value for reading in decoded.readings] == texts
    assert [fault.index for fault in decoded.refused] == [6]


@pytest.mark.parametrize("other", [5, None, "x", [], True])
def test_an_element_that_is_no_object_is_refused_alone(other):
    assert refusal_of(json.dumps(other).encode()) == "wrong_type"


def test_unknown_fields_are_tolerated():
    decoded = read({"note": [1], "readings": [{**GOOD, "battery": {"v": 3.1}}]})
    assert len(decoded.readings) == 1


def test_a_key_named_value_elsewhere_is_no_doubled_key():
    decoded = read({"readings": [{**GOOD, "parameters": {"value": 1, "time": 2}}]})
    assert decoded.readings[0].value == 12.3


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"note": "never ends, "readings":[{}]}', "invalid_json"),
        (b'{"note": "never ends', "invalid_json"),
        (b"\xff\xfe{", "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b"[]", "wrong_type"),
        (b"5", "wrong_type"),
        (b"{}", "missing_field"),
        (b'{"readings":5}', "wrong_type"),
        (b'{"readings":null}', "wrong_type"),
        (b'{"readings":[]}', "no_readings"),
        (b'{"readings":[ \n ]}', "no_readings"),
        (b'{"readings":[{}', "invalid_json"),
        (b'{"readings":[{}]', "invalid_json"),
        (b'{"readings":[{}]} x', "invalid_json"),
        (b'{"readings":[{}],"readings":[{}]}', "duplicate_key"),
        (b'{"readings":[' + b"[" * 200_000, "too_deep"),
        (b"[" * 200_000, "wrong_type"),
        (b'"' * 200_000, "wrong_type"),
        (b'{"readings":[' + b'"\\' * 100_000, "invalid_json"),
        (b'{"readings":[' + b"1," * 10_000 + b"1]}", "too_many_readings"),
        (b" " * 262_145, "too_large"),
        (b" " * 262_144, "invalid_json"),
    ],
)
def test_a_message_without_readings_is_undecodable(payload, reason):
    began = time.process_time()
    with pytest.raises(UndecodableError) as caught:
        read(payload)
    assert caught.value.reason == reason
    assert time.process_time() - began < 5


def test_ten_thousand_readings_are_the_most():
    decoded = read(b'{"readings":[' + b"1," * 9_999 + b"1]}")
    assert len(decoded.refused) == 10_000


@pytest.mark.parametrize(
    "identity",
    [
        {"epoch": -1, "seq": 0},
        {"epoch": 1, "seq": 2**63},
        {"epoch": 1},
        {"seq": 1},
        {"first": 1},
        {"epoch": 1, "seq": 1, "first": 2},
        {"epoch": 1.5, "seq": 1},
        {"epoch": "1", "seq": 1},
        {"epoch": True, "seq": 1},
    ],
)
def test_an_identity_that_does_not_hold_makes_a_message_undecodable(identity):
    with pytest.raises(UndecodableError) as caught:
        read({**identity, "readings": [GOOD]})
    assert caught.value.reason == "bad_identity"


@pytest.mark.parametrize("identity", [{"epoch": 0, "seq": 0}, {"epoch": 2**63 - 1, "seq": 2**63 - 1, "first": 2**63 - 1}, {}])
def test_identity_reaches_from_0_to_the_largest_bigint(identity):
    decoded = read({**identity, "readings": [GOOD]})
    assert {k: v for k in ("epoch", "seq", "first") if (v := getattr(decoded, k)) is not None} == identity


times = st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)).map(  # noqa: DTZ001
    lambda t: t.replace(tzinfo=timezone(timedelta(minutes=(t.microsecond % 2880) - 1439)))
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
good_readings = st.fixed_dictionaries(
    {
        "time": times.map(datetime.isoformat),
        "property": st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,62}", fullmatch=True),
        "value": scalars | st.lists(scalars, max_size=4),
    },
    optional={
        "unit": texts,
        "position": st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
        "parameters": st.dictionaries(texts, scalars, max_size=3),
    },
)


@given(st.lists(good_readings, min_size=1, max_size=4), st.booleans())
def test_good_readings_come_out_as_they_went_in(readings, escaped):
    decoded = read(json.dumps({"readings": readings}, ensure_ascii=escaped).encode())
    assert not decoded.refused
    for index, (sent, got) in enumerate(zip(readings, decoded.readings, strict=True)):
        assert (got.index, got.time, got.property, got.value) == (
            index, datetime.fromisoformat(sent["time"]), sent["property"], sent["value"],
        )  # fmt: skip
        assert (got.unit, got.parameters) == (sent.get("unit"), sent.get("parameters"))


def outcome(payload):
    try:
        return read(payload)
    except UndecodableError as error:
        found = error
    assert found.reason in REASONS
    assert "\0" not in found.detail
    assert found.detail.isprintable()
    return found


json_trees = st.recursive(
    scalars | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(list(GOOD)), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.binary() | json_trees.map(lambda tree: json.dumps(tree).encode()) | st.binary().map(lambda b: b'{"readings":[' + b + b"]}")
)
def test_any_bytes_are_decoded_or_undecodable(payload):
    outcome(payload)


@given(st.one_of(json_trees, st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, json_trees))), st.integers(0, 3))
def test_good_neighbours_survive_any_reading(poison, place):
    readings = [GOOD] * 3
    readings.insert(place, poison)
    decoded = outcome(json.dumps({"readings": readings}).encode())
    good = [reading for reading in decoded.readings if reading.index != place]
    assert [reading.value for reading in good] == [12.3] * 3
    assert len(decoded.readings) + len(decoded.refused) == 4
    assert all(fault.reason in REASONS for fault in decoded.refused)
