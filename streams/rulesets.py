"""A chosen span of a Datastream's time judged by another version of the rulesets: what changes is a revision."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
from psycopg.rows import TupleRow

from streams.consequences import Consequences, StoreLimits
from streams.quality.rulesets import RulesetError, versions
from streams.queries import query
from streams.registry import channels_by_id

Connection = psycopg.AsyncConnection[TupleRow]

AT_A_TIME = 5_000  # times in one transaction: writers of the Datastream wait for it
CAUSE = "ruleset"


class UnknownDatastreamError(LookupError):
    """There is no such Datastream, or it is a MultiDatastream, which no test in context judges."""


async def judge_by(
    connection: Connection, datastream: int, first: datetime, last: datetime, version: int, limits: StoreLimits
) -> int:
    """Choose `version` for rows from `first` to `last` (aware, ends included) and judge them again; gives how many times it judged.

    `connection` commits by itself. Stopped halfway, the choice stands: called again, it goes on to the same end.
    Raises `RulesetError` or `UnknownDatastreamError`.
    """
    if version not in versions():
        raise RulesetError(f"there is no version {version} of the rulesets; there are {', '.join(map(str, versions()))}")
    async with connection.transaction():
        await _lock(connection, datastream)
        await connection.execute(
            query("choose_ruleset"), {"datastream": datastream, "first": first, "last": last, "version": version}
        )
    after, judged = first - timedelta(microseconds=1), 0
    while True:
        async with connection.transaction():
            await _lock(connection, datastream)
            cursor = await connection.execute(
                query("times_after"), {"datastream": datastream, "after": after, "last": last, "most": AT_A_TIME}
            )
            times = [row[0] for row in await cursor.fetchall()]
            await _judge(connection, datastream, times, limits)
        if not times:
            return judged
        after = times[-1]
        judged += len(times)


async def _lock(connection: Connection, datastream: int) -> None:
    cursor = await connection.execute(query("lock_judged_datastreams"), {"ids": [datastream]})
    if await cursor.fetchone() is None:
        raise UnknownDatastreamError(f"there is no Datastream {datastream}")


async def _judge(connection: Connection, datastream: int, times: list[datetime], limits: StoreLimits) -> None:
    book = (await channels_by_id(connection, [datastream]))[datastream].rules
    if book is None:
        raise UnknownDatastreamError(f"{datastream} is a MultiDatastream: no test looks at the rows around its Observations")
    follow = Consequences({datastream: book}, CAUSE)
    for time in times:
        follow.judge_again(datastream, time)
    await follow.settle(connection, limits)
