"""Virtual Datastreams in the database: their formulas read again, their queue worked off. One worker at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg.rows import TupleRow

from streams.consequences import recompute
from streams.queries import query
from streams.virtual.definition import Definition, Made, Part, compute, define, without_cycles
from streams.virtual.formula import FormulaError

Connection = psycopg.AsyncConnection[TupleRow]

MOST_TAKEN = 2_000  # entries of the queue in one transaction: bounds memory and how long rows are locked


class Bucket(NamedTuple):
    """A bucket of a virtual Datastream: start, end, and what it came to."""

    datastream_id: int
    start: datetime
    end: datetime
    made: Made | None
    ruleset: int


async def read_formulas(connection: Connection) -> bool:
    """Take over formulas that were declared, changed or taken away; False while another worker is at it."""
    async with connection.transaction():
        if not await _locked(connection):
            return False
        known = {row[0]: (row[1], row[2]) for row in await _all(connection, "virtual_known")}
        declared = await _declared(connection)
        changed = {number: new for number, new in declared.items() if known.get(number) != new}
        forgotten = sorted(known.keys() - declared.keys())
        if not changed and not forgotten:
            return True
        # Waits for all who write readings and lets others wait, so that no change of a new input is missed.
        await connection.execute("LOCK TABLE virtual_input IN ACCESS EXCLUSIVE MODE")
        await connection.execute(query("virtual_forget"), {"ids": forgotten})
        await connection.execute(
            query("virtual_define"),
            {
                "ids": list(changed),
                "definitions": [msgspec.json.encode(new[0]).decode() for new in changed.values()],
                "problems": [new[1] for new in changed.values()],
            },
        )
        return True


async def work_off(connection: Connection, grace: timedelta) -> int:
    """Compute what the queue's oldest entries ask for; gives how many they were, 0 also while another worker is at it."""
    async with connection.transaction():
        if not await _locked(connection):
            return 0
        taken = await (await connection.execute(query("virtual_take"), {"most": MOST_TAKEN})).fetchall()
        if not taken:
            return 0
        definitions = {
            row[0]: msgspec.convert(row[1], Definition) for row in await _all(connection, "virtual_known") if row[2] is None
        }
        for _, number, quarter in taken:
            if quarter is None and number in definitions:
                await connection.execute(query("virtual_expand"), {"id": number, "span": definitions[number].span})
        asked = {(number, quarter) for _, number, quarter in taken if quarter is not None and number in definitions}
        there = await _existing(connection, sorted({number for number, _ in asked}))
        await _write(connection, await _computed(connection, sorted(a for a in asked if a[0] in there), definitions), grace)
        await connection.execute("DELETE FROM virtual_queue WHERE id = ANY (%s)", ([row[0] for row in taken],))
        return len(taken)


async def _locked(connection: Connection) -> bool:
    row = await (await connection.execute(query("virtual_lock"))).fetchone()
    return row is not None and row[0]


async def _all(connection: Connection, name: str) -> list[TupleRow]:
    return await (await connection.execute(query(name))).fetchall()


async def _declared(connection: Connection) -> dict[int, tuple[Any, str | None]]:
    """Give each declared formula as (definition, problem)."""
    found: dict[int, Definition] = {}
    problems: dict[int, str] = {}
    declared = await _all(connection, "virtual_declared")
    ids = {(row[0], row[1]): row[2] for row in (await _all(connection, "virtual_channels") if declared else [])}
    for number, formula, tenant, device, timezone in declared:
        try:
            found[number] = define(formula, (tenant, device), timezone, lambda owner, channel: ids.get((owner, channel)))
        except FormulaError as error:
            problems[number] = str(error)
    sound = without_cycles(found)
    result: dict[int, tuple[Any, str | None]] = {number: ({}, problem) for number, problem in problems.items()}
    for number, definition in found.items():
        result[number] = (msgspec.json.decode(msgspec.json.encode(definition)), None if number in sound else "it needs itself")
    return result


async def _existing(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Keep the Datastreams from being deleted meanwhile, and give their Things a FeatureOfInterest."""
    cursor = await connection.execute(query("lock_datastreams"), {"ids": ids})
    there = {row[0] for row in await cursor.fetchall()}
    await connection.execute(query("make_features_of_datastreams"), {"ids": sorted(there)})
    return there


async def _computed(
    connection: Connection, asked: Sequence[tuple[int, datetime]], definitions: dict[int, Definition]
) -> list[Bucket]:
    cursor = await connection.execute(
        query("virtual_inputs"),
        {
            "ids": [number for number, _ in asked],
            "quarters": [quarter for _, quarter in asked],
            "spans": [definitions[number].span for number, _ in asked],
            "timezones": [definitions[number].timezone for number, _ in asked],
        },
    )
    parts: dict[tuple[int, datetime, datetime], dict[int, list[Part]]] = {}
    rulesets: dict[tuple[int, datetime, datetime], int] = {}
    for number, start, end, input_id, flag, numbers, total, least, greatest, ruleset in await cursor.fetchall():
        key = (number, start, end)
        mine = parts.setdefault(key, {})
        if flag is not None:
            mine.setdefault(input_id, []).append(Part(flag, numbers, total, least, greatest))
            rulesets[key] = max(ruleset, rulesets.get(key, 0))
    formulas = {number: definitions[number].formula() for number in {number for number, _, _ in parts}}
    return [Bucket(*key, compute(definitions[key[0]], formulas[key[0]], mine), rulesets.get(key, 0)) for key, mine in parts.items()]


async def _write(connection: Connection, buckets: Sequence[Bucket], grace: timedelta) -> None:
    if not buckets:
        return
    cursor = await connection.execute(
        query("virtual_put"),
        {
            "ids": [bucket.datastream_id for bucket in buckets],
            "starts": [bucket.start for bucket in buckets],
            "ends": [bucket.end for bucket in buckets],
            "numbers": [bucket.made and bucket.made.number for bucket in buckets],
            "flags": [bucket.made and bucket.made.flag for bucket in buckets],
            "rulesets": [bucket.ruleset for bucket in buckets],
            "grace": grace,
        },
    )
    touched = await cursor.fetchall()
    if not touched:
        return
    datastreams = {"datastreams": sorted({row[0] for row in touched})}
    await connection.execute(query("make_summaries"), datastreams)
    await recompute(connection, [row[0] for row in touched], [row[1] for row in touched])
    for step in ("refresh_borders", "drop_summaries"):
        await connection.execute(query(step), datastreams)
