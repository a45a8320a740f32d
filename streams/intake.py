"""From raw messages to candidates and dead letters: pure but for the registry's memory.

sent = stored + refused, counted in readings (decisions.md 4): each reading of a message becomes a candidate or a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from devices import topics, units
from devices.decoders.select import decode
from devices.vocabulary import Decoded, Reading, Refused, UndecodableError
from ingest_mqtt.contract import RawMessage
from streams import creation
from streams.candidate import Candidate, Channel
from streams.registry import Registry
from streams.values import check_parts, dump_json, numbers_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages with identity a batch settles: (tenant, device, epoch) → lowest seq still held and the seqs."""

    first: int
    seqs: list[int]


class Intake(msgspec.Struct, kw_only=True):
    """What a batch of messages comes to."""

    candidates: list[Candidate] = []
    letters: list[Letter] = []
    settled: dict[tuple[str, str, int], Accepted] = {}
    unknown: set[tuple[str, str]] = set()
    unknown_datastreams: set[int] = set()
    unknown_features: set[int] = set()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Telemetry is accepted from `earliest` to `ahead` after its reception (decisions.md 11)."""

    earliest: datetime
    ahead: timedelta


Poison = Mapping[tuple[int, int], str]


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a message is judged by: the registry, the limits, and readings (message, item) that the database refused before."""

    registry: Registry
    limits: Limits
    poison: Poison


def take_in(messages: Sequence[RawMessage], registry: Registry, limits: Limits, poison: Poison | None = None) -> Intake:
    """Decode the messages and look up their channels; `unknown` names devices whose registration may be newer than the registry."""
    intake = Intake()
    surroundings = Surroundings(registry=registry, limits=limits, poison=poison or {})
    for place, message in enumerate(messages):
        if message.topic.startswith(creation.PREFIX):
            _take_creation(message, place, surroundings, intake)
        else:
            _take_message(message, place, surroundings, intake)
    return intake


def _take_creation(message: RawMessage, place: int, surroundings: Surroundings, intake: Intake) -> None:
    """Take in an Observation that a SensorThings client created."""
    try:
        if (place, 0) in surroundings.poison:
            raise UndecodableError("store_refused", surroundings.poison[place, 0])
        intake.candidates.append(creation.candidate_of(message, place, surroundings.registry))
    except UndecodableError as error:
        intake.letters.append(_whole_letter(message, error.reason, error.detail))
    except creation.UnknownEntityError as error:
        if error.datastream_id is not None:
            intake.unknown_datastreams.add(error.datastream_id)
        if error.feature_id is not None:
            intake.unknown_features.add(error.feature_id)
        intake.letters.append(_whole_letter(message, "unknown_entity", str(error)))


def _whole_letter(message: RawMessage, reason: str, detail: str) -> Letter:
    return Letter(message=message, tenant=None, device=None, identity=None, reason=reason, detail=detail, refused=None, readings=1)


def _take_message(message: RawMessage, place: int, surroundings: Surroundings, intake: Intake) -> None:
    identity = _identity(message.epoch, message.seq)
    tenant = device = None
    first_of_body = 0
    try:
        if message.refused is not None and not message.topic:
            raise _refusal(message.refused)
        topic = topics.parse_up(message.topic)
        tenant, device = topic.tenant, topic.device
        if message.refused is not None:
            raise _refusal(message.refused)
        decoded = decode(message.topic, message.payload, received_us=message.received_us, identified=identity is not None)
        identity = _agreed_identity(identity, decoded)
        first_of_body = decoded.first or 0
    except UndecodableError as error:
        intake.letters.append(
            Letter(
                message=message, tenant=tenant, device=device, identity=identity,
                reason=error.reason, detail=error.detail, refused=None, readings=1,
            )
        )  # fmt: skip
    else:
        source = Source(message=message, place=place, device=(tenant, device), identity=identity)
        _take_readings(source, decoded, surroundings, intake)
    if identity is not None and tenant is not None and device is not None:
        first = message.first if message.first is not None else first_of_body
        _settle(intake, (tenant, device, identity[0]), first, identity[1])


def _refusal(refused: str) -> UndecodableError:
    reason, _, detail = refused.partition(": ")
    return UndecodableError(reason, detail)


def _settle(intake: Intake, key: tuple[str, str, int], first: int, seq: int) -> None:
    known = intake.settled.get(key)
    if known is None:
        intake.settled[key] = Accepted(first=first, seqs=[seq])
        return
    known.seqs.append(seq)
    if first > known.first:
        intake.settled[key] = Accepted(first=first, seqs=known.seqs)


def _identity(epoch: int | None, seq: int | None) -> tuple[int, int] | None:
    return (epoch, seq) if epoch is not None and seq is not None else None


def _agreed_identity(of_message: tuple[int, int] | None, decoded: Decoded) -> tuple[int, int] | None:
    of_body = _identity(decoded.epoch, decoded.seq)
    if of_message is None or of_body is None:
        return of_message or of_body
    if of_message != of_body:
        raise UndecodableError("identity_conflict", f"user properties say {of_message}, the body says {of_body}")
    return of_message


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where readings come from: the message, its place in the batch, its device and its identity."""

    message: RawMessage
    place: int
    device: tuple[str, str]
    identity: tuple[int, int] | None


def _take_readings(source: Source, decoded: Decoded, surroundings: Surroundings, intake: Intake) -> None:
    received = EPOCH + timedelta(microseconds=source.message.received_us)
    earliest, latest = surroundings.limits.earliest, received + surroundings.limits.ahead
    refused = list(decoded.refused)
    channels = surroundings.registry.channels(*source.device)
    poison = surroundings.poison
    for reading in decoded.readings:
        channel = channels.get(reading.property) if channels is not None else None
        if channel is None:
            intake.unknown.add(source.device)
            refused.append(_unknown(reading, source.device, known=channels is not None))
        elif not earliest <= reading.time <= latest:
            detail = f"{reading.time.isoformat()} is not between {earliest.isoformat()} and {latest.isoformat()}"
            refused.append(Refused(index=reading.index, reason="bad_time", detail=detail))
        elif poison and (source.place, reading.index) in poison:
            refused.append(Refused(index=reading.index, reason="store_refused", detail=poison[source.place, reading.index]))
        else:
            try:
                intake.candidates.append(_candidate(reading, channel, received, source))
            except units.UnitError as error:
                refused.append(Refused(index=reading.index, reason=error.reason, detail=error.detail))
    if refused:
        intake.letters.append(_partial_letter(source, refused))


def _unknown(reading: Reading, device: tuple[str, str], *, known: bool) -> Refused:
    if known:
        return Refused(
            index=reading.index, reason="unknown_property", detail=f"{'/'.join(device)} has no channel {reading.property!r}"
        )
    return Refused(index=reading.index, reason="unknown_device", detail=f"no Thing is registered as {'/'.join(device)}")


def _partial_letter(source: Source, refused: list[Refused]) -> Letter:
    return Letter(
        message=source.message, tenant=source.device[0], device=source.device[1], identity=source.identity,
        reason=refused[0].reason, detail=refused[0].detail, refused=refused, readings=len(refused),
    )  # fmt: skip


def _candidate(reading: Reading, channel: Channel, received: datetime, source: Source) -> Candidate:
    number, result, parameters = _value(reading, channel)
    epoch, seq = source.identity or (None, None)
    return Candidate(
        channel=channel, time=reading.time, end=reading.end, received=received, number=number, result=result,
        missing=reading.value is None, numbers=numbers_of(reading.value),
        position=reading.position, parameters=parameters, feature_id=channel.feature_id,
        epoch=epoch, seq=seq, item=reading.index, message=source.place,
    )  # fmt: skip


def _value(reading: Reading, channel: Channel) -> tuple[float | None, str | None, str | None]:
    """Split into number, JSON of any other result, and JSON of the parameters; raises `units.UnitError`."""
    value, parameters = reading.value, reading.parameters
    if isinstance(value, list) or channel.parts is not None:
        check_parts(value, reading.unit, channel)
        return None, dump_json(value) if value is not None else None, dump_json(parameters) if parameters else None
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if reading.unit is not None and reading.unit != channel.unit:
        conversion = units.converter(reading.unit, channel.unit)
        if number is not None and not conversion.identity:
            parameters = {**(parameters or {}), "original": {"value": value, "unit": reading.unit}}
            number = conversion.convert(number)
    result = dump_json(value) if number is None and value is not None else None
    return number, result, dump_json(parameters) if parameters else None
