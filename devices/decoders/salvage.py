"""Cut broken JSON into the elements of its array, so that good readings survive a bad neighbour.

One pass over the brackets and strings, without recursion and without looking inside a string: linear for any bytes.
"""

from __future__ import annotations

import re

import msgspec

from devices.decoders.limits import MAX_READINGS, RefusedError
from devices.vocabulary import UndecodableError

# The possessive string never backtracks; a quote that opens no whole string is a token of its own, and ends the search.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:"]', re.DOTALL)
_NOT_A_NUMBER = re.compile(rb"[\[:,\s]-?(?:NaN|Infinity|inf|nan)\b")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

_OPEN = frozenset(b"[{")
_CLOSE = frozenset(b"]}")
_QUOTE, _COLON, _COMMA, _BRACKET = b'":,['


class Cut(msgspec.Struct, frozen=True):
    """The text around the array (with `[]` in its place) and the array's elements as bytes."""

    around: bytes
    elements: list[bytes]


def cut(payload: bytes, key: bytes | None) -> Cut | None:
    """Find the array under this key of the outermost object (None: the outermost array itself); None where there is none.

    Raises `UndecodableError` (`too_many_readings`).
    """
    depth = 0
    start = 0 if key is None else _array_of(payload, key)
    elements: list[bytes] = []
    at = -1
    for match in _TOKEN.finditer(payload, start if start >= 0 else len(payload)):
        sign = payload[match.start()]
        if sign in _OPEN:
            depth += 1
            if at < 0:
                if sign != _BRACKET:
                    return None
                start = at = match.end()
                depth = 1
        elif sign in _CLOSE:
            depth -= 1
            if depth == 0:
                elements.append(payload[at : match.start()])
                empty = len(elements) == 1 and not elements[0].strip()
                return Cut(payload[:start] + payload[match.start() :], [] if empty else elements)
        elif sign == _COMMA and depth == 1:
            elements.append(payload[at : match.start()])
            at = match.end()
            if len(elements) >= MAX_READINGS:
                raise UndecodableError("too_many_readings", f"more than {MAX_READINGS} readings")
        elif at < 0 or match[0] == b'"':
            return None
    return None


def _array_of(payload: bytes, key: bytes) -> int:
    """Return where the value of this key of the outermost object begins, or -1."""
    depth = 0
    last = b""
    for match in _TOKEN.finditer(payload):
        sign = payload[match.start()]
        if sign in _OPEN:
            depth += 1
        elif sign in _CLOSE:
            depth -= 1
        elif match[0] == b'"':
            return -1
        elif sign == _QUOTE and depth == 1:
            last = match[0]
        elif sign == _COLON and depth == 1 and last == key:
            return match.end()
    return -1


def refusal(error: Exception, text: bytes) -> RefusedError:
    """Name the reason for which msgspec could not read this text."""
    message = str(error)
    if isinstance(error, RecursionError):
        return RefusedError("too_deep", "nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return RefusedError("invalid_text", "text is not UTF-8")
    if isinstance(error, msgspec.ValidationError):
        return RefusedError(_reason_of(message), message)
    if _SURROGATE.search(text):
        return RefusedError("invalid_text", "text has a lone surrogate")
    if _NOT_A_NUMBER.search(text):
        return RefusedError("not_finite", "NaN and Infinity are no JSON numbers")
    return RefusedError("invalid_json", message)


def _reason_of(message: str) -> str:
    if "out of range" in message:
        return "out_of_range"
    if "missing required field" in message:
        return "missing_field"
    if "datetime" in message:
        return "bad_time"
    if "$.position" in message:
        return "bad_position"
    return "wrong_type"
