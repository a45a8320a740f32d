"""Dead letters as rows: added and cleared in the transaction of the batch that they belong to (delivery.md 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from devices.vocabulary import Refused
from ingest_mqtt.contract import RawMessage
from streams.queries import query
from streams.taken import Intake, Letter

Connection = psycopg.AsyncConnection[TupleRow]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def write_letters(connection: Connection, intake: Intake) -> None:
    """Add the letters of a batch, and take away those whose messages came again and are refused no longer.

    Called before the batch's receipts are written: they tell a repeated message from a new one.
    """
    identified = [letter for letter in intake.letters if letter.identity is not None]
    async with connection.cursor() as cursor:
        if identified:
            await cursor.executemany(query("add_identified_letters"), [_row(letter) for letter in identified])
        if len(identified) < len(intake.letters):
            rows = [_row(letter) for letter in intake.letters if letter.identity is None]
            await cursor.executemany(query("add_dead_letters"), rows)
        taken = _taken(intake, identified)
        if taken["tenants"]:
            await cursor.execute(query("clear_letters"), taken)


def _taken(intake: Intake, refused: Sequence[Letter]) -> dict[str, list[Any]]:
    """Give runs of identities of which nothing was refused, as columns."""
    letters = {(letter.tenant, letter.device, *letter.identity) for letter in refused if letter.identity is not None}
    rows = [
        (tenant, device, epoch, low, high)
        for (tenant, device, epoch), accepted in intake.settled.items()
        for low, high in runs([seq for seq in accepted.seqs if (tenant, device, epoch, seq) not in letters])
    ]
    return {name: [row[place] for row in rows] for place, name in enumerate(("tenants", "devices", "epochs", "lows", "highs"))}


def runs(seqs: Sequence[int]) -> list[tuple[int, int]]:
    """Join numbers to runs of (lowest, highest)."""
    joined: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if joined and seq <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(seq, joined[-1][1]))
        else:
            joined.append((seq, seq))
    return joined


def digest_of(message: RawMessage) -> bytes:
    """16 bytes by which copies of a message are known."""
    return hashlib.blake2b(message.topic.encode("utf-8", "replace") + b"\0" + message.payload, digest_size=16).digest()


def _row(letter: Letter) -> Mapping[str, Any]:
    message = letter.message
    epoch, seq = letter.identity or (None, None)
    return {
        "received": EPOCH + timedelta(microseconds=message.received_us),
        "topic": as_text(message.topic),
        "payload": message.payload,
        "tenant": letter.tenant,
        "device": letter.device,
        "epoch": epoch,
        "seq": seq,
        "digest": digest_of(message),
        "marked": as_text(message.refused) if message.refused is not None else None,
        **verdict_of(letter),
    }


def verdict_of(letter: Letter) -> dict[str, Any]:
    """Give what may change about a letter: reason, detail, refused and readings."""
    return {
        "reason": letter.reason,
        "detail": as_text(letter.detail),
        "refused": refused_of(letter.refused) if letter.refused is not None else None,
        "readings": letter.readings,
    }


def refused_of(refused: Sequence[Refused]) -> Jsonb:
    """JSON of refused readings: [[index, reason, detail], …]."""
    return Jsonb([[each.index, each.reason, as_text(each.detail)] for each in refused])


def as_text(text: str) -> str:
    """PostgreSQL's text has neither NUL nor lone surrogates; the original bytes of the payload are kept as they are."""
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
