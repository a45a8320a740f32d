"""The one writer of readings: rows, aggregates, summaries, receipts, dead letters and ledger in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from streams import ledger, stage
from streams.candidate import Candidate
from streams.errors import RegistryMovedError
from streams.intake import Accepted, Intake, Letter
from streams.judge import judge
from streams.queries import query

Connection = psycopg.AsyncConnection[TupleRow]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Every message of this epoch up to `seq` is stored or among the dead letters; None: nothing contiguous yet."""

    tenant: str
    device: str
    epoch: int
    seq: int | None


class StoreLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`future_s`: a reading further ahead of its reception is flagged 4; `grace`: a closed bucket's time for corrections."""

    future_s: float = 300.0
    grace: timedelta = timedelta(minutes=15)


async def store_batch(
    connection: Connection, intake: Intake, claim: ledger.Claim, start: int, end: int, limits: StoreLimits
) -> list[Receipt]:
    """Store what a batch of the log came to and move its ledger; returns the receipts to publish after the commit."""
    async with connection.transaction():
        if not await ledger.advance(connection, claim, start, end):
            return await _receipts(connection, intake.settled)
        await write_rows(connection, intake.candidates, limits)
        await _add_letters(connection, intake.letters)
        return await _receipts(connection, intake.settled)


async def write_rows(connection: Connection, candidates: Sequence[Candidate], limits: StoreLimits) -> None:
    """Judge and write rows with all that follows from them, within the open transaction; raises `RegistryMovedError`."""
    if not candidates:
        return
    ids = sorted({c.channel.datastream_id for c in candidates})
    cursor = await connection.execute(query("lock_datastreams"), {"ids": ids})
    if len(await cursor.fetchall()) < len(ids):
        raise RegistryMovedError("a Datastream of the batch was deleted")
    await stage.fill(connection, candidates, *judge(candidates, limits.future_s))
    cursor = await connection.execute(query("from_stage") + query("apply"))
    counts = await cursor.fetchone()
    assert counts is not None
    if counts[1] < counts[0]:
        await _meet_stored(connection, limits)
    moving = sorted({c.channel.datastream_id for c in candidates if c.channel.moving and c.position is not None})
    if moving:
        await connection.execute(query("follow_moving"), {"moving": moving})


async def _meet_stored(connection: Connection, limits: StoreLimits) -> None:
    await connection.execute(query("lock_rivals"))
    cursor = await connection.execute(query("overrule"), {"grace": limits.grace})
    changed = await cursor.fetchall()
    if changed:
        await recompute(connection, [row[0] for row in changed], [row[1] for row in changed])


async def recompute(connection: Connection, datastreams: Sequence[int], times: Sequence[datetime]) -> None:
    """Make the buckets and summaries of these readings anew from the rows, within the open transaction."""
    touched = {"datastreams": list(datastreams), "times": list(times)}
    for step in ("clear_buckets", "fill_buckets", "refresh_summary"):
        await connection.execute(query(step), touched)


async def _add_letters(connection: Connection, letters: Sequence[Letter]) -> None:
    if letters:
        async with connection.cursor() as cursor:
            await cursor.executemany(query("add_dead_letters"), [_letter_row(letter) for letter in letters])


def _letter_row(letter: Letter) -> tuple[Any, ...]:
    message = letter.message
    epoch, seq = letter.identity or (None, None)
    # PostgreSQL's text has no NUL; the original bytes of the payload are kept as they are.
    topic, detail = message.topic.replace("\x00", "\\0"), letter.detail.replace("\x00", "\\0")
    refused = (
        Jsonb([[r.index, r.reason, r.detail.replace("\x00", "\\0")] for r in letter.refused])
        if letter.refused is not None
        else None
    )
    received = datetime.fromtimestamp(message.received_us / 1e6, tz=UTC)
    return (
        received,
        topic,
        message.payload,
        letter.tenant,
        letter.device,
        epoch,
        seq,
        letter.reason,
        detail,
        refused,
        letter.readings,
    )


async def _receipts(connection: Connection, settled: dict[tuple[str, str, int], Accepted]) -> list[Receipt]:
    if not settled:
        return []
    keys = list(settled)
    cursor = await connection.execute(
        query("add_receipts"),
        {
            "tenants": [key[0] for key in keys],
            "devices": [key[1] for key in keys],
            "epochs": [key[2] for key in keys],
            "firsts": [settled[key].first for key in keys],
            "runs": [_runs(settled[key].seqs) for key in keys],
        },
    )
    return [Receipt(tenant=row[0], device=row[1], epoch=row[2], seq=row[3]) for row in await cursor.fetchall()]


async def last_receipts(connection: Connection) -> list[Receipt]:
    """Receipts of every device's newest epoch."""
    cursor = await connection.execute(query("last_receipts"))
    return [Receipt(tenant=row[0], device=row[1], epoch=row[2], seq=row[3]) for row in await cursor.fetchall()]


def _runs(seqs: Sequence[int]) -> str:
    """Text of an int8multirange; PostgreSQL joins adjacent ranges."""
    return "{" + ",".join(f"[{low},{high}]" for low, high in runs(seqs)) + "}"


def runs(seqs: Sequence[int]) -> list[tuple[int, int]]:
    """Join numbers to runs of (lowest, highest)."""
    joined: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if joined and seq <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(seq, joined[-1][1]))
        else:
            joined.append((seq, seq))
    return joined
