"""The records of a SenML pack as they stand in the bytes: JSON or CBOR, hardened, not yet resolved."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import cbor2
import msgspec

from devices.decoders import salvage
from devices.decoders.limits import RefusedError, shown
from devices.vocabulary import UndecodableError

_MAX_DEPTH = 8  # a pack is an array of maps; the rest is room for fields that nobody knows
_BASE_LABEL = re.compile(rb'"(bn|bt|bu|bv|bs|bver)"')
_ESCAPED_LABEL = re.compile(rb'"[^"\\]*\\[^"]*"\s*:')  # may be any label
_LABELS = {
    -6: "bs", -5: "bv", -4: "bu", -3: "bt", -2: "bn", -1: "bver",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_DECIMAL_FRACTION, _SELF_DESCRIBED = 4, 55_799
_READ_TAGS = (0, 1, 2, 3, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1_004, 43_000)  # what cbor2 would build
_LARGEST_EXPONENT = 400
_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)


class Broken(msgspec.Struct, frozen=True):
    """A record that could not be read; `bases` are the base fields that it may have set."""

    reason: str
    detail: str
    bases: frozenset[str]


Record = dict[str, Any] | Broken


def from_json(payload: bytes) -> list[Record]:
    """Read a JSON pack; a record that is broken does not harm its neighbours. Raises `UndecodableError`."""
    if b"\\" not in payload:
        try:
            records = _pack_decoder.decode(payload)
        except _ERRORS:
            pass
        else:
            if payload.count(b'":') == sum(map(len, records)):
                return list(records)
    return _salvaged(payload)


_pack_decoder = msgspec.json.Decoder(list[dict[str, Any]])
_record_decoder = msgspec.json.Decoder(dict[str, Any])


def _salvaged(payload: bytes) -> list[Record]:
    pieces = salvage.cut(payload, None)
    try:
        msgspec.json.decode(payload if pieces is None else pieces.around, type=list[Any])
    except _ERRORS as error:
        fault = salvage.refusal(error, payload)
        raise UndecodableError(fault.reason, fault.detail) from None
    return [] if pieces is None else [_json_record(text) for text in pieces.elements]


def _json_record(text: bytes) -> Record:
    try:
        record = _record_decoder.decode(text)
        json.loads(text, object_pairs_hook=_refuse_doubled, parse_int=len, parse_float=len, parse_constant=len)
    except RefusedError as fault:
        return _broken(fault, text)
    except _ERRORS as error:
        return _broken(salvage.refusal(error, text), text)
    return record


def _refuse_doubled(pairs: list[tuple[str, Any]]) -> None:
    if len({label for label, _ in pairs}) != len(pairs):
        raise RefusedError("duplicate_key", "a record has the same label twice")


def _broken(fault: RefusedError, text: bytes) -> Broken:
    hidden = _ESCAPED_LABEL.search(text)
    bases = _LABELS.values() if hidden else (label.decode() for label in _BASE_LABEL.findall(text))
    return Broken(fault.reason, fault.detail, frozenset(label for label in bases if label.startswith("b")))


def from_cbor(payload: bytes) -> list[Record]:
    """Read a CBOR pack; raises `UndecodableError`. Tags but those of decimal fractions are not followed (bombs, references)."""
    stream = io.BytesIO(payload)
    try:
        pack: Any = cbor2.CBORDecoder(
            stream, tag_hook=_unread, semantic_decoders=_SEMANTICS, max_depth=_MAX_DEPTH, allow_duplicate_keys=False
        ).decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise UndecodableError(_cbor_reason(error), f"{error}"[:200]) from None
    if stream.tell() != len(payload):
        raise UndecodableError("invalid_cbor", f"{len(payload) - stream.tell()} bytes after the pack")
    if not isinstance(pack, list):
        raise UndecodableError("wrong_type", "a pack is an array of records")
    return [_cbor_record(item) for item in cast("list[Any]", pack)]


def _cbor_reason(error: Exception) -> str:
    text = f"{error} {error.__cause__ or ''}"
    if "depth" in text:
        return "too_deep"
    if "Duplicate" in text:
        return "duplicate_key"
    return "invalid_text" if "text string" in text else "invalid_cbor"


def _cbor_record(item: Any) -> Record:
    if not isinstance(item, dict):
        return Broken("wrong_type", "a record is a map", frozenset())
    pairs = cast("dict[Any, Any]", item)
    record: dict[str, Any] = {}
    for label, value in pairs.items():
        name = label if isinstance(label, str) else _LABELS.get(label) if type(label) is int else None
        if name is None:
            if isinstance(label, int):
                continue  # a label registered later
            return Broken("wrong_type", f"label {shown(label)} is neither integer nor text", frozenset())
        if name in record:
            return Broken("duplicate_key", f"label {name} stands there as number and as text", frozenset(_bases(pairs)))
        record[name] = value
    return record


def _bases(pairs: dict[Any, Any]) -> list[str]:
    names = [_LABELS.get(label, "") if isinstance(label, int) else str(label) for label in pairs]
    return [name for name in names if name.startswith("b")]


class _Tagged:
    """Stands for a tagged item, whose meaning no SenML field has: refused as a wrong type where it is used."""


def _unread(*_: object) -> _Tagged:
    return _Tagged()


def _decimal_fraction(value: Any, _immutable: object) -> object:
    """Return [exponent, mantissa] as a float (RFC 8949, 3.4.4; allowed by RFC 8428, 6)."""
    match value:
        case [int(exponent), int(mantissa)] if abs(exponent) <= _LARGEST_EXPONENT:
            return float(Decimal(mantissa).scaleb(exponent))
        case _:
            return _Tagged()


def _self(value: Any, _immutable: object) -> Any:
    return value


_SEMANTICS: dict[int, Callable[[Any, bool], Any]] = {
    **dict.fromkeys(_READ_TAGS, _unread),
    _DECIMAL_FRACTION: _decimal_fraction,
    _SELF_DESCRIBED: _self,
}
