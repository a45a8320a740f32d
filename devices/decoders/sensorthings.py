"""Observations that SensorThings clients create over MQTT (18-088, chapter 14): topic and JSON taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from devices.decoders import salvage
from devices.decoders.limits import MAX_PAYLOAD, RefusedError, check_parameters, shown
from devices.vocabulary import UndecodableError

PREFIX = "v1.1/"
_LARGEST_ID = 2**53 - 1
_TOPIC = re.compile(r"v1\.1/(?:(Datastreams|MultiDatastreams|FeaturesOfInterest)\(([0-9]{1,16})\)/)?Observations")
_FORM = "a time as 2026-11-22T10:15:00Z or with an offset as +01:00"

_ID = "@iot.id"
_Entity = dict[str, Any]


class _Body(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    result: Any
    phenomenon_time: str | None = None
    result_time: str | None = None
    valid_time: str | None = None
    parameters: dict[str, Any] | None = None
    result_quality: Any = None
    datastream: _Entity | None = msgspec.field(default=None, name="Datastream")
    multi_datastream: _Entity | None = msgspec.field(default=None, name="MultiDatastream")
    feature: _Entity | None = msgspec.field(default=None, name="FeatureOfInterest")


class Creation(msgspec.Struct, frozen=True, kw_only=True):
    """A new Observation; times are aware UTC. `time` None: the client gave none. `multi`: the id is a MultiDatastream's."""

    datastream_id: int
    multi: bool
    feature_id: int | None
    result: Any
    time: datetime | None = None
    end: datetime | None = None
    result_time: datetime | None = None
    valid_start: datetime | None = None
    valid_end: datetime | None = None
    parameters: dict[str, Any] | None = None
    quality: Any = None


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """A new Observation that brings new entities along (18-088, 14.1 and 10.2.1.2): what they must be, who writes them knows.

    `timed`: it says its phenomenonTime.
    """

    timed: bool


_decoder = msgspec.json.Decoder(_Body)


def decode(topic: str, payload: bytes) -> Creation | Related:
    """Take a create apart; raises `UndecodableError` and nothing else, whatever the bytes."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise UndecodableError("bad_topic", "Observations are created on v1.1/Observations or v1.1/Datastreams(1)/Observations")
    if len(payload) > MAX_PAYLOAD:
        raise UndecodableError("too_large", f"{len(payload)} bytes, the limit is {MAX_PAYLOAD}")
    try:
        body = _decoder.decode(payload)
        entities = [entity for entity in (body.datastream, body.multi_datastream, body.feature) if entity is not None]
        check_parameters(
            {"result": body.result, "parameters": body.parameters, "resultQuality": body.result_quality, "entities": entities}
        )
        if any(_ID not in entity for entity in entities):
            return Related(timed=body.phenomenon_time is not None)
        return _creation(body, found[1], None if found[2] is None else int(found[2]))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        fault = salvage.refusal(error, payload)
        raise UndecodableError(fault.reason, fault.detail) from None
    except RefusedError as fault:
        raise UndecodableError(fault.reason, fault.detail) from None


def _creation(body: _Body, parent: str | None, number: int | None) -> Creation:
    single = _agreed("Datastream", body.datastream, number if parent == "Datastreams" else None)
    multi = _agreed("MultiDatastream", body.multi_datastream, number if parent == "MultiDatastreams" else None)
    if (single is None) == (multi is None):
        raise RefusedError("missing_field", "one of Datastream and MultiDatastream is mandatory")
    time, end = _instant_or_interval(body.phenomenon_time, "phenomenonTime")
    valid_start, valid_end = _instant_or_interval(body.valid_time, "validTime")
    if valid_start is not None and valid_end is None:
        raise RefusedError("bad_time", "validTime must be an interval start/end")
    return Creation(
        datastream_id=cast("int", single if multi is None else multi),
        multi=multi is not None,
        feature_id=_agreed("FeatureOfInterest", body.feature, number if parent == "FeaturesOfInterest" else None),
        result=body.result,
        time=time,
        end=end,
        result_time=None if body.result_time is None else _instant(body.result_time, "resultTime"),
        valid_start=valid_start,
        valid_end=valid_end,
        parameters=body.parameters,
        quality=body.result_quality,
    )


def _agreed(name: str, link: _Entity | None, of_topic: int | None) -> int | None:
    if link is None:
        return of_topic
    number = link[_ID]  # what else stands there is not read: clients send the whole entity that they have at hand
    if type(number) is not int or not 1 <= number <= _LARGEST_ID:
        raise RefusedError("wrong_type", f"{name}.{_ID} {shown(number)} is no id: a whole number above 0")
    if of_topic is not None and number != of_topic:
        raise RefusedError("wrong_type", f"the topic says {name} {of_topic}, the body says {number}")
    return number


def _instant_or_interval(text: str | None, name: str) -> tuple[datetime | None, datetime | None]:
    if text is None:
        return None, None
    first, slash, last = text.partition("/")
    start = _instant(first, name)
    if not slash:
        return start, None
    end = _instant(last, name)
    if end < start:
        raise RefusedError("bad_time", f"{name} ends before it starts")
    return start, end


def _instant(text: str, name: str) -> datetime:
    try:
        time = _to_time(text, type=datetime)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        pass
    raise RefusedError("bad_time", f"{name} must be {_FORM}")


_to_time: Callable[..., datetime] = msgspec.convert
