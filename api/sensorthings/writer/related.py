"""The entities that an Observation brings along over MQTT (18-088, 14.1), checked and written as those of a POST are."""

from __future__ import annotations

from datetime import datetime

from api.body import parse_json
from api.errors import ApiError, UnknownEntityError
from api.sensorthings.writer.address import Collection, near_collection
from api.sensorthings.writer.creator import observation_of
from api.sensorthings.writer.plan import Plan
from api.sensorthings.writer.routes import plan_at
from api.sensorthings.writer.rows import Connection, write_rows
from streams.contract import NewObservation, RefusedRelatedError

_SET = "Observations"


async def write_related(connection: Connection, topic: str, payload: bytes, received: datetime) -> list[NewObservation]:
    """Write all but the Observations of a message, in the open transaction; gives these, that of the message first.

    `topic` is one on which Observations are created. Raises `RefusedRelatedError`.
    """
    plan = Plan()
    try:
        plan_at(plan, _collection(topic), parse_json(payload))
        ids = await write_rows(connection, plan, received)
    except UnknownEntityError as error:
        raise RefusedRelatedError("unknown_entity", error.message) from error
    except ApiError as error:
        raise RefusedRelatedError("refused_entity", error.message) from error
    return [observation_of(row, ids, received) for row in plan.new(_SET)]


def _collection(topic: str) -> Collection:
    """Give the collection that a topic names, as `v1.1/Observations` or `v1.1/Datastreams(1)/Observations`."""
    found = near_collection(topic.partition("/")[2])
    assert found is not None  # the bridge takes no longer addresses
    return found
