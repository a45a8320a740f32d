from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.body import DEEPEST, LARGEST_INTEGER, parse_json
from api.errors import InvalidEntityError

NUMBERS = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)


@given(JSON)
def test_what_json_can_say_comes_back(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(InvalidEntityError):
        parse_json(raw)


@given(
    st.lists(
        st.sampled_from(["{", "}", "[", "]", ":", ",", '"a"', '"\\u0000"', '"\\ud800"', "1", "1e999", "NaN", "-", "9" * 30, " "])
    )
)
def test_any_tokens_are_read_or_refused(tokens: list[str]) -> None:
    try:
        value = parse_json("".join(tokens).encode())
    except InvalidEntityError:
        return
    text = json.dumps(value, allow_nan=False)
    assert "\\u0000" not in text
    assert all(not isinstance(v, float) or math.isfinite(v) for v in [value])


def test_depth_on_both_sides() -> None:
    fits = b"[" * DEEPEST + b"]" * DEEPEST
    assert parse_json(fits) is not None
    with pytest.raises(InvalidEntityError, match="deeper"):
        parse_json(b"[" + fits + b"]")
    with pytest.raises(InvalidEntityError, match="deeper"):
        parse_json(b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1))


@pytest.mark.parametrize("integer", [LARGEST_INTEGER, -LARGEST_INTEGER])
def test_integers_on_both_sides(integer: int) -> None:
    assert parse_json(str(integer).encode()) == integer
    beyond = integer + (1 if integer > 0 else -1)
    with pytest.raises(InvalidEntityError, match="64 bits"):
        parse_json(str(beyond).encode())


def test_the_place_of_a_fault_is_named() -> None:
    with pytest.raises(InvalidEntityError) as caught:
        parse_json(b'{"a": [{"b": 1}, {"c": "\\u0000"}]}')
    assert caught.value.field == "a[1].c"
    with pytest.raises(InvalidEntityError) as caught:
        parse_json(b'{"a": {"b": 1, "b": 2}}')
    assert caught.value.field == "b"


def test_a_backslash_before_u0000_is_text() -> None:
    assert parse_json(rb'"\\u0000"') == "\\u0000"
