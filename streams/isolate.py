"""Finding the readings that the store can't take, so that their neighbours are stored (delivery.md 7, decisions.md 5)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import psycopg
from psycopg import Rollback

from streams import store
from streams.bugs import describe
from streams.candidate import Candidate
from streams.errors import StreamsError
from streams.intake import Fault
from streams.sessions import TRANSIENT
from streams.store import StoreLimits

logger = logging.getLogger(__name__)

NEVER_A_READINGS = (*TRANSIENT, StreamsError, MemoryError)

Found = dict[tuple[int, int], Fault]


def fault_of(error: Exception) -> Fault:
    """Say why the store failed on readings; raises the error where no reading can be the reason."""
    if isinstance(error, NEVER_A_READINGS):
        raise error
    if isinstance(error, psycopg.DataError):
        return Fault(reason="store_refused", detail=error.diag.message_primary or "refused by the database")
    return Fault(reason="bug", detail=describe(error))


class Sieve:
    """Tries ever smaller halves of a batch, in transactions that are rolled back."""

    def __init__(self, connection: store.Connection, limits: StoreLimits) -> None:
        self._connection = connection
        self._limits = limits

    async def find(self, candidates: Sequence[Candidate], enough: Callable[[Found], bool] = lambda _: False) -> Found:
        """Name the candidates that the store can't take, as (message, item) → why; the others can be stored together.

        `enough` says of what was found when to look no further.
        """
        found: Found = {}
        await self._halve(candidates, found, enough)
        if enough(found):
            return found
        left = [c for c in candidates if _key(c) not in found]
        if await self._try(left) is not None:  # each alone is well, together they are not
            await self._add([], left, found)
        return found

    async def _halve(self, candidates: Sequence[Candidate], found: Found, enough: Callable[[Found], bool]) -> None:
        if enough(found):
            return
        fault = await self._try(candidates)
        if fault is None:
            return
        if len(candidates) == 1:
            _note(candidates[0], fault, found)
            return
        middle = len(candidates) // 2
        await self._halve(candidates[:middle], found, enough)
        await self._halve(candidates[middle:], found, enough)

    async def _add(self, good: list[Candidate], more: list[Candidate], found: Found) -> list[Candidate]:
        """Give `good` with all of `more` that go with it."""
        fault = await self._try([*good, *more])
        if fault is None:
            return [*good, *more]
        if len(more) == 1:
            _note(more[0], fault, found)
            return good
        middle = len(more) // 2
        good = await self._add(good, more[:middle], found)
        return await self._add(good, more[middle:], found)

    async def _try(self, candidates: Sequence[Candidate]) -> Fault | None:
        try:
            async with self._connection.transaction():
                await store.write_rows(self._connection, candidates, self._limits)
                raise Rollback
        except Exception as error:  # noqa: BLE001 - whatever a reading does, it does it to itself alone
            return fault_of(error)
        return None


def _note(candidate: Candidate, fault: Fault, found: Found) -> None:
    logger.error("%s: reading %s of Datastream %s: %s", fault.reason, candidate.time, candidate.channel.datastream_id, fault.detail)
    found[_key(candidate)] = fault


def _key(candidate: Candidate) -> tuple[int, int]:
    return candidate.message, candidate.item or 0
