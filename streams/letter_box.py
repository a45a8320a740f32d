"""The dead-letter store for people: looking, dropping, and giving back to the store what can be read by now (delivery.md 7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self, cast

import msgspec
from psycopg.rows import dict_row

from streams.intake import Limits
from streams.queries import query
from streams.related import WriteRelated
from streams.replay import Kept, Outcome, Replay
from streams.sessions import Connection, Pool, open_pool, retrying
from streams.store import StoreLimits

GIVE_UP_S = 20.0
PAGE_LETTERS = 200  # in one transaction
PAGE_BYTES = 1_000_000


class LetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters; None: any. `since` ≤ the bridge's stamp < `until`, aware UTC."""

    ids: tuple[int, ...] | None = None
    tenant: str | None = None
    device: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def values(self) -> dict[str, Any]:
        """Give the parameters of the statements."""
        return {**msgspec.structs.asdict(self), "ids": list(self.ids) if self.ids is not None else None}


class UnexpectedCountError(ValueError):
    """There are not as many letters as the one who wants to drop them believes; nothing was dropped."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"{found} letters would be dropped, not {expected}")
        self.expected, self.found = expected, found


class LetterBox:
    """Dead letters of the database; made by `open`, ended by `close`."""

    def __init__(self, pool: Pool, limits: Limits, store_limits: StoreLimits, related: WriteRelated | None = None) -> None:
        self._pool = pool
        self._replay = Replay(limits, store_limits, related)

    @classmethod
    async def open(
        cls,
        database_url: str,
        limits: Limits,
        store_limits: StoreLimits,
        name: str = "letters",
        related: WriteRelated | None = None,
    ) -> Self:
        """Connect; raises no error while the database is away. `related` writes what Observations bring along over MQTT."""
        pool = open_pool(database_url, 2, name)
        await pool.open()
        return cls(pool, limits, store_limits, related)

    async def close(self) -> None:
        """Give the connections back."""
        await self._pool.close()

    async def find(self, which: LetterFilter, most: int, before: int | None = None) -> list[dict[str, Any]]:
        """Newest first, those older than the letter `before`; rows of find_letters.sql, `size` is the payload's length."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query("find_letters"), {**which.values(), "before": before, "most": most})
            return await cursor.fetchall()

    async def read(self, number: int) -> Kept | None:
        """One letter with its bytes."""
        async with self._pool.connection() as connection:
            found = await _page(connection, LetterFilter(ids=(number,)), 0, 1)
        return found[0] if found else None

    async def replay(self, which: LetterFilter, *, after: int = 0, most: int = 1_000) -> tuple[Outcome, int | None]:
        """Take in again at most so many letters behind `after`, oldest first.

        What is stored leaves its letter in the same transaction; the rest stays, with its present reason. Returns what came of
        it, and the letter behind which to go on, None at the end. Repeating it, or being killed on the way, does no harm.
        """
        outcome, done = Outcome(), 0
        while done < most:
            page: list[Kept] = []
            async for attempt in retrying(GIVE_UP_S):
                with attempt:
                    async with self._pool.connection() as connection:
                        page = _within(await _page(connection, which, after, min(PAGE_LETTERS, most - done)), PAGE_BYTES)
                        outcome += await self._replay.run(connection, page)
            if not page:
                return outcome, None
            done += len(page)
            after = page[-1].id
        return outcome, after

    async def drop(self, which: LetterFilter, who: str, expected: int) -> int:
        """Delete letters for good, exactly as many as `expected`, and keep who did it; raises `UnexpectedCountError`."""
        async with self._pool.connection() as connection, connection.transaction():
            rows = await (await connection.execute(query("lock_letters"), which.values())).fetchall()
            if len(rows) != expected:
                raise UnexpectedCountError(expected, len(rows))
            await connection.execute(query("drop_letters"), {"ids": [row[0] for row in rows], "who": who})
            return len(rows)

    async def release(self, tenant: str, device: str, who: str) -> bool:
        """Take a device out of quarantine; False: it is not in it. What was set aside meanwhile waits to be replayed."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query("release_device"), {"tenant": tenant, "device": device, "who": who})
            return cursor.rowcount == 1

    async def resume(self, who: str, worker: str | None = None) -> list[str]:
        """Let paused workers go on, all of them or one; gives their names."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query("resume_workers"), {"worker": worker, "who": who})
            return [row[0] for row in await cursor.fetchall()]

    async def count(self, which: LetterFilter) -> int:
        """How many letters there are."""
        async with self._pool.connection() as connection, connection.transaction():
            return len(await (await connection.execute(query("lock_letters"), which.values())).fetchall())


async def _page(connection: Connection, which: LetterFilter, after: int, most: int) -> list[Kept]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("read_letters"), {**which.values(), "after": after, "most": most})
        return [msgspec.convert(row, Kept) for row in await cursor.fetchall()]


def _within(letters: Sequence[Kept], most_bytes: int) -> list[Kept]:
    size, page = 0, cast("list[Kept]", [])
    for letter in letters:
        size += letter.size
        if page and size > most_bytes:
            break
        page.append(letter)
    return page
