"""The one writer of readings: rows, aggregates, summaries, receipts, dead letters and ledger in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
import psycopg
from psycopg.rows import TupleRow

from streams import ledger, neighbours, rejudge, stage, standing, watch
from streams.candidate import Candidate
from streams.consequences import Consequences, StoreLimits
from streams.copies import without_copies
from streams.errors import RegistryMovedError
from streams.intake import Accepted, Intake
from streams.judging import judge_new
from streams.letters import runs, write_letters
from streams.queries import query
from streams.tails import Tails
from streams.taken import Along, Letter

Connection = psycopg.AsyncConnection[TupleRow]
StoreAlong = Callable[[Connection, Sequence[Along]], Awaitable[list[Letter]]]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Every message of this epoch up to `seq` is stored or among the dead letters; None: nothing contiguous yet."""

    tenant: str
    device: str
    epoch: int
    seq: int | None


async def store_batch(
    connection: Connection,
    intake: Intake,
    claim: ledger.Claim,
    start: int,
    end: int,
    limits: StoreLimits,
    tails: Tails | None = None,
    along: StoreAlong | None = None,
    *,
    may_repeat: bool = False,
) -> list[Receipt]:
    """Store what a batch of the log came to and move its ledger; returns the receipts to publish after the commit.

    `along` stores what brings entities along; its letters join the intake's. `may_repeat`: some of it may be stored already.
    """
    async with connection.transaction():
        if not await ledger.advance(connection, claim, start, end):
            return await _receipts(connection, intake.settled, counted=False)
        await write_rows(connection, intake.candidates, limits, tails, may_repeat=may_repeat)
        if along is not None and intake.along:
            await take_along(connection, intake, along)
        await standing.move(connection, intake.moves)
        await write_letters(connection, intake)
        await watch.note(connection, intake.seen)
        return await _receipts(connection, intake.settled)


async def take_along(connection: Connection, intake: Intake, along: StoreAlong) -> None:
    """Store what brings entities along, in the open transaction, and note what became of it."""
    letters = await along(connection, intake.along)
    intake.letters += letters
    intake.created = len(intake.along) - len(letters)


async def write_rows(
    connection: Connection,
    candidates: Sequence[Candidate],
    limits: StoreLimits,
    tails: Tails | None = None,
    *,
    may_repeat: bool = False,
) -> None:
    """Judge and write rows with all that follows from them, within the open transaction; raises `RegistryMovedError`."""
    if not candidates:
        return
    ids = sorted({c.channel.datastream_id for c in candidates})
    in_context = any(c.channel.rules is not None for c in candidates)
    cursor = await connection.execute(query("lock_judged_datastreams" if in_context else "lock_datastreams"), {"ids": ids})
    if len(await cursor.fetchall()) < len(ids):
        raise RegistryMovedError("a Datastream of the batch was deleted")
    if may_repeat:
        candidates = await without_copies(connection, candidates)
        if not candidates:
            return
    verdicts = await judge_new(connection, candidates, limits.future_s, tails)
    await stage.fill(connection, candidates, verdicts.flags, verdicts.tests, verdicts.rulesets)
    cursor = await connection.execute(query("from_stage") + query("apply"))
    counts = await cursor.fetchone()
    assert counts is not None
    follow = Consequences(verdicts.rules)
    follow.judged(verdicts, candidates)
    await rejudge.restate(connection, verdicts.changed)
    if counts[1] < counts[0]:
        await follow.meet_stored(connection, candidates, tails)
    await follow.settle(connection, limits)
    await neighbours.queue(connection, ((c.channel, c.time) for c in candidates))
    moving = sorted({c.channel.datastream_id for c in candidates if c.channel.moving and c.position is not None})
    if moving:
        await connection.execute(query("follow_moving"), {"moving": moving})


async def _receipts(
    connection: Connection, settled: dict[tuple[str, str, int], Accepted], *, counted: bool = True
) -> list[Receipt]:
    if not settled:
        return []
    rows = [
        {"tenant": tenant, "device": device, "epoch": epoch, "first": each.first, "runs": _runs(each.seqs), "sent": len(each.seqs)}
        for (tenant, device, epoch), each in settled.items()
    ]
    parameters = {"settled": msgspec.json.encode(rows).decode(), "counted": counted}
    cursor = await connection.execute(query("add_receipts"), parameters)
    return [Receipt(tenant=row[0], device=row[1], epoch=row[2], seq=row[3]) for row in await cursor.fetchall()]


async def last_receipts(connection: Connection) -> list[Receipt]:
    """Receipts of every device's newest epoch."""
    cursor = await connection.execute(query("last_receipts"))
    return [Receipt(tenant=row[0], device=row[1], epoch=row[2], seq=row[3]) for row in await cursor.fetchall()]


def _runs(seqs: Sequence[int]) -> str:
    """Text of an int8multirange; PostgreSQL joins adjacent ranges."""
    return "{" + ",".join(f"[{low},{high}]" for low, high in runs(seqs)) + "}"
