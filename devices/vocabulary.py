"""Words that every folder shares: flags, the reading, and the error of bad data."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import msgspec


class Flag(enum.IntEnum):
    """QARTOD's flags (domain.md, "Quality control")."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


# A msgspec Struct instead of a dataclass: the road makes 40,000 of these a second, and a frozen dataclass costs ten times as much.
class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One reading of a message, decoded but not yet judged (decisions.md 1).

    `index` is its place in the message. `time` is aware UTC: the instant, or the start of an interval whose end is `end`.
    `value` is a number, string, boolean, None (stored with flag 9) or a list (MultiDatastream). `unit` is the UCUM code as sent,
    None: the Datastream's. `position` is (lon, lat) or (lon, lat, height in m).
    """

    index: int
    time: datetime
    property: str
    value: float | int | str | bool | list[Any] | None
    end: datetime | None = None
    unit: str | None = None
    position: tuple[float, ...] | None = None
    parameters: dict[str, Any] | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a message that goes to the dead letters: its index, the reason's code and what was wrong."""

    index: int
    reason: str
    detail: str


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """A message taken apart: its good readings, its refused ones, and the identity that its body carried, if any."""

    readings: list[Reading]
    refused: list[Refused]
    epoch: int | None = None
    seq: int | None = None
    first: int | None = None


class UndecodableError(Exception):
    """A whole message that can't be decoded: one dead letter. `reason` is a code of docs/dead-letters.md, `detail` says what."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


# Every code that a dead letter may carry, and what it means; docs/dead-letters.md lists them, a test compares.
REASONS: dict[str, str] = {
    "bad_record": "a record of readings.raw that no bridge wrote",
    "bad_topic": "the topic is not region/1/{tenant}/{device}/up/{format}",
    "unknown_format": "the topic's last level is no known format",
    "too_large": "the payload is longer than 256 KiB",
    "too_many_readings": "the message has more than 10,000 readings",
    "invalid_json": "the text is not JSON (RFC 8259)",
    "invalid_cbor": "the bytes are not one CBOR item (RFC 8949)",
    "invalid_text": "a text is not UTF-8, or has a lone surrogate or a NUL",
    "too_deep": "nested too deeply",
    "duplicate_key": "an object has the same key twice",
    "wrong_type": "a field has a type that it may not have",
    "missing_field": "a field that must be there is not",
    "no_readings": "the message has no reading",
    "bad_identity": "epoch, seq and first are not whole numbers of 0 to 2^63-1 that belong together",
    "bad_name": "the property is no name of a channel",
    "bad_time": "a time is not RFC 3339 with an offset, or does not exist, or an interval does not end after its start",
    "relative_time": "a message with identity carries a time relative to now",
    "bad_position": "the position is not [lon, lat] or [lon, lat, h] on Earth",
    "not_finite": "a number is NaN or infinite",
    "out_of_range": "a number is too large to be kept exactly",
    "unsupported_version": "the SenML version is newer than this platform",
    "must_understand": "a SenML field that must be understood is not",
    "bad_base": "an earlier SenML record's base field was refused, so this record's meaning is unknown",
    "unknown_unit": "the unit is no known UCUM code",
    "wrong_unit": "the unit does not convert to the Datastream's",
    "identity_conflict": "user properties and body name different epochs or seqs",
    "unknown_device": "no Thing is registered as this tenant and device",
    "unknown_property": "the device has no Datastream of this channel",
    "too_old": "the reading is older than what is kept",
    "store_refused": "the database refused the reading",
    "unknown_entity": "there is no such Datastream, MultiDatastream or FeatureOfInterest",
    "refused_entity": "an entity that the Observation brings along can't be created: `detail` says why",
    "no_feature": "the Observation names no FeatureOfInterest, and its Thing has no Location to take one from",
    "quarantined": "the device's last messages were all refused; it is set aside until somebody has looked",
    "bug": "the platform failed on this reading, or on the whole message; `detail` says where",
}
