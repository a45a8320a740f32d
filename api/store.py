"""The store of Observations as the API sees it: the streams' own, which judges, aggregates and commits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from api.unit import Connection
from streams.contract import NewObservation, ObservationStore, Values, Written


class Store(Protocol):
    """Writes Observations; calls that come together share a transaction."""

    async def write_observations(self, observations: Sequence[NewObservation], within: Connection | None = None) -> list[Written]:
        """Give for each Observation, in order, its id or why it could not be written.

        Here and below, `within` is the connection of an open transaction that this shall be part of.
        """
        ...

    async def write_shown(self, observations: Sequence[NewObservation]) -> tuple[list[Written], dict[int, bytes]]:
        """Write them; gives besides what readers see of them, by id, where that is at hand."""
        ...

    async def change_observation(self, observation_id: int, values: Values, within: Connection | None = None) -> None:
        """Change an Observation by what `values` says once it is locked; raises `UnknownObservationError`."""
        ...

    async def delete_observation(self, observation_id: int, allow: Values, within: Connection | None = None) -> None:
        """Delete an Observation if `allow` raises nothing once it is locked; raises `UnknownObservationError`."""
        ...

    async def delete_observations(self, ids: Sequence[int], within: Connection | None = None) -> None:
        """Delete Observations."""
        ...

    async def close(self) -> None:
        """Finish what is in flight and give the connections back."""
        ...


# From the database's URL and what a reader sees of an Observation, as SQL.
OpenStore = Callable[[str, bytes], Awaitable[Store]]


async def open_store(database_url: str, shown: bytes) -> Store:
    """Open the streams' store; raises no error while the database is away."""
    return await ObservationStore.open(database_url, shown=shown)
