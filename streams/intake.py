"""From raw messages to candidates and dead letters: pure but for the registry's memory.

sent = stored + refused, counted in readings (decisions.md 4): each reading of a message becomes a candidate or a refusal. An error
that nobody expected refuses its reading, or its message, as a `bug` (decisions.md 5): what others sent is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from devices import topics, units
from devices.decoders.select import decode
from devices.decoders.sensorthings import Related
from devices.topics import PARTNER_TENANT
from devices.vocabulary import Decoded, Reading, Refused, UndecodableError
from ingest_mqtt.contract import RawMessage
from streams import creation
from streams.bugs import describe
from streams.candidate import Candidate, Channel
from streams.registry import Registry
from streams.standing import GOOD, QUARANTINE_AFTER, DeviceKey, Standing, Standings
from streams.taken import Accepted, Along, Fault, Intake, Letter, Limits, Poison
from streams.values import check_parts, dump_json, numbers_of
from streams.watch import Seen

__all__ = ["Accepted", "Fault", "Intake", "Letter", "Limits", "Poison", "dump_json", "numbers_of", "take_in"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a message is judged by; `poison`: readings (message, item) that the store refused before."""

    registry: Registry
    limits: Limits
    poison: Poison
    standings: Standings


def take_in(
    messages: Sequence[RawMessage],
    registry: Registry,
    limits: Limits,
    poison: Poison | None = None,
    standings: Standings | None = None,
) -> Intake:
    """Decode the messages and look up their channels; `unknown` names devices whose registration may be newer than the registry."""
    intake = Intake(messages=len(messages))
    surroundings = Surroundings(registry=registry, limits=limits, poison=poison or {}, standings=standings or {})
    for place, message in enumerate(messages):
        if message.topic.startswith(creation.PREFIX):
            _take_creation(message, place, surroundings, intake)
        else:
            _take_message(message, place, surroundings, intake)
    return intake


def _take_creation(message: RawMessage, place: int, surroundings: Surroundings, intake: Intake) -> None:
    """Take in an Observation that a SensorThings client created; its outbox, if it names one, gets receipts."""
    identity = _identity(message.epoch, message.seq) if message.gateway is not None else None
    fault = surroundings.poison.get((place, 0)) if surroundings.poison else None
    try:
        if fault is not None:
            raise UndecodableError(fault.reason, fault.detail)
        created = _created(message, place, surroundings.registry)
        if isinstance(created, Candidate):
            intake.candidates.append(created)
        else:
            intake.along.append(Along(message=message, identity=identity, timed=created.timed))
    except UndecodableError as error:
        if message.refused is None and error.reason not in REFUSED_BY_REGISTRY:
            intake.failures.append((place, message.topic))
        intake.letters.append(letter_of_creation(message, identity, error.reason, error.detail))
    except creation.UnknownEntityError as error:
        if error.datastream_id is not None:
            intake.unknown_datastreams.add(error.datastream_id)
        if error.feature_id is not None:
            intake.unknown_features.add(error.feature_id)
        intake.letters.append(letter_of_creation(message, identity, "unknown_entity", str(error)))
    if identity is not None and message.gateway is not None:
        _settle(intake, (PARTNER_TENANT, message.gateway, identity[0]), message.first or 0, identity[1])


def _created(message: RawMessage, place: int, registry: Registry) -> Candidate | Related:
    try:
        return creation.candidate_of(message, place, registry)
    except (UndecodableError, creation.UnknownEntityError, MemoryError):
        raise
    except Exception as error:
        raise UndecodableError("bug", describe(error)) from error


# What a SensorThings client may have got wrong although the message itself can be read.
REFUSED_BY_REGISTRY = ("unknown_entity", "no_feature", "wrong_type", "store_refused")


def letter_of_creation(message: RawMessage, identity: tuple[int, int] | None, reason: str, detail: str) -> Letter:
    """Give the letter of a create that is refused."""
    tenant, device = (PARTNER_TENANT, message.gateway) if identity is not None else (None, None)
    return Letter(
        message=message, tenant=tenant, device=device, identity=identity, reason=reason, detail=detail, refused=None, readings=1
    )


def _take_message(message: RawMessage, place: int, surroundings: Surroundings, intake: Intake) -> None:
    identity = _identity(message.epoch, message.seq)
    tenant = device = ""
    decoded = None
    reason = detail = ""
    try:
        if message.refused is not None and not message.topic:
            raise _refusal(message.refused)
        topic = topics.parse_up(message.topic)
        tenant, device = topic.tenant, topic.device
        if message.refused is not None:
            raise _refusal(message.refused)
        read = _decode(message, identified=identity is not None)
        identity = _agreed_identity(identity, read)
        decoded = read
    except UndecodableError as error:
        reason, detail = error.reason, error.detail
    source = Source(message=message, place=place, device=(tenant, device), identity=identity)
    if not tenant:
        intake.letters.append(_whole_letter(source, reason, detail))
        return
    seen = intake.seen.get(source.device) or intake.seen.setdefault(source.device, Seen(message.received_us))
    seen.see(message.received_us, decoded)
    standing = _standing(source.device, surroundings, intake) if surroundings.standings or intake.moves else GOOD
    if standing.quarantined:
        _set_aside(source, decoded, detail, intake)
    elif decoded is None:
        _refuse(source, reason, detail, standing, surroundings, intake)
    else:
        _take_readings(source, decoded, standing, surroundings, intake)
    if identity is not None:
        first_of_body = decoded.first or 0 if decoded is not None else 0
        _settle(intake, (*source.device, identity[0]), message.first if message.first is not None else first_of_body, identity[1])


def _decode(message: RawMessage, *, identified: bool) -> Decoded:
    try:
        return decode(message.topic, message.payload, received_us=message.received_us, identified=identified)
    except (UndecodableError, MemoryError):
        raise
    except Exception as error:
        raise UndecodableError("bug", describe(error)) from error


def _refuse(source: Source, reason: str, detail: str, standing: Standing, surroundings: Surroundings, intake: Intake) -> None:
    """Refuse a whole message."""
    intake.letters.append(_whole_letter(source, reason, detail))
    if source.message.refused is None:
        intake.failures.append((source.place, source.message.topic))
    _move(source, standing, surroundings, intake, refused=True)


def _standing(device: DeviceKey, surroundings: Surroundings, intake: Intake) -> Standing:
    moved = intake.moves.get(device)
    return moved[1] if moved is not None else surroundings.standings.get(device, GOOD)


def _move(source: Source, standing: Standing, surroundings: Surroundings, intake: Intake, *, refused: bool) -> None:
    after = standing.after(source.identity, refused=refused)
    if after is not standing:
        intake.moves[source.device] = surroundings.standings.get(source.device, GOOD), after


def _set_aside(source: Source, decoded: Decoded | None, detail: str, intake: Intake) -> None:
    """Refuse a message of a quarantined device, with as many readings as it has."""
    readings = len(decoded.readings) + len(decoded.refused) if decoded is not None else 1
    said = f"the last {QUARANTINE_AFTER} messages of {'/'.join(source.device)} before were all refused" + (
        f"; this one: {detail}" if detail else ""
    )
    intake.letters.append(_whole_letter(source, "quarantined", said, readings))


def _whole_letter(source: Source, reason: str, detail: str, readings: int = 1) -> Letter:
    return Letter(
        message=source.message, tenant=source.device[0] or None, device=source.device[1] or None, identity=source.identity,
        reason=reason, detail=detail, refused=None, readings=readings,
    )  # fmt: skip


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
    device: DeviceKey
    identity: tuple[int, int] | None


def _take_readings(source: Source, decoded: Decoded, standing: Standing, surroundings: Surroundings, intake: Intake) -> None:
    received = EPOCH + timedelta(microseconds=source.message.received_us)
    earliest, latest = surroundings.limits.earliest, received + surroundings.limits.ahead
    refused = list(decoded.refused)
    channels = surroundings.registry.channels(*source.device)
    stored = len(intake.candidates)
    for reading in decoded.readings:
        channel = channels.get(reading.property) if channels is not None else None
        if channel is None:
            intake.unknown.add(source.device)
            refused.append(_unknown(reading, source.device, known=channels is not None))
        elif not earliest <= reading.time <= latest:
            detail = f"{reading.time.isoformat()} is not between {earliest.isoformat()} and {latest.isoformat()}"
            refused.append(Refused(index=reading.index, reason="bad_time", detail=detail))
        else:
            taken = _take_reading(reading, channel, received, source, surroundings.poison)
            if isinstance(taken, Candidate):
                intake.candidates.append(taken)
            else:
                refused.append(taken)
    if refused:
        intake.letters.append(_partial_letter(source, refused))
        if any(each.reason == "bug" for each in refused):
            intake.failures.append((source.place, source.message.topic))
    if len(intake.candidates) > stored:
        if standing.refused_run:
            _move(source, standing, surroundings, intake, refused=False)
    elif channels is not None:  # an unknown device never counts
        _move(source, standing, surroundings, intake, refused=True)


def _take_reading(reading: Reading, channel: Channel, received: datetime, source: Source, poison: Poison) -> Candidate | Refused:
    fault = poison.get((source.place, reading.index)) if poison else None
    try:
        if fault is None:
            return _candidate(reading, channel, received, source)
    except units.UnitError as error:
        return Refused(index=reading.index, reason=error.reason, detail=error.detail)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - decisions.md 5
        return Refused(index=reading.index, reason="bug", detail=describe(error))
    return Refused(index=reading.index, reason=fault.reason, detail=fault.detail)


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
