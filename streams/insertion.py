"""A few Observations written by one statement: rows, aggregates, summary, news, and what the API shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
import psycopg

from streams import store
from streams.candidate import Candidate
from streams.judge import RULESET_VERSION, judge
from streams.queries import query
from streams.store import StoreLimits


class Inserted(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of the rows that were written, by place, and what `shown` gave of them, by id."""

    ids: dict[int, int]
    shown: dict[int, bytes]


async def insert(
    connection: store.Connection, candidates: Sequence[Candidate], places: Sequence[int], limits: StoreLimits, shown: bytes
) -> Inserted:
    """Write rows by one statement, a transaction of its own; rows that it can't place are not among `ids`.

    `shown` is an SQL expression of type text over a row `shown` with the columns of `observation` and `id_text`.
    """
    flags, tests = judge(candidates, limits.future_s)
    rows = [
        _row(candidate, place, flag, packed)
        for candidate, place, flag, packed in zip(candidates, places, flags.tolist(), tests.tolist(), strict=True)
    ]
    async with psycopg.AsyncRawCursor(connection) as cursor:
        await cursor.execute(
            _statement(shown),
            [
                msgspec.json.encode(rows).decode(),
                _array(c.channel.thing_id for c in candidates),
                _array(c.channel.datastream_id for c in candidates),
                _array(c.feature_id or 0 for c in candidates),
            ],
            prepare=True,
        )
        found = await cursor.fetchone()
    assert found is not None
    staged, fresh, ids, texts = found
    written: dict[int, int] = dict(ids or ())
    if fresh < staged:
        # Some were there already: the long way finds out which copy holds.
        known = {place for candidate, place in zip(candidates, places, strict=True) if candidate.discriminator is None}
        written = {place: number for place, number in written.items() if place in known}
    return Inserted(ids=written, shown={int(number): text.encode() for number, text in texts or ()})


@cache
def _statement(shown: bytes) -> bytes:
    """Give the statement with numbered parameters: psycopg would look for named ones in its text at each execution."""
    text = query("from_json") + query("apply")
    for number, name in enumerate((b"rows", b"things", b"datastreams", b"features"), 1):
        text = text.replace(b"%%(%s)s" % name, b"$%d" % number)
    texts = b"SELECT array_agg(ARRAY[id_text, %s]) FROM (SELECT fresh.*, id::text AS id_text FROM fresh) AS shown" % shown
    return text + b",\n       (%s)" % texts if shown else text + b",\n       NULL"


def _array(ids: Iterable[int]) -> str:
    # As text: the driver would look for the narrowest type of each, and the statement be another for each mix of types.
    return "{" + ",".join(map(str, sorted(set(ids)))) + "}"


def _row(c: Candidate, place: int, flag: int, tests: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "place": place, "datastream_id": c.channel.datastream_id, "phenomenon_time": c.time, "received": c.received,
        "number": c.number, "flag": flag, "tests": tests, "ruleset": RULESET_VERSION, "feature_id": c.feature_id,
    }  # fmt: skip
    more = {
        "phenomenon_end": c.end, "discriminator": c.discriminator, "result_time": c.result_time, "valid_start": c.valid_start,
        "valid_end": c.valid_end, "result": c.result, "parameters": c.parameters, "quality": c.quality,
    }  # fmt: skip
    row.update((name, value) for name, value in more.items() if value is not None)
    return row
