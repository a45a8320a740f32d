"""The published schema, its documentation's examples and the decoder say the same."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.decoders.select import decode
from devices.vocabulary import REASONS, UndecodableError

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "schema" / "native-json-v1.schema.json").read_text())
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", (DOCS / "native-json.md").read_text(), re.DOTALL)]

checker = jsonschema.FormatChecker(formats=())


@checker.checks("date-time", raises=ValueError)
def is_a_time_that_exists(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text.upper()) is not None


validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=checker)


def is_accepted(message: object) -> bool:
    try:
        return not decode("region/1/t/d/up/json", json.dumps(message).encode(), received_us=0).refused
    except UndecodableError:
        return False


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_documented_examples_hold(example):
    validator.validate(example)
    assert is_accepted(example)


def test_there_are_examples():
    assert len(EXAMPLES) == 2


times = st.sampled_from([
    None, "2026-11-22T10:15:00Z", "2026-11-22t10:15:00.5z",
    "2026-11-22T10:15:00+01:00", "2026-11-22 10:15:00-0130",
    "2026-11-22T10:15:00", "2026-11-22", "2026-02-30T10:15:00Z", "2026-11-22T24:15:00Z", "2026-11-22T10:15:60Z",
    "10000-01-01T00:00:00Z",
    "2026-11-22T10:15Z", "x", 5, True,
])  # fmt: skip
scalars = st.sampled_from([None, True, 0, -1, 2**53, 12.5, 1e300, "", "open"])
wrong = st.sampled_from([{}, {"a": 1}, [[1]], [{}]])
readings = st.fixed_dictionaries(
    {},
    optional={
        "time": times,
        "start": st.sampled_from([None, "2026-11-22T10:00:00Z", "x"]),
        "end": st.sampled_from([None, "2026-11-22T10:15:00Z", 5]),
        "property": st.sampled_from(["pm2.5", "a" * 63, "a" * 64, "A", "", "_a", "ä", 5, None]),
        "value": scalars | st.lists(scalars, max_size=2) | wrong,
        "unit": st.sampled_from([None, "Cel", "", "\0", 5]),
        "position": st.sampled_from(
            [None, [9, 54], [9.5, 54.5, -1], [9], [9, 54, 1, 2], [181, 54], [9, 91], ["9", 54], {}, [9, None]]
        ),
        "parameters": st.sampled_from([None, {}, {"a": [1, {"b": None}]}, [], "x"]),
        "note": scalars,
    },
)
mostly_good = st.fixed_dictionaries({"property": st.just("pm2.5"), "value": scalars, "time": st.just("2026-11-22T10:15:00Z")})
identity = st.sampled_from([None, 0, 7, 2**63 - 1, 2**63, -1, 1.5, "1", True])
messages = st.fixed_dictionaries(
    {},
    optional={
        "readings": st.lists(mostly_good | readings, max_size=3) | st.sampled_from([None, 5, {}]),
        "epoch": identity,
        "seq": st.sampled_from([None, 7, 2**63 - 1, -1, "1"]),
        "first": st.sampled_from([None, 0, 7, -1, "1"]),
        "note": scalars,
    },
)


@given(messages | scalars | st.lists(readings, max_size=1))
def test_schema_and_decoder_accept_the_same(message):
    assert validator.is_valid(message) == is_accepted(message)


@given(readings, st.sampled_from([{}, {"time": "2026-11-22T10:15:00Z", "property": "x", "value": 1}]))
def test_schema_and_decoder_accept_the_same_reading(reading, ground):
    message = {"readings": [{**ground, **reading}]}
    assert validator.is_valid(message) == is_accepted(message)


def test_every_reason_is_documented_and_no_other():
    documented = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", (DOCS / "dead-letters.md").read_text(), re.MULTILINE))
    assert documented == REASONS
