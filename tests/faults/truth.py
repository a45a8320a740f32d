"""The ledger of truth: after a fault, what was sent, what is stored, what was promised and all figures must agree."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from load import Load
from psycopg import sql
from road import Platform
from sources import Source
from verdicts import check_verdicts

from infra.log import LogError

_HERE = Path(__file__)
# Months are a view in a schema of their own; without it, a view of this session takes its place too.
_RECOUNT = _HERE.parents[1].joinpath("road_recount.sql").read_text().replace("read.aggregate_month", "aggregate_month")
_REVISIONS = _HERE.with_name("truth_revisions.sql").read_text()
# What a recount reads.
_SCOPED = (("public", "observation"), ("public", "aggregate"), ("public", "datastream_summary"), ("read", "aggregate_month"))

OF_DEVICE = """
    SELECT count(*), count(DISTINCT (datastream_id, phenomenon_time)), coalesce(sum(number::text::numeric) * 10, 0)::bigint,
           count(DISTINCT seq)
      FROM observation WHERE datastream_id = ANY (%s) AND NOT deleted
"""
SEQS = """
    SELECT seq FROM observation WHERE datastream_id = ANY (%s)
    UNION SELECT seq FROM dead_letter WHERE device = %s AND tenant = 'default' AND seq IS NOT NULL
"""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """Counts of readings, and `wrong`: what does not agree, in words."""

    sent: int = 0
    stored: int = 0
    letters: int = 0
    lost: int = 0
    twice: int = 0
    lost_without_outbox: int = 0
    receipts_heard: int = 0
    receipts_checked: int = 0
    false_receipts: int = 0
    flagged: int = 0  # suspect or fail
    wrong: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        return asdict(self)


def check(made: Load, *, may_lose_plain: bool = True, alone: bool = True) -> Verdict:
    """Compare everything; `may_lose_plain`: a broker was killed or its session wiped, which a device without outbox pays for."""
    verdict = Verdict()
    platform = made.platform
    verdict.wrong += check_ledger(platform) if alone else []  # others still publish: the log has no end yet
    for source in made.sources:
        _check_source(platform, source, verdict, may_lose=may_lose_plain and not source.has_outbox)
    _check_receipts(made, verdict)
    ids = [each for source in made.sources for each in source.channels.values()]
    verdict.wrong += check_derived(platform, ids)
    ((verdict.flagged,),) = platform.rows("SELECT count(*) FROM observation WHERE datastream_id = ANY (%s) AND flag IN (3, 4)", ids)
    return verdict


def _check_source(platform: Platform, source: Source, verdict: Verdict, *, may_lose: bool) -> None:
    sent, ids = source.sent, list(source.channels.values())
    ((rows, different, total, _),) = platform.rows(OF_DEVICE, ids)
    letters = platform.refused(source.device)
    seqs = {row[0] for row in platform.rows(SEQS, ids, source.device)}
    missing = set(range(len(sent.times))) - seqs
    lost = sent.readings - rows - letters
    verdict.sent += sent.readings
    verdict.stored += rows
    verdict.letters += letters
    verdict.twice += rows - different
    if may_lose:
        verdict.lost_without_outbox += lost
        if lost != len(missing):
            verdict.wrong.append(f"{source.device}: {lost} readings are missing, {len(missing)} by their numbers")
        return
    verdict.lost += lost
    if (rows, letters) != (sent.stored, sent.refused):
        verdict.wrong.append(f"{source.device}: sent {sent.stored} good and {sent.refused} bad, stored {rows}, letters {letters}")
    if total != sent.total:
        verdict.wrong.append(f"{source.device}: the values' sum is {total / 10}, sent was {sent.total / 10}")
    if missing or seqs - set(range(len(sent.times))):
        verdict.wrong.append(f"{source.device}: of {len(sent.times)} messages {len(missing)} left no trace")


def _check_receipts(made: Load, verdict: Verdict) -> None:
    watch = made.watch
    untrue = list(watch.untrue)
    for source in made.sources:
        last = watch.last.get(source.device, -1)
        seqs = {row[0] for row in made.platform.rows(SEQS, list(source.channels.values()), source.device)}
        untrue += [f"{source.device} {seq}" for seq in range(last + 1) if seq not in seqs]
    verdict.receipts_heard, verdict.receipts_checked, verdict.false_receipts = watch.heard, watch.checked, len(untrue)
    if untrue:
        verdict.wrong.append(f"{len(untrue)} false receipts, as {untrue[:3]}")
    if not watch.checked:
        verdict.wrong.append("no receipt was checked")


def check_ledger(platform: Platform, timeout_s: float = 60.0) -> list[str]:
    """Wait until the ledger is at the end of the log; the embedded log does not tell its end exactly."""
    if platform.servers == "embedded":
        return []
    seen: list[Any] = []

    def at_the_end() -> bool:
        seen[:] = platform.ledger_and_ends()
        return seen[0] == seen[1]

    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(LogError, psycopg.OperationalError):
            if at_the_end():
                return []
        time.sleep(0.2)
    return [f"the ledger is not at the end of the log: {seen}"]


def check_derived(platform: Platform, datastreams: Iterable[int]) -> list[str]:
    """Compare all that follows from the rows of these Datastreams with the rows."""
    ids = sorted(datastreams)
    return check_figures(platform, ids) + check_verdicts(platform, ids)


def check_figures(platform: Platform, datastreams: Iterable[int]) -> list[str]:
    """Count aggregates and summaries of these Datastreams anew, and follow their revisions to their rows."""
    ids = sorted(datastreams)
    with platform.database() as connection:
        for schema, table in _SCOPED:
            connection.execute(_scope(schema, table, ids))
        wrong = connection.execute(_RECOUNT.encode()).fetchall()
        astray = connection.execute(_REVISIONS.encode()).fetchall()
    said = [f"{len(wrong)} figures differ from their rows, as {wrong[0]}"] if wrong else []
    return said + ([f"{len(astray)} revisions do not lead to their rows, as {astray[0]}"] if astray else [])


def _scope(schema: str, table: str, ids: list[int]) -> sql.Composed:
    """Hide a table behind a view of this session: the recount then reads some Datastreams of it."""
    return sql.SQL("CREATE TEMP VIEW {name} AS SELECT * FROM {schema}.{name} WHERE datastream_id = ANY ({ids})").format(
        schema=sql.Identifier(schema), name=sql.Identifier(table), ids=sql.Literal(ids)
    )
