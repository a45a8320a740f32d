"""Dead letters taken in again: what can be read by now is stored and leaves its letter in the same transaction.

A letter stands for the readings that it refused, so only those are stored. Replaying knows no quarantine, no ledger and no
receipts: the message was settled when the letter was written. Rows are locked before letters, as the worker does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from devices.topics import PARTNER_TENANT
from devices.vocabulary import Refused
from ingest_mqtt.contract import RawMessage
from streams import store
from streams.candidate import Candidate
from streams.errors import LetterMovedError
from streams.isolate import Sieve, fault_of
from streams.letters import verdict_of
from streams.queries import query
from streams.related import WriteRelated, store_along
from streams.store import StoreLimits
from streams.taken import Along, Intake, Letter, Limits
from streams.taker import Taker

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Refused by the bridge or for being no bridge's, before letters kept their mark.
ALWAYS_MARKED = ("too_large", "bad_record")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `dead_letter` with its bytes; `version` changes when the row does."""

    id: int
    received: datetime
    topic: str
    tenant: str | None
    device: str | None
    epoch: int | None
    seq: int | None
    reason: str
    detail: str
    readings: int
    size: int
    payload: bytes
    refused: list[tuple[int, str, str]] | None
    marked: str | None
    version: str


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that stays, and why now."""

    id: int
    reason: str
    detail: str
    readings: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`stored` readings, `letters` that are gone, and those that stay."""

    stored: int = 0
    letters: int = 0
    left: tuple[Left, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(stored=self.stored + other.stored, letters=self.letters + other.letters, left=(*self.left, *other.left))


class Replay:
    """Takes letters in by what the database says at each call."""

    def __init__(self, limits: Limits, store_limits: StoreLimits, related: WriteRelated | None = None) -> None:
        self._limits = limits
        self._related = related
        self._store_limits = store_limits

    async def run(self, connection: store.Connection, letters: Sequence[Kept]) -> Outcome:
        """Store what can be stored of these letters, in one transaction; raises `LetterMovedError` where one changed meanwhile."""
        if not letters:
            return Outcome()
        taker = Taker(self._limits, quarantine=False)
        messages = [message_of(letter) for letter in letters]
        taken = cut(await taker.take_in(connection, messages), letters, messages)
        try:
            return await self._store(connection, letters, messages, taken)
        except Exception as error:  # noqa: BLE001 - raised again where no reading is the reason
            fault_of(error)
            poison = await Sieve(connection, self._store_limits).find(taken.candidates)
            return await self._store(connection, letters, messages, cut(taker.take(messages, poison), letters, messages))

    async def _store(
        self, connection: store.Connection, letters: Sequence[Kept], messages: Sequence[RawMessage], taken: Intake
    ) -> Outcome:
        async with connection.transaction():
            await store.write_rows(connection, taken.candidates, self._store_limits)
            await store.take_along(connection, taken, self._along)
            await _hold(connection, letters)
            left = {letters[_place(letter, messages)].id: letter for letter in taken.letters}
            gone = [letter.id for letter in letters if letter.id not in left]
            await connection.execute("DELETE FROM dead_letter WHERE id = ANY (%s)", (gone,))
            async with connection.cursor() as cursor:
                rows = [{"id": number, **verdict_of(letter)} for number, letter in left.items()]
                await cursor.executemany(query("restate_letter"), rows)
        return Outcome(
            stored=len(taken.candidates) + taken.created,
            letters=len(gone),
            left=tuple(
                Left(id=number, reason=each.reason, detail=each.detail, readings=each.readings) for number, each in left.items()
            ),
        )

    async def _along(self, connection: store.Connection, along: Sequence[Along]) -> list[Letter]:
        return await store_along(connection, along, self._store_limits, self._related)


async def _hold(connection: store.Connection, letters: Sequence[Kept]) -> None:
    rows = await connection.execute(
        "SELECT id, xmin::text FROM dead_letter WHERE id = ANY (%s) ORDER BY id FOR UPDATE", ([letter.id for letter in letters],)
    )
    if dict(await rows.fetchall()) != {letter.id: letter.version for letter in letters}:
        raise LetterMovedError("a letter was changed or replayed by somebody else")


def message_of(letter: Kept) -> RawMessage:
    """Give the message as the bridge handed it on, as far as a letter keeps it."""
    marked = letter.marked
    if marked is None and letter.reason in ALWAYS_MARKED:
        marked = f"{letter.reason}: {letter.detail}"
    received = letter.received - EPOCH
    return RawMessage(
        topic=letter.topic,
        payload=letter.payload,
        received_us=(received.days * 86_400 + received.seconds) * 1_000_000 + received.microseconds,
        epoch=letter.epoch,
        seq=letter.seq,
        refused=marked,
        gateway=letter.device if letter.tenant == PARTNER_TENANT else None,
    )


def cut(taken: Intake, letters: Sequence[Kept], messages: Sequence[RawMessage]) -> Intake:
    """Leave of what the messages came to the readings that their letters stand for: the others were stored before."""
    indices = [None if letter.refused is None else {index for index, _, _ in letter.refused} for letter in letters]

    def meant(candidate: Candidate) -> bool:
        of_letter = indices[candidate.message]
        return of_letter is None or (candidate.item or 0) in of_letter

    kept: list[Letter] = []
    for letter in taken.letters:
        of_letter = indices[_place(letter, messages)]
        if of_letter is None or letter.refused is None:
            kept.append(letter if of_letter is None else _shrunk(letter, letters[_place(letter, messages)]))
            continue
        refused = [each for each in letter.refused if each.index in of_letter]
        if refused:
            kept.append(_with(letter, refused))
    return Intake(candidates=[each for each in taken.candidates if meant(each)], letters=kept, along=taken.along)


def _shrunk(letter: Letter, before: Kept) -> Letter:
    """Of a message that can't be read at all any more the letter keeps the readings that it had."""
    refused = [Refused(index=index, reason=letter.reason, detail=letter.detail) for index, _, _ in before.refused or ()]
    return _with(letter, refused)


def _with(letter: Letter, refused: list[Refused]) -> Letter:
    first = refused[0]
    changes: dict[str, Any] = {"reason": first.reason, "detail": first.detail, "refused": refused, "readings": len(refused)}
    return msgspec.structs.replace(letter, **changes)


def _place(letter: Letter, messages: Sequence[RawMessage]) -> int:
    return next(place for place, message in enumerate(messages) if message is letter.message)
