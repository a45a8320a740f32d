"""Observations created over MQTT (18-088, chapter 14): a message becomes a candidate or a refusal.

The discriminator is a hash of topic and payload, so that a message that comes twice is stored once (decisions.md 13); without
`phenomenonTime` the time is the bridge's stamp, and that is not promised.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from devices.decoders import sensorthings
from devices.units import UnitError
from devices.vocabulary import UndecodableError
from ingest_mqtt.contract import RawMessage
from streams.candidate import Candidate, Channel
from streams.registry import Registry
from streams.values import dump_json, has_all_parts, numbers_of, split_result

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PREFIX = sensorthings.PREFIX


class UnknownEntityError(Exception):
    """The Datastream or FeatureOfInterest is not in the registry's memory."""

    def __init__(self, *, datastream_id: int | None = None, feature_id: int | None = None) -> None:
        name = f"Datastream {datastream_id}" if datastream_id is not None else f"FeatureOfInterest {feature_id}"
        super().__init__(f"there is no {name}")
        self.datastream_id = datastream_id
        self.feature_id = feature_id


def candidate_of(message: RawMessage, place: int, registry: Registry) -> Candidate | sensorthings.Related:
    """Give the row of a create, where it brings nothing along; raises `UndecodableError` or `UnknownEntityError`."""
    if message.refused is not None:
        reason, _, detail = message.refused.partition(": ")
        raise UndecodableError(reason, detail)
    creation = sensorthings.decode(message.topic, message.payload)
    if isinstance(creation, sensorthings.Related):
        return creation
    channel = registry.datastream(creation.datastream_id)
    feature_known = creation.feature_id is None or registry.has_feature(creation.feature_id)
    if channel is None or not feature_known:
        raise UnknownEntityError(
            datastream_id=creation.datastream_id if channel is None else None,
            feature_id=None if feature_known else creation.feature_id,
        )
    _check(creation, channel)
    feature_id = creation.feature_id or channel.feature_id
    if feature_id is None:
        raise UndecodableError("no_feature", "FeatureOfInterest is missing, and the Thing has no Location to take it from")
    received = EPOCH + timedelta(microseconds=message.received_us)
    number, result = split_result(creation.result)
    return Candidate(
        channel=channel,
        time=creation.time or received,
        end=creation.end,
        received=received,
        number=number,
        result=result,
        missing=creation.result is None,
        numbers=numbers_of(creation.result) if creation.multi else (),
        result_time=creation.result_time,
        valid_start=creation.valid_start,
        valid_end=creation.valid_end,
        parameters=dump_json(creation.parameters) if creation.parameters else None,
        quality=dump_json(creation.quality) if creation.quality is not None else None,
        feature_id=feature_id,
        discriminator=discriminator(message),
        message=place,
    )


def _check(creation: sensorthings.Creation, channel: Channel) -> None:
    if (channel.parts is not None) != creation.multi:
        singular = "MultiDatastream" if creation.multi else "Datastream"
        raise UndecodableError("unknown_entity", f"there is no {singular} {creation.datastream_id}")
    if channel.computed:
        raise UndecodableError("unknown_entity", f"the Datastream {creation.datastream_id} is computed by its formula")
    if not has_all_parts(creation.result, channel):
        error = UnitError("wrong_type", f"result must be an array of {len(channel.parts or ())} elements")
        raise UndecodableError(error.reason, error.detail)


def discriminator(message: RawMessage, place: int = 0) -> int:
    """Give the same number for the same topic and payload, and place among its Observations: below 0, where no other is."""
    salt = place.to_bytes(16) if place else b""
    digest = hashlib.blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=8, salt=salt).digest()
    return -1 - (int.from_bytes(digest) >> 1)
