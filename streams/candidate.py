"""A reading on its way into the store, and the channel that it belongs to."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

import msgspec

from streams.rulebook import RuleBook

NAN = float("nan")


class Kind(IntEnum):
    """What a Datastream's observationType asks of a result (18-088, table 12)."""

    ANY = 0
    NUMBER = 1
    COUNT = 2
    TRUTH = 3


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A Datastream as judging and storing need it. Spans in its unit, places in degrees, NaN: not set."""

    datastream_id: int
    thing_id: int
    unit: str
    fail_low: float = NAN
    fail_high: float = NAN
    suspect_low: float = NAN
    suspect_high: float = NAN
    site_lon: float = NAN
    site_lat: float = NAN
    radius_m: float = 250.0
    box: tuple[float, float, float, float] = (NAN, NAN, NAN, NAN)
    moving: bool = False
    feature_id: int | None = None
    # Of a MultiDatastream: for each part of its results the spans (fail low, high, suspect low, high). None: a Datastream.
    parts: tuple[tuple[float, ...], ...] | None = None
    property_id: int | None = None  # of the ObservedProperty
    rules: RuleBook | None = None  # None: no test looks at the rows around
    kind: Kind = Kind.ANY
    computed: bool = False  # by its formula: nobody else writes to it


# Structs instead of dataclasses, and unseen by the garbage collector: 40,000 of these are made a second.
class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row to be stored, before its flag is known; columns as in infra/migrations/0002. Times aware UTC, JSON as text."""

    channel: Channel
    time: datetime
    received: datetime
    number: float | None
    result: str | None = None
    missing: bool = False
    numbers: tuple[float, ...] = ()  # of a MultiDatastream's result, NaN where a part is none
    end: datetime | None = None
    result_time: datetime | None = None
    valid_start: datetime | None = None
    valid_end: datetime | None = None
    position: tuple[float, ...] | None = None
    parameters: str | None = None
    quality: str | None = None
    feature_id: int | None = None
    id: int | None = None
    discriminator: int | None = 0
    epoch: int | None = None
    seq: int | None = None
    item: int | None = None
    message: int = -1  # its place in the batch
