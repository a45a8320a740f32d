"""Native JSON, version 1 (docs/native-json.md): a fast path for messages without a fault, a careful one for all others."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import msgspec

from devices.decoders import salvage
from devices.decoders.limits import (
    MAX_EXACT,
    MAX_IDENTITY,
    MAX_READINGS,
    RefusedError,
    Scalar,
    check_channel,
    check_parameters,
    check_text,
    check_value,
    is_channel,
)
from devices.vocabulary import Decoded, Reading, Refused, UndecodableError

_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_Identity = Annotated[int, msgspec.Meta(ge=0, le=MAX_IDENTITY)]
_MIN_LON, _MAX_LON, _MIN_LAT, _MAX_LAT = -180.0, 180.0, -90.0, 90.0
_OPTIONAL = ("time", "start", "end", "unit", "position", "parameters")
_PLAIN = frozenset({float, bool, str, type(None)})  # an integer's size is looked at; arrays go the careful way
_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)


class _Item(msgspec.Struct):
    property: str
    value: Scalar | list[Scalar]
    time: _Time | None = None
    start: _Time | None = None
    end: _Time | None = None
    unit: str | None = None
    position: Annotated[list[float], msgspec.Meta(min_length=2, max_length=3)] | None = None
    parameters: dict[str, Any] | None = None


class _Message(msgspec.Struct):
    readings: list[_Item]
    epoch: _Identity | None = None
    seq: _Identity | None = None
    first: _Identity | None = None


class _Around(msgspec.Struct):
    """A message whose readings were cut out."""

    readings: list[Any]
    epoch: Any = None
    seq: Any = None
    first: Any = None


_message_decoder = msgspec.json.Decoder(_Message)
_around_decoder = msgspec.json.Decoder(_Around)
_item_decoder = msgspec.json.Decoder(_Item)


def decode(payload: bytes) -> Decoded:
    """Take a message apart; raises `UndecodableError` where there is no reading to be named."""
    return _quickly(payload) or _carefully(payload)


def _quickly(payload: bytes) -> Decoded | None:
    """Decode a message at once, or None: it has a fault, or something (an escape, a doubled key) that hides one."""
    if b"\\" in payload:
        return None
    try:
        message = _message_decoder.decode(payload)
    except _ERRORS:
        return None
    items = message.readings
    if not 0 < len(items) <= MAX_READINGS:
        return None
    readings: list[Reading] = []
    refused: list[Refused] = []
    keys = 0
    for index, item in enumerate(items):
        time, value, unit = item.time, item.value, item.unit
        kind = type(value)
        if (
            time is not None
            and time.tzinfo is UTC
            and (kind in _PLAIN or (kind is int and -MAX_EXACT <= cast("int", value) <= MAX_EXACT))
            and item.position is item.parameters is item.start is item.end is None
            and is_channel(item.property)
        ):
            keys += 3 if unit is None else 4
            readings.append(Reading(index=index, time=time, property=item.property, value=value, unit=unit))
        else:
            keys += sum(getattr(item, key) is not None for key in _OPTIONAL) + 2
            _sort(index, lambda item=item, index=index: _reading(index, item), readings, refused)
    if payload.count(b'":') != keys + _top_keys(message) and _has_doubled_keys(payload, message):
        return None
    return _decoded(readings, refused, message.epoch, message.seq, message.first)


def _top_keys(message: _Message) -> int:
    return 1 + sum(number is not None for number in (message.epoch, message.seq, message.first))


def _has_doubled_keys(payload: bytes, message: _Message) -> bool:
    """Whether a key stands more often in the text than in what was decoded: the decoder keeps the last and says nothing."""
    items = message.readings
    counts = {key: sum(getattr(item, key) is not None for item in items) for key in _OPTIONAL}
    counts |= {key: int(getattr(message, key) is not None) for key in ("epoch", "seq", "first")}
    counts |= {"property": len(items), "value": len(items), "readings": 1}
    return any(payload.count(f'"{key}"'.encode()) != n for key, n in counts.items())


def _carefully(payload: bytes) -> Decoded:
    pieces = salvage.cut(payload, b'"readings"')
    try:
        around = _around_decoder.decode(payload if pieces is None else pieces.around)
        _refuse_doubled(payload if pieces is None else pieces.around)
    except _ERRORS as error:
        fault = salvage.refusal(error, payload)
        raise UndecodableError(fault.reason, fault.detail) from None
    except RefusedError as fault:
        raise UndecodableError(fault.reason, fault.detail) from None
    if pieces is None or not pieces.elements:
        raise UndecodableError("no_readings", "readings is empty")
    readings: list[Reading] = []
    refused: list[Refused] = []
    for index, text in enumerate(pieces.elements):
        _sort(index, lambda text=text, index=index: _reading(index, _item(text)), readings, refused)
    return _decoded(readings, refused, around.epoch, around.seq, around.first)


def _item(text: bytes) -> _Item:
    try:
        item = _item_decoder.decode(text)
        _refuse_doubled(text)
    except _ERRORS as error:
        raise salvage.refusal(error, text) from None
    return item


def _refuse_doubled(text: bytes) -> None:
    """Refuse an object with the same key twice; which one counts is anybody's guess (RFC 8259, 4)."""

    def check(pairs: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in pairs}) != len(pairs):
            raise RefusedError("duplicate_key", "an object has the same key twice")

    json.loads(text, object_pairs_hook=check, parse_int=len, parse_float=len, parse_constant=len)


def _sort(index: int, make: Callable[[], Reading], readings: list[Reading], refused: list[Refused]) -> None:
    try:
        readings.append(make())
    except RefusedError as fault:
        refused.append(Refused(index=index, reason=fault.reason, detail=fault.detail))


def _reading(index: int, item: _Item) -> Reading:
    time, end = _times(item)
    return Reading(
        index=index,
        time=time,
        end=end,
        property=check_channel(item.property),
        value=check_value(item.value),
        unit=None if item.unit is None else check_text(item.unit, "unit"),
        position=None if item.position is None else _position(item.position),
        parameters=None if item.parameters is None else check_parameters(item.parameters),
    )


def _times(item: _Item) -> tuple[datetime, datetime | None]:
    if item.time is not None:
        if item.start is not None or item.end is not None:
            raise RefusedError("bad_time", "a reading has either time or start and end")
        return _utc(item.time), None
    if item.start is None or item.end is None:
        raise RefusedError("missing_field", "a reading needs time, or start and end")
    start, end = _utc(item.start), _utc(item.end)
    if end <= start:
        raise RefusedError("bad_time", "the interval does not end after its start")
    return start, end


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise RefusedError("bad_time", "the time leaves the years 1 to 9999 in UTC") from None


def _position(position: list[float]) -> tuple[float, ...]:
    if not (_MIN_LON <= position[0] <= _MAX_LON and _MIN_LAT <= position[1] <= _MAX_LAT):
        raise RefusedError("bad_position", f"[{position[0]}, {position[1]}] is not [lon, lat] on Earth")
    return tuple(position)


def _decoded(readings: list[Reading], refused: list[Refused], epoch: Any, seq: Any, first: Any) -> Decoded:
    for number in (epoch, seq, first):
        if number is not None and not (type(number) is int and 0 <= number <= MAX_IDENTITY):
            raise UndecodableError("bad_identity", "epoch, seq and first are whole numbers of 0 to 2^63-1")
    if (epoch is None) != (seq is None) or (first is not None and (seq is None or first > seq)):
        raise UndecodableError("bad_identity", "epoch and seq come together, and first is at most seq")
    return Decoded(readings=readings, refused=refused, epoch=epoch, seq=seq, first=first)
