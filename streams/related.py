"""Observations that bring new entities along, over MQTT (18-088, 14.1 and 10.2.1.2): stored whole, or nothing of it.

What entities are knows the API, whose writer is handed in; judging and storing is the same as for any Observation. A message that
comes twice is written once where it says its phenomenonTime, as any other create is (decisions.md 13).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from streams import creation, store
from streams.candidate import Candidate
from streams.errors import RegistryMovedError
from streams.intake import letter_of_creation
from streams.isolate import fault_of
from streams.letters import digest_of
from streams.new_observation import NewObservation, candidate_of, misfit
from streams.registry import channels_by_id
from streams.store import Connection, StoreLimits
from streams.taken import Along, Letter

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RefusedRelatedError(Exception):
    """What a create brings along can't be written: reason of docs/dead-letters.md, and a detail that is safe to show."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


# From connection, topic, payload and the bridge's stamp: writes the entities in the open transaction and gives the Observations,
# that of the message first. Raises `RefusedRelatedError`.
WriteRelated = Callable[[Connection, str, bytes, datetime], Awaitable[list[NewObservation]]]


async def store_along(
    connection: Connection, along: Sequence[Along], limits: StoreLimits, write: WriteRelated | None
) -> list[Letter]:
    """Write creates with all that they bring along, in the open transaction; gives the letters of those that are refused."""
    if not along:
        return []
    if write is None:
        return [_letter(each, "refused_entity", "this process creates no related entities") for each in along]
    try:
        async with connection.transaction():
            return await _together(connection, along, limits, write)
    except Exception as error:  # noqa: BLE001 - raised again where no reading is the reason
        fault = fault_of(error)
    if len(along) == 1:
        return [_letter(along[0], fault.reason, fault.detail)]
    middle = len(along) // 2
    return [
        *await store_along(connection, along[:middle], limits, write),
        *await store_along(connection, along[middle:], limits, write),
    ]


async def _together(connection: Connection, along: Sequence[Along], limits: StoreLimits, write: WriteRelated) -> list[Letter]:
    candidates: list[Candidate] = []
    letters: list[Letter] = []
    for each in along:
        try:
            async with connection.transaction():
                if not each.timed or await _is_new(connection, each):
                    candidates += await _candidates(connection, each, write)
        except RefusedRelatedError as error:
            letters.append(_letter(each, error.reason, error.detail))
    await connection.execute("DELETE FROM stage")  # of the rows before
    await store.write_rows(connection, candidates, limits)
    return letters


async def _is_new(connection: Connection, each: Along) -> bool:
    cursor = await connection.execute(
        "INSERT INTO created_along (digest, received) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (digest_of(each.message), _received(each)),
    )
    return cursor.rowcount == 1


async def _candidates(connection: Connection, each: Along, write: WriteRelated) -> list[Candidate]:
    message, received = each.message, _received(each)
    observations = await write(connection, message.topic, message.payload, received)
    channels = await channels_by_id(connection, sorted({o.datastream_id for o in observations}))
    made: list[Candidate] = []
    for place, observation in enumerate(observations):
        channel = channels.get(observation.datastream_id)
        refusal = misfit(observation, channel, place)
        if channel is None or refusal is not None:
            raise RefusedRelatedError("refused_entity", str(refusal))
        feature_id = observation.feature_id or channel.feature_id or await _feature_of(connection, channel.thing_id)
        if feature_id is None:
            raise RefusedRelatedError("no_feature", "FeatureOfInterest is missing, and the Thing has no Location to take it from")
        known = msgspec.structs.replace(observation, discriminator=creation.discriminator(message, place))
        made.append(candidate_of(known, channel, feature_id, None, received))
    return made


async def _feature_of(connection: Connection, thing_id: int) -> int | None:
    row = await (await connection.execute("SELECT feature_of_thing(%s)", (thing_id,))).fetchone()
    if row is None:
        raise RegistryMovedError("a Thing was deleted meanwhile")
    return row[0]


def _received(each: Along) -> datetime:
    return EPOCH + timedelta(microseconds=each.message.received_us)


def _letter(each: Along, reason: str, detail: str) -> Letter:
    return letter_of_creation(each.message, each.identity, reason, detail)
