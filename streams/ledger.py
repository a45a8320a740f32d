"""The offset ledger: a partition's position moves in the same transaction as its rows (delivery.md 5, ledger.md)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import psycopg
from psycopg.rows import TupleRow

from streams.errors import FencedError, GapError
from streams.queries import query

Connection = psycopg.AsyncConnection[TupleRow]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A partition that this worker owns: where it goes on, and the epoch that proves the ownership."""

    incarnation: str
    topic: str
    partition: int
    next_offset: int
    epoch: int


async def claim(
    connection: Connection, incarnation: str, partitions: Iterable[tuple[str, int]], owner: str
) -> dict[tuple[str, int], Claim]:
    """Take the partitions, fencing every former owner; waits for a transaction of theirs that is still in flight."""
    claims: dict[tuple[str, int], Claim] = {}
    async with connection.transaction():
        for topic, partition in sorted(partitions):
            cursor = await connection.execute(
                query("claim_partition"), {"incarnation": incarnation, "topic": topic, "partition": partition, "owner": owner}
            )
            row = await cursor.fetchone()
            assert row is not None
            claims[topic, partition] = Claim(
                incarnation=incarnation, topic=topic, partition=partition, next_offset=row[0], epoch=row[1]
            )
    return claims


async def advance(connection: Connection, claim: Claim, start: int, end: int) -> bool:
    """Move the partition from `start` to `end` within the open transaction, before anything else is written.

    False: an earlier try got through and only its answer was lost. Raises `FencedError` or `GapError`.
    """
    key = {"incarnation": claim.incarnation, "topic": claim.topic, "partition": claim.partition}
    moved = await connection.execute(query("guard_ledger"), {**key, "start": start, "end": end, "epoch": claim.epoch})
    if moved.rowcount == 1:
        return True
    cursor = await connection.execute(query("read_ledger"), key)
    row = await cursor.fetchone()
    where = f"{claim.topic}/{claim.partition}, batch {start}..{end} of epoch {claim.epoch}"
    if row is None:
        raise GapError(f"{where}: no such row in the ledger")
    next_offset, epoch = row
    if epoch != claim.epoch:
        raise FencedError(f"{where}: the ledger has epoch {epoch}")
    if next_offset != end:
        raise GapError(f"{where}: the ledger is at {next_offset}")
    return False
