"""A few Observations written by one statement: rows, aggregates, summary, news, and what the API shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from infra.connection import Connection
from streams import stage
from streams.candidate import Candidate
from streams.judge import RULESET_VERSION, judge
from streams.queries import query
from streams.store import StoreLimits

# Between texts, and between an id and its text: neither is in JSON, where control characters are escaped.
_ITEM, _FIELD = b"\x1e", b"\x1f"


class Inserted(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of the rows that were written, by place, and what `shown` gave of them, by id."""

    ids: dict[int, int]
    shown: dict[int, bytes]


async def prepare(connection: Connection) -> None:
    """Make what a session needs for `insert`, and the stage."""
    await stage.create(connection)
    await connection.execute(query("insert_one"))


async def insert(
    connection: Connection, candidates: Sequence[Candidate], places: Sequence[int], limits: StoreLimits, shown: bytes
) -> Inserted:
    """Write rows by one statement, a transaction of its own; rows that it can't place are not among `ids`.

    `shown` is an SQL expression of type text over a row `shown` with the columns of `observation` and `id_text`, for Observations
    of Datastreams; where one is of a MultiDatastream, none is shown.
    """
    flags, tests = judge(candidates, limits.future_s)
    if any(c.channel.parts is not None for c in candidates):
        shown = b""
    if len(candidates) == 1:
        row = _parameters(candidates[0], int(flags[0]), int(tests[0]))
        number, text = await connection.fetch_bytes(_for_one(shown), row)
        if number is None:
            return Inserted(ids={}, shown={})
        return Inserted(ids={places[0]: int(number)}, shown={} if text is None else {int(number): text})
    rows = [
        _row(candidate, place, flag, packed)
        for candidate, place, flag, packed in zip(candidates, places, flags.tolist(), tests.tolist(), strict=True)
    ]
    staged, fresh, ids, texts = await connection.fetch_bytes(
        _for_some(shown),
        [
            msgspec.json.encode(rows),
            _array(c.channel.thing_id for c in candidates),
            _array(c.channel.datastream_id for c in candidates),
            _array(c.feature_id or 0 for c in candidates),
        ],
    )
    written = {int(place): int(number) for place, number in (pair.split() for pair in (ids or b"").split(b",") if pair)}
    if fresh != staged:
        # Some were there already: the long way finds out which copy holds.
        known = {place for candidate, place in zip(candidates, places, strict=True) if candidate.discriminator is None}
        written = {place: number for place, number in written.items() if place in known}
    each = (text.partition(_FIELD) for text in texts.split(_ITEM)) if texts else ()
    return Inserted(ids=written, shown={int(number): text for number, _, text in each})


@cache
def _for_one(shown: bytes) -> bytes:
    return b"SELECT id_text, %s FROM (%s) AS shown" % (shown or b"NULL", query("call_insert_one"))


@cache
def _for_some(shown: bytes) -> bytes:
    text = query("from_json") + query("apply")
    for number, name in enumerate((b"rows", b"things", b"datastreams", b"features"), 1):
        text = text.replace(b"%%(%s)s" % name, b"$%d" % number)
    if not shown:
        return text + b",\n       NULL"
    each = b"id_text || E'\\x1f' || %s" % shown
    return (
        text + b",\n       (SELECT string_agg(%s, E'\\x1e') FROM (SELECT fresh.*, id::text AS id_text FROM fresh) AS shown)" % each
    )


def _parameters(c: Candidate, flag: int, tests: int) -> list[bytes | None]:
    """Give the parameters of call_insert_one.sql in their order."""
    return [
        b"%d" % c.channel.thing_id, b"%d" % c.channel.datastream_id, _time(c.time), _time(c.end),
        None if c.discriminator is None else b"%d" % c.discriminator, _time(c.received), _time(c.result_time), _time(c.valid_start),
        _time(c.valid_end), None if c.number is None else repr(c.number).encode(), _text(c.result), b"%d" % flag, b"%d" % tests,
        b"%d" % RULESET_VERSION, b"%d" % (c.feature_id or 0), _text(c.parameters), _text(c.quality),
    ]  # fmt: skip


def _time(time: datetime | None) -> bytes | None:
    return None if time is None else time.isoformat().encode()


def _text(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _array(ids: Iterable[int]) -> bytes:
    return b"{%s}" % b",".join(b"%d" % number for number in sorted(set(ids)))


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
