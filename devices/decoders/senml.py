"""SenML packs (RFC 8428) in JSON and CBOR, with the versions of RFC 9100 and the secondary units of RFC 8798."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from devices.decoders.limits import MAX_READINGS, RefusedError, check_channel, check_number, check_text, shown
from devices.decoders.senml_pack import Broken, Record
from devices.decoders.senml_units import UCUM
from devices.vocabulary import Decoded, Reading, Refused, UndecodableError

_VERSIONS = frozenset({*range(1, 11), 26})  # 10: RFC 8428; 26 = 10 + 2^4: with secondary units (RFC 9100, 3)
_RELATIVE_BELOW = 2**28  # RFC 8428, 4.5.3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*")
_LAST_PART = re.compile(r"[^:/]*$")

_BASES = ("bn", "bt", "bu", "bv", "bs", "bver")
_VALUES = ("v", "vs", "vb", "vd")
_TEXTS = frozenset({"bn", "bu", "n", "u", "vs"})
_NUMBERS = frozenset({"bt", "bv", "bs", "bver", "v", "s", "t", "ut"})


class _Pack:
    """The base fields in force while the records of a pack are gone through (RFC 8428, 4.6)."""

    def __init__(self, received_us: int, *, identified: bool) -> None:
        self.received_us = received_us
        self.identified = identified
        self.bases: dict[str, Any] = {}
        self.lost: set[str] = set()

    def _take_bases(self, record: dict[str, Any]) -> None:
        """Take over a record's base fields; a refused one makes later records unknowable until it is set again."""
        fault: RefusedError | None = None
        for label in _BASES:
            if label in record:
                try:
                    self.bases[label] = _field(label, record[label])
                    self.lost.discard(label)
                except RefusedError as error:
                    self.lost.add(label)
                    fault = fault or error
        if fault is not None:
            raise fault

    def reading(self, index: int, record: Record) -> Reading | None:
        """Resolve a record into a reading; None for one that carries base fields only."""
        if isinstance(record, Broken):
            self.lost.update(record.bases)
            raise RefusedError(record.reason, record.detail)
        self._take_bases(record)
        self._refuse_unknown(record)
        if not any(label in record for label in (*_VALUES, "s")):
            if all(label.startswith("b") for label in record):
                return None
            raise RefusedError("missing_field", "a record needs one of v, vs, vb, vd or s")
        if self.lost:
            raise RefusedError("bad_base", f"the base fields {', '.join(sorted(self.lost))} in force are unknown")
        fields = {label: _field(label, value) for label, value in record.items() if label in _TEXTS or label in _NUMBERS}
        value, unit, parameters = self._value(record, fields)
        return Reading(
            index=index,
            time=self._time(fields.get("t", 0)),
            property=self._channel(fields.get("n", "")),
            value=value,
            unit=unit,
            parameters=parameters or None,
        )

    def _refuse_unknown(self, record: dict[str, Any]) -> None:
        """Refuse a label that must be understood, as its `_` at the end says (RFC 8428, 4.4)."""
        unknown = [label for label in record if label.endswith("_")]
        self.lost.update(label for label in unknown if label.startswith("b"))
        if unknown:
            raise RefusedError("must_understand", f"field {shown(unknown[0])} must be understood and is not")

    def _value(self, record: dict[str, Any], fields: dict[str, Any]) -> tuple[Any, str | None, dict[str, Any]]:
        given = [label for label in _VALUES if label in record]
        if len(given) > 1:
            raise RefusedError("wrong_type", f"a record has one value, not {' and '.join(given)}")
        unit = fields.get("u", self.bases.get("bu"))
        unit = None if unit is None else UCUM.get(unit, unit)
        parameters = {"update_time": fields["ut"]} if "ut" in fields else {}
        total = _sum(fields["s"], self.bases.get("bs", 0)) if "s" in fields else None
        if not given:  # the sum alone: an integral over time, so its unit is the unit times seconds (RFC 8428, 4.4)
            return total, None if unit is None else f"{unit}.s", parameters
        if total is not None:
            parameters["sum"] = total
        label = given[0]
        if label == "v":
            return _sum(fields["v"], self.bases.get("bv", 0)), unit, parameters
        return {"vs": _text, "vb": _boolean, "vd": _data}[label](record[label]), unit, parameters

    def _time(self, offset: float) -> datetime:
        try:
            micros = _micros(self.bases.get("bt", 0)) + _micros(offset)
            if micros < _RELATIVE_BELOW * 1_000_000:
                if self.identified:
                    raise RefusedError("relative_time", "a message with identity carries absolute times")
                micros += self.received_us
            return _EPOCH + timedelta(microseconds=micros)
        except OverflowError:
            raise RefusedError("bad_time", "the time is not within the years 1 to 9999") from None

    def _channel(self, name: str) -> str:
        whole = f"{self.bases.get('bn', '')}{name}"
        if not _NAME.fullmatch(whole):
            raise RefusedError("bad_name", f"{shown(whole)} is no SenML name")
        last = _LAST_PART.search(whole)
        return check_channel(name if name and not re.search("[:/]", name) else last[0] if last else whole)


def decode(records: list[Record], *, received_us: int, identified: bool) -> Decoded:
    """Resolve a pack's records into readings; a reading's index is its record's place."""
    if not records:
        raise UndecodableError("no_readings", "the pack is empty")
    if len(records) > MAX_READINGS:
        raise UndecodableError("too_many_readings", f"more than {MAX_READINGS} records")
    pack = _Pack(received_us, identified=identified)
    readings: list[Reading] = []
    refused: list[Refused] = []
    for index, record in enumerate(records):
        try:
            reading = pack.reading(index, record)
        except RefusedError as fault:
            refused.append(Refused(index=index, reason=fault.reason, detail=fault.detail))
        else:
            if reading is not None:
                readings.append(reading)
    if not readings and not refused:
        raise UndecodableError("no_readings", "the pack has base fields only")
    return Decoded(readings=readings, refused=refused)


def _field(label: str, value: Any) -> Any:
    if label in _TEXTS:
        return _text(value, label)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError("wrong_type", f"{label} is not a number")
    if label == "bver":
        if value not in _VERSIONS:
            raise RefusedError("unsupported_version", f"SenML version {shown(value)}, known are 1 to 10 and 26")
        return value
    return check_number(value, label)


def _text(value: Any, label: str = "vs") -> str:
    if not isinstance(value, str):
        raise RefusedError("wrong_type", f"{label} is not a string")
    return check_text(value, label)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise RefusedError("wrong_type", "vb is not a boolean")
    return value


def _data(value: Any) -> str:
    """Return a data value as base64url without padding, as SenML JSON has it (RFC 8428, 5.1)."""
    if isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    try:
        raw = base64.b64decode(_text(value, "vd") + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError("wrong_type", "vd is not base64url") from None
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _sum(value: float, base: float) -> float:
    """Add a base value in decimals: 0.1 and 0.2 are 0.3."""
    if not base:
        return value
    if isinstance(value, int) and isinstance(base, int):
        return check_number(value + base)
    return check_number(float(Decimal(repr(value)) + Decimal(repr(base))))


def _micros(seconds: float) -> int:
    return seconds * 1_000_000 if isinstance(seconds, int) else round(seconds * 1e6)
