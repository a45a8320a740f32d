"""Finding the reading that the database refuses, so that its neighbours are stored (delivery.md 7)."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import Rollback

from streams import store
from streams.candidate import Candidate
from streams.store import StoreLimits


async def find_poison(
    connection: store.Connection, candidates: Sequence[Candidate], limits: StoreLimits
) -> dict[tuple[int, int], str]:
    """Name the candidates that the database refuses, as (message, item) → its reason, by trying ever smaller halves."""
    detail = await _try(connection, candidates, limits)
    if detail is None:
        return {}
    if len(candidates) == 1:
        return {(candidates[0].message, candidates[0].item or 0): detail}
    middle = len(candidates) // 2
    first = await find_poison(connection, candidates[:middle], limits)
    return first | await find_poison(connection, candidates[middle:], limits)


async def _try(connection: store.Connection, candidates: Sequence[Candidate], limits: StoreLimits) -> str | None:
    try:
        async with connection.transaction():
            await store.write_rows(connection, candidates, limits)
            raise Rollback
    except psycopg.DataError as error:
        return error.diag.message_primary or "refused by the database"
    return None
