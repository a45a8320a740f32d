"""What follows in the tables when stored rows change: verdicts on the rows around them, aggregates, summaries, revisions, news."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
from psycopg.rows import TupleRow

from streams import rejudge
from streams.candidate import Candidate
from streams.judging import Verdicts
from streams.queries import query
from streams.rejudge import Changes, Key
from streams.rows import Rows, microseconds
from streams.rulebook import RuleBook
from streams.tails import Tails

Connection = psycopg.AsyncConnection[TupleRow]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StoreLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`future_s`: a reading further ahead of its reception is flagged 4; `grace`: a closed bucket's time for corrections."""

    future_s: float = 300.0
    grace: timedelta = timedelta(minutes=15)


async def recompute(connection: Connection, datastreams: Sequence[int], times: Sequence[datetime]) -> None:
    """Make the buckets and summaries of these readings anew from the rows, within the open transaction."""
    touched = {"datastreams": list(datastreams), "times": list(times)}
    for step in ("clear_buckets", "fill_buckets", "refresh_summary"):
        await connection.execute(query(step), touched)


class Consequences:
    """Gathers what rows of one transaction do to those that were there, and settles it at the end."""

    def __init__(self, rules: Mapping[int, RuleBook], cause: str = "judged") -> None:
        """`rules` by Datastream, of those that are judged in context; `cause` of the revisions of verdicts."""
        self._rules = rules
        self._cause = cause
        self._again: dict[int, list[int]] = {}
        self._fresh: set[Key] = set()
        self._stale: set[tuple[int, datetime]] = set()  # one reading of each bucket that has to be made anew
        self._changes = Changes()

    async def meet_stored(self, connection: Connection, candidates: Sequence[Candidate], tails: Tails | None) -> None:
        """Let the better copy hold where candidates in `stage` meet stored rows."""
        cursor = await connection.execute(query("lock_rivals"))
        ghosts = {row[0] for row in await cursor.fetchall()} & self._rules.keys() - self._again.keys()
        sent = _keys(candidates, ghosts)
        self._fresh |= sent
        for number, us, _ in sent:
            self._again.setdefault(number, []).append(us)
        if tails is not None:
            tails.forget(ghosts)
        cursor = await connection.execute(query("overrule"))
        for number, time, discriminator, us, old, old_flag, visible in await cursor.fetchall():
            self._stale.add((number, time))
            if visible:
                self._changes.note("overruled", (number, us, discriminator), old, old_flag)

    def judged(self, verdicts: Verdicts, candidates: Sequence[Candidate]) -> None:
        """Take what judging new readings found."""
        self.take(verdicts.changed, verdicts.changed_from.tolist(), self._cause)
        self._again = {number: list(times) for number, times in verdicts.again.items()}
        self._fresh = _keys(candidates, self._again.keys()) - verdicts.stored

    def judge_again(self, number: int, time: datetime) -> None:
        """Judge the rows at this time of a Datastream again, and what looks at them."""
        self._again.setdefault(number, []).append(microseconds(time))

    def edited(self, number: int, time: datetime, discriminator: int) -> None:
        """Take note of a row that was changed, moved here or taken away, whose revision is the caller's."""
        self._stale.add((number, time))
        if number in self._rules:
            self.judge_again(number, time)
            self._fresh.add((number, microseconds(time), discriminator))

    def take(self, changed: Rows, flags_before: Sequence[int], cause: str) -> None:
        """Take stored rows whose verdict changed, which is written already."""
        for row, flag_before in zip(changed, flags_before, strict=True):
            if row["flag"] == flag_before and cause != "ruleset":  # aggregates tell which versions judged
                continue
            key = rejudge.key_of(row)
            self._stale.add((key[0], _EPOCH + timedelta(microseconds=key[1])))
            if row["flag"] != flag_before and key not in self._fresh:
                self._changes.note(cause, key, None, flag_before)

    async def settle(self, connection: Connection, limits: StoreLimits) -> None:
        """Write everything that follows."""
        if self._again:
            for judged in await rejudge.judge_again(connection, self._again, self._rules, limits.future_s):
                self.take(judged.changed, judged.changed_from.tolist(), self._cause)
        if self._stale:
            await recompute(connection, [number for number, _ in self._stale], [time for _, time in self._stale])
        await self._changes.revise(connection, limits.grace)


def _keys(candidates: Sequence[Candidate], numbers: Collection[int]) -> set[Key]:
    if not numbers:
        return set()
    mine = [c for c in candidates if c.channel.datastream_id in numbers]
    return {(c.channel.datastream_id, microseconds(c.time), c.discriminator or 0) for c in mine}
