"""Observations that SensorThings clients create over MQTT (18-088, chapter 14): topic and JSON taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import msgspec

from devices.decoders import salvage
from devices.decoders.limits import MAX_PAYLOAD, RefusedError, check_parameters
from devices.vocabulary import UndecodableError

PREFIX = "v1.1/"
_LARGEST_ID = 2**53 - 1
_TOPIC = re.compile(r"v1\.1/(?:(Datastreams|MultiDatastreams|FeaturesOfInterest)\(([0-9]{1,16})\)/)?Observations")
_FORM = "a time as 2026-11-22T10:15:00Z or with an offset as +01:00"

_Id = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST_ID)]


class _Link(msgspec.Struct, forbid_unknown_fields=True):
    id: _Id = msgspec.field(name="@iot.id")


class _Body(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    result: Any
    phenomenon_time: str | None = None
    result_time: str | None = None
    valid_time: str | None = None
    parameters: dict[str, Any] | None = None
    result_quality: Any = None
    datastream: _Link | None = msgspec.field(default=None, name="Datastream")
    multi_datastream: _Link | None = msgspec.field(default=None, name="MultiDatastream")
    feature: _Link | None = msgspec.field(default=None, name="FeatureOfInterest")


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


_decoder = msgspec.json.Decoder(_Body)


def decode(topic: str, payload: bytes) -> Creation:
    """Take a create apart; raises `UndecodableError` and nothing else, whatever the bytes."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise UndecodableError("bad_topic", "Observations are created on v1.1/Observations or v1.1/Datastreams(1)/Observations")
    if len(payload) > MAX_PAYLOAD:
        raise UndecodableError("too_large", f"{len(payload)} bytes, the limit is {MAX_PAYLOAD}")
    try:
        body = _decoder.decode(payload)
        check_parameters({"result": body.result, "parameters": body.parameters, "resultQuality": body.result_quality})
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


def _agreed(name: str, link: _Link | None, of_topic: int | None) -> int | None:
    if link is not None and of_topic is not None and link.id != of_topic:
        raise RefusedError("wrong_type", f"the topic says {name} {of_topic}, the body says {link.id}")
    return of_topic if link is None else link.id


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
