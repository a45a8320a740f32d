"""Observations created over SensorThings: what the API hands over, why one is refused, and the candidate that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from streams.candidate import Candidate, Channel
from streams.values import dump_json, has_all_parts, numbers_of, split_result


class NewObservation(msgspec.Struct, frozen=True, kw_only=True):
    """An Observation created over SensorThings, already checked against 18-088 by the API.

    Times are aware UTC. `discriminator` None: the row's own id (HTTP POST, always a new entity); a hash of the payload for an
    MQTT create, whose redelivery is then harmless (decisions.md 13). `feature_id` None: that of the Thing's Location.
    """

    datastream_id: int
    phenomenon_time: datetime
    result: Any
    phenomenon_end: datetime | None = None
    result_time: datetime | None = None
    valid_start: datetime | None = None
    valid_end: datetime | None = None
    feature_id: int | None = None
    parameters: Mapping[str, Any] | None = None
    quality: Any = None
    discriminator: int | None = None
    multi: bool = False  # `datastream_id` is a MultiDatastream's


class UnknownDatastreamError(LookupError):
    """The Datastream of a new Observation does not exist; `index` is its place in the request."""

    def __init__(self, index: int, datastream_id: int) -> None:
        super().__init__(f"no Datastream {datastream_id}")
        self.index = index
        self.datastream_id = datastream_id


class NoFeatureError(ValueError):
    """A new Observation names no FeatureOfInterest and its Thing has no Location (18-088, 10.2.1.2)."""

    def __init__(self, index: int) -> None:
        super().__init__("no FeatureOfInterest, and the Thing has no Location")
        self.index = index


class RefusedObservationError(ValueError):
    """The database refuses a new Observation, as it does a time out of its range; the message is safe to show."""

    def __init__(self, index: int, detail: str) -> None:
        super().__init__(detail)
        self.index = index


class UnknownFeatureError(LookupError):
    """The FeatureOfInterest that a new Observation names does not exist."""

    def __init__(self, index: int, feature_id: int) -> None:
        super().__init__(f"no FeatureOfInterest {feature_id}")
        self.index = index
        self.feature_id = feature_id


Written = int | UnknownDatastreamError | UnknownFeatureError | NoFeatureError | RefusedObservationError


def misfit(o: NewObservation, channel: Channel | None, place: int) -> Written | None:
    """Say why an Observation can't belong to its Datastream; None where it can."""
    if channel is None or (channel.parts is not None) != o.multi:
        return UnknownDatastreamError(place, o.datastream_id)
    if channel.computed:
        return RefusedObservationError(place, "the Datastream is computed by its formula")
    if channel.parts is not None and not has_all_parts(o.result, channel):
        return RefusedObservationError(place, f"result must be an array of {len(channel.parts)} elements")
    return None


def candidate_of(o: NewObservation, channel: Channel, feature_id: int, observation_id: int | None, now: datetime) -> Candidate:
    """Give the row that an Observation becomes. `observation_id` None: it is made on insertion, and so is the discriminator."""
    number, result = split_result(o.result)
    return Candidate(
        channel=channel, time=o.phenomenon_time, end=o.phenomenon_end, received=now, number=number, result=result,
        missing=o.result is None, numbers=numbers_of(o.result) if o.multi else (), result_time=o.result_time,
        valid_start=o.valid_start, valid_end=o.valid_end, parameters=dump_json(dict(o.parameters)) if o.parameters else None,
        quality=dump_json(o.quality) if o.quality is not None else None, feature_id=feature_id, id=observation_id,
        discriminator=o.discriminator if o.discriminator is not None else observation_id,
    )  # fmt: skip


def placed(result: Written, place: int) -> Written:
    """Count the place within its own request, not within the shared batch."""
    if not isinstance(result, int):
        result.index = place
    return result
