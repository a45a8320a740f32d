"""Readings made into payloads, and checked by the platform's own decoder before they enter the outbox."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import cbor2
import msgspec

from devices import topics
from devices.decoders import select, senml_units
from devices.decoders.limits import MAX_PAYLOAD, RefusedError, check_parameters
from devices.gateway.errors import InvalidReadingError, TooLargeError
from devices.vocabulary import UndecodableError

_SENML = {ucum: name for name, ucum in senml_units.UCUM.items()}
_CBOR = {"n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "t": 6}
_SENML_FIELDS = frozenset({"time", "property", "value", "unit"})
IDENTITY_ROOM = 96  # what `with_identity` adds at most
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_json = msgspec.json.Encoder()


def encode(readings: Iterable[Mapping[str, Any]], form: str, *, now: datetime) -> bytes:
    """Make a payload of readings with the fields of docs/native-json.md; times may be aware datetimes, absent ones are `now`.

    Raises `InvalidReadingError` where the platform would refuse a reading, `TooLargeError` above 256 KiB.
    """
    items = [_stamped(index, reading, now) for index, reading in enumerate(readings)]
    payload = _ENCODERS[_checked(form)](items)
    check_size(payload)
    try:
        decoded = select.decode(f"region/1/t/d/up/{form}", payload, received_us=0, identified=True)
    except UndecodableError as error:
        raise InvalidReadingError(str(error)) from None
    if decoded.refused:
        first = decoded.refused[0]
        raise InvalidReadingError(f"reading {first.index}: {first.reason}: {first.detail}")
    return payload


def check_size(payload: bytes, room: int = 0) -> None:
    """Raise `TooLargeError` for more bytes than the platform takes, `room` of which are needed for something else."""
    if len(payload) > MAX_PAYLOAD - room:
        raise TooLargeError(f"the message has {len(payload)} bytes, the platform takes {MAX_PAYLOAD - room}")


def with_identity(payload: bytes, epoch: int, seq: int, first: int) -> bytes:
    """Put identity into the body of native JSON, for MQTT 3.1.1, which has no user properties."""
    return b'{"epoch":%d,"seq":%d,"first":%d,%b' % (epoch, seq, first, payload.lstrip()[1:])


def check_takes_identity(payload: bytes, form: str) -> None:
    """Raise `InvalidReadingError` where `with_identity` would make no native JSON message."""
    try:
        fields = msgspec.json.decode(payload, type=dict[str, msgspec.Raw]) if form == "json" else {}
    except (msgspec.DecodeError, ValueError, RecursionError):
        fields = {}
    if not fields or not fields.keys().isdisjoint({"epoch", "seq", "first"}):
        raise InvalidReadingError("over MQTT 3.1.1 identity goes into the body: native JSON without epoch, seq and first")


def _checked(form: str) -> str:
    if form not in topics.FORMATS:
        raise ValueError(f"format {form!r}, known are {', '.join(topics.FORMATS)}")
    return form


def _stamped(index: int, reading: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    item = {key: value for key, value in reading.items() if value is not None or key == "value"}
    if "time" not in item and "start" not in item:
        item["time"] = now
    _refuse_not_finite(index, item.get("value"))
    if isinstance(item.get("parameters"), dict):
        try:
            check_parameters(cast("dict[str, Any]", item["parameters"]))
        except RefusedError as fault:
            raise InvalidReadingError(f"reading {index}: {fault.reason}: {fault.detail}") from None
    return item


def _refuse_not_finite(index: int, value: object) -> None:
    """Refuse what an encoder would turn into null without a word."""
    values = cast("Iterable[object]", value) if isinstance(value, list | tuple) else (value,)
    if any(isinstance(number, float) and not math.isfinite(number) for number in values):
        raise InvalidReadingError(f"reading {index}: not_finite: value is not finite")


def _native(items: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        return _json.encode({"readings": items})
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidReadingError(f"not JSON: {error}") from None


def _senml_json(items: Sequence[Mapping[str, Any]]) -> bytes:
    return _json.encode([_record(index, item) for index, item in enumerate(items)])


def _senml_cbor(items: Sequence[Mapping[str, Any]]) -> bytes:
    return cbor2.dumps([{_CBOR[k]: v for k, v in _record(i, item).items()} for i, item in enumerate(items)])


def _record(index: int, item: Mapping[str, Any]) -> dict[str, Any]:
    """Make a SenML record (RFC 8428, 4): instants with one value, and no more fields than SenML has."""
    value: Any = item.get("value")
    kinds: dict[type, str] = {bool: "vb", int: "v", float: "v", str: "vs"}
    if not _SENML_FIELDS.issuperset(item) or type(value) not in kinds:
        raise InvalidReadingError(f"reading {index}: SenML takes time, property, unit and one number, text or boolean")
    record = {"n": item.get("property"), "t": _seconds(index, item["time"]), kinds[type(value)]: value}
    unit = item.get("unit")
    return record if unit is None else {**record, "u": _SENML.get(unit, unit)}


def _seconds(index: int, time: object) -> float:
    if isinstance(time, str):
        try:
            time = msgspec.convert(time, datetime)
        except msgspec.ValidationError:
            time = None
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise InvalidReadingError(f"reading {index}: bad_time: time needs an offset (RFC 3339)")
    return (time - _EPOCH).total_seconds()


_ENCODERS: dict[str, Callable[[Sequence[Mapping[str, Any]]], bytes]] = {
    "json": _native,
    "senml-json": _senml_json,
    "senml-cbor": _senml_cbor,
}
