"""What a batch of messages comes to, and what it is judged by: the data of `streams.intake`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from devices.vocabulary import Refused
from ingest_mqtt.contract import RawMessage
from streams.candidate import Candidate
from streams.standing import DeviceKey, Standing
from streams.watch import Seen


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `dead_letter`; `refused` None: the whole message."""

    message: RawMessage
    tenant: str | None
    device: str | None
    identity: tuple[int, int] | None
    reason: str
    detail: str
    refused: list[Refused] | None
    readings: int


class Along(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a SensorThings client whose Observation brings new entities along; `timed`: it says its phenomenonTime."""

    message: RawMessage
    identity: tuple[int, int] | None
    timed: bool


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages with identity a batch settles: (tenant, device, epoch) → lowest seq still held and the seqs."""

    first: int
    seqs: list[int]


class Intake(msgspec.Struct, kw_only=True):
    """What a batch of messages comes to.

    `failures`: (place, topic) of those of the `messages` that failed to decode or hit a bug. `moves`: how devices stood before and
    after. `created`: how many of those in `along` were stored, known once they are.
    """

    messages: int = 0
    candidates: list[Candidate] = []
    letters: list[Letter] = []
    along: list[Along] = []
    created: int = 0
    settled: dict[tuple[str, str, int], Accepted] = {}
    unknown: set[tuple[str, str]] = set()
    unknown_datastreams: set[int] = set()
    unknown_features: set[int] = set()
    failures: list[tuple[int, str]] = []
    moves: dict[DeviceKey, tuple[Standing, Standing]] = {}
    seen: dict[DeviceKey, Seen] = {}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Telemetry is accepted from `earliest` to `ahead` after its reception (decisions.md 11)."""

    earliest: datetime
    ahead: timedelta


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why the store would not have a reading: `store_refused` or `bug`."""

    reason: str
    detail: str


Poison = Mapping[tuple[int, int], Fault]
