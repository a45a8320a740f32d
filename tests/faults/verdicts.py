"""Judges all stored rows of some Datastreams at once: their flags must be what the rows alone say, however they came."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from road import Platform

from streams import context, rejudge
from streams.registry import channels_by_id
from streams.store import StoreLimits

EVER = (0, 4_102_444_800_000_000)  # microseconds, until 2100


def check_verdicts(platform: Platform, datastreams: list[int]) -> list[str]:
    """Name what differs; Datastreams without rules in context have nothing to compare."""
    return asyncio.run(_check(platform.places.database_url, datastreams))


async def _check(database: str, datastreams: list[int]) -> list[str]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        channels = await channels_by_id(connection, datastreams)
        wrong: list[Any] = []
        for number, channel in channels.items():  # one at a time: memory
            if channel.rules is None:
                continue
            mine = {number: channel.rules}
            rows = await rejudge.load(connection, {number: [EVER]}, mine, StoreLimits().future_s)
            changed = context.judge_again(rows, {number: EVER}, mine).changed
            wrong += [(number, row["time"], hex(row["tests"]), row["flag"]) for row in changed]
    return [f"{len(wrong)} verdicts are not those of the rows, as {wrong[0]}"] if wrong else []
