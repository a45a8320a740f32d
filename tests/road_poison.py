"""Payloads that must end among the dead letters (delivery.md 8), whole or with their neighbours stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import cbor2

_DEEP = "[" * 90 + "]" * 90
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """A payload, how many of its readings are stored and refused, and by which reason."""

    name: str
    payload: bytes = field(repr=False)
    stored: int
    refused: int
    reasons: tuple[str, ...]
    format: str = "json"


class Clock:
    """Gives every reading a time of its own."""

    def __init__(self) -> None:
        self._n = 0

    def text(self) -> str:
        self._n += 1
        return (START + timedelta(seconds=self._n)).isoformat()


def good(clock: Clock) -> str:
    return f'{{"time": "{clock.text()}", "property": "t", "value": 20.5}}'


def poisons() -> list[Poison]:
    """Every kind of poison, some as one bad reading between two good ones."""
    clock = Clock()
    made = [
        Poison(name=name, payload=_between(clock, bad), stored=2, refused=1, reasons=reasons)
        for name, bad, reasons in (
            ("invalid JSON in a reading", '{"time": "@", "property": "t", "value": }', ("invalid_json",)),
            ("NaN", '{"time": "@", "property": "t", "value": NaN}', ("not_finite", "invalid_json")),
            ("Infinity", '{"time": "@", "property": "t", "value": -Infinity}', ("not_finite", "invalid_json")),
            ("1e400", '{"time": "@", "property": "t", "value": 1e400}', ("not_finite", "out_of_range")),
            ("5,000 digits", f'{{"time": "@", "property": "t", "value": {"9" * 5_000}}}', ("out_of_range",)),
            ("an object as value", '{"time": "@", "property": "t", "value": {"a": 1}}', ("wrong_type",)),
            ("a number as property", '{"time": "@", "property": 7, "value": 1}', ("wrong_type",)),
            ("a number as time", '{"time": 5, "property": "t", "value": 1}', ("wrong_type", "bad_time")),
            ("no value", '{"time": "@", "property": "t"}', ("missing_field",)),
            ("a reading that is a number", "5", ("wrong_type",)),
            ("NUL in a text", '{"time": "@", "property": "t", "value": "a\\u0000b"}', ("invalid_text",)),
            ("NUL in parameters", '{"time": "@", "property": "t", "value": 1, "parameters": {"a": "\\u0000"}}', ("invalid_text",)),
            ("a lone surrogate", '{"time": "@", "property": "t", "value": "\\ud800"}', ("invalid_text",)),
            ("year 10000", '{"time": "10000-01-01T00:00:00Z", "property": "t", "value": 1}', ("bad_time",)),
            ("year 0", '{"time": "0000-01-01T00:00:00Z", "property": "t", "value": 1}', ("bad_time",)),
            ("a time without offset", '{"time": "2026-01-01T00:00:00", "property": "t", "value": 1}', ("bad_time",)),
            ("too old", '{"time": "1999-12-31T23:59:59Z", "property": "t", "value": 1}', ("bad_time", "too_old")),
            ("the 30th of February", '{"time": "2026-02-30T00:00:00Z", "property": "t", "value": 1}', ("bad_time",)),
            ("wrong unit", '{"time": "@", "property": "t", "value": 1, "unit": "kg"}', ("wrong_unit",)),
            ("unknown unit", '{"time": "@", "property": "t", "value": 1, "unit": "furlong"}', ("unknown_unit",)),
            ("unknown property", '{"time": "@", "property": "ghost", "value": 1}', ("unknown_property",)),
            ("SQL as property", '{"time": "@", "property": "t\'; DROP TABLE observation; --", "value": 1}', ("bad_name",)),
            ("a key twice", '{"time": "@", "property": "t", "value": 1, "value": 2}', ("duplicate_key",)),
            ("a position outside of Earth", '{"time": "@", "property": "t", "value": 1, "position": [9, 91]}', ("bad_position",)),
            ("deep parameters", f'{{"time": "@", "property": "t", "value": 1, "parameters": {{"a": {_DEEP}}}}}', ("too_deep",)),
        )
    ]  # fmt: skip
    made += [
        Poison(name=name, payload=payload, stored=0, refused=1, reasons=reasons)
        for name, payload, reasons in (
            ("nothing", b"", ("invalid_json",)),
            ("no JSON", b"temperature=5", ("invalid_json",)),
            ("not UTF-8", b'{"readings": [{"property": "\xff\xfe"}]}', ("invalid_text", "invalid_json", "missing_field")),
            ("cut off", b'{"readings": [{"property": "t", ', ("invalid_json",)),
            ("an array", b"[1, 2]", ("wrong_type",)),
            ("no readings", b'{"readings": []}', ("no_readings",)),
            ("200,000 levels", b'{"readings": [{"property": "t", "value": ' + b"[" * 200_000, ("too_deep", "invalid_json")),
            ("200,000 levels alone", b"[" * 200_000, ("too_deep", "invalid_json", "wrong_type")),
            ("120,000 levels, closed", b"[" * 120_000 + b"]" * 120_000, ("too_deep", "wrong_type")),
            ("120,000 objects", b'{"a":' * 40_000 + b"1" + b"}" * 40_000, ("too_deep", "missing_field")),
            ("NUL bytes", b"\0" * 100, ("invalid_json", "invalid_text")),
        )
    ]  # fmt: skip
    first, second = START.timestamp() - 60, START.timestamp() - 59
    pack = cbor2.dumps([{0: "t", 6: first, 2: 1.5}, {0: "t", 6: second, 2: float("nan")}])
    made += [
        Poison(name=name, payload=payload, stored=stored, refused=1, reasons=reasons, format=form)
        for name, payload, stored, reasons, form in (
            ("NaN in CBOR", pack, 1, ("not_finite",), "senml-cbor"),
            ("cut CBOR", pack[:-3], 0, ("invalid_cbor",), "senml-cbor"),
            ("deep CBOR", b"\x81" * 200_000 + b"\x01", 0, ("too_deep", "invalid_cbor"), "senml-cbor"),
            ("deep SenML", b"[" * 200_000, 0, ("too_deep", "invalid_json"), "senml-json"),
        )
    ]
    return made


def _between(clock: Clock, bad: str) -> bytes:
    return f'{{"readings": [{good(clock)}, {bad.replace("@", clock.text())}, {good(clock)}]}}'.encode()
