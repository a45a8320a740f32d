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
class Reading(msgspec.Struct, frozen=True, kw_only=True):
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
