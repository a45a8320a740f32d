"""Taking messages in by what the database says now: the registry, and how devices stand."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_mqtt.contract import RawMessage
from streams import standing
from streams.intake import Intake, Limits, Poison, take_in
from streams.queries import query
from streams.registry import Connection, Registry
from streams.watch import due


class Taker:
    """Remembers channels and standings until `changed` is called."""

    def __init__(self, limits: Limits, *, quarantine: bool = True) -> None:
        self._limits = limits
        self._quarantine = quarantine
        self._registry = Registry()
        self._standings: dict[standing.DeviceKey, standing.Standing] = {}
        self._noted: dict[standing.DeviceKey, int] = {}
        self._placeless: set[int] = set()  # Things that have no Location to make a FeatureOfInterest from
        self._stale = True

    @property
    def quarantined(self) -> int:
        """How many devices are quarantined, as far as is remembered."""
        return sum(each.quarantined for each in self._standings.values())

    def changed(self) -> None:
        """Have everything read again before the next messages."""
        self._stale = True

    def stored(self, intake: Intake) -> None:
        """Remember how devices stand after a batch that was committed."""
        self._standings.update({device: after for device, (_, after) in intake.moves.items()})
        self._noted.update({device: seen.stamp_us for device, seen in intake.seen.items()})

    def take(self, messages: Sequence[RawMessage], poison: Poison | None = None) -> Intake:
        """Take the messages in by what is remembered."""
        intake = take_in(messages, self._registry, self._limits, poison, self._standings)
        intake.seen = due(intake.seen, self._noted)
        return intake

    async def take_in(self, connection: Connection, messages: Sequence[RawMessage]) -> Intake:
        """Take the messages in; what is not known is looked up again, and missing FeaturesOfInterest are made."""
        if self._stale:
            self._stale = False  # before the reading: a change meanwhile sets it again
            self._placeless.clear()
            await self._registry.load(connection)
            self._standings = await standing.load(connection) if self._quarantine else {}
        intake = self.take(messages)
        if intake.unknown or intake.unknown_datastreams or intake.unknown_features:  # perhaps registered a moment ago
            await self._registry.refresh(connection, intake.unknown)
            await self._registry.refresh_entities(connection, intake.unknown_datastreams, intake.unknown_features)
            intake = self.take(messages)
        wanting = _without_feature(intake) - self._placeless
        if wanting:  # the first reading from this place
            await connection.execute(query("make_features"), {"things": sorted(wanting)})
            await self._registry.load(connection)
            intake = self.take(messages)
            self._placeless |= _without_feature(intake)
        return intake


def _without_feature(intake: Intake) -> set[int]:
    return {candidate.channel.thing_id for candidate in intake.candidates if candidate.channel.feature_id is None}
