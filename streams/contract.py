"""What api and grafana may use of the streams: the one way to write readings, the readable views, the flags.

`write_observations` is the store that the worker uses too: judge, rows, aggregates, summary and news in one transaction
(architecture.md, "The API").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

READABLE_SCHEMA = "read"  # views for readers, infra/migrations/0005
READER_ROLE = "grenzregion_reader"


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


class UnknownDatastreamError(LookupError):
    """The Datastream of a new Observation does not exist; `index` tells which of the batch."""

    def __init__(self, index: int, datastream_id: int) -> None:
        super().__init__(f"no Datastream {datastream_id}")
        self.index = index
        self.datastream_id = datastream_id


class NoFeatureError(ValueError):
    """A new Observation names no FeatureOfInterest and its Thing has no Location (18-088, 10.2.1.2)."""

    def __init__(self, index: int) -> None:
        super().__init__("no FeatureOfInterest, and the Thing has no Location")
        self.index = index
