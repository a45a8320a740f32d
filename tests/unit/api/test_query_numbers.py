"""Queries by the grammar, by the thousand: each is compiled to a statement without a text of its sender, or refused in our words.

`GRENZREGION_COMPILE_CASES` says how many (2,000), `GRENZREGION_FUZZ_SECONDS` for how long at most. Each follows from its number:
`GRENZREGION_COMPILE_FIRST` (0) goes on where a run ended.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter

import pytest
from odata_grammar import case

from api.sensorthings.odata.build import Abilities, Access
from api.sensorthings.odata.compiler import compile_request
from api.sensorthings.odata.errors import QueryError
from api.sensorthings.odata.limits import Limits
from api.sensorthings.odata.parser import parse
from api.sensorthings.wire.v1_1 import WireV11

log = logging.getLogger(__name__)

CASES = int(os.environ.get("GRENZREGION_COMPILE_CASES", "2000"))
FIRST = int(os.environ.get("GRENZREGION_COMPILE_FIRST", "0"))
SECONDS = float(os.environ.get("GRENZREGION_FUZZ_SECONDS", "inf"))
LIMITS = Limits(query_bytes=4096, query_nodes=100, query_depth=20, expand_depth=3, top_default=100, top_max=10_000)
WIRE = WireV11("http://region.example/v1.1")
# Of the grammar's literals and names, what no statement of ours has.
MARKS = tuple(m.encode() for m in ("DROP TABLE", "'1'='1", "pg_sleep", "jndi", "a" * 300, "💧", "\u202e", "99999999999", "Ä"))
CPU_S = 2.0  # a case takes 2 ms
SHOWN = 20


@pytest.mark.timeout(300 + CASES // 10)
def test_every_case_is_compiled_or_refused() -> None:
    outcomes: Counter[str] = Counter()
    findings: list[str] = []
    until = time.monotonic() + SECONDS
    for number in range(FIRST, FIRST + CASES):
        if time.monotonic() > until:
            break
        started = time.process_time()
        outcome = compiled(number)
        outcomes[outcome] += 1
        if outcome not in {"compiled", "refused"} or time.process_time() - started > CPU_S:
            findings.append(f"case {number}, {case(number)}: {outcome}, {time.process_time() - started:.1f} s")
    tried = outcomes.total()
    log.info("%s cases from number %s: %s", tried, FIRST, dict(outcomes))
    assert not findings, "\n".join(findings[:SHOWN])
    # Or the grammar would try the parser's errors alone.
    assert outcomes["compiled"] > tried * 0.2, outcomes


def compiled(number: int) -> str:
    path, _, query = case(number).partition("?")
    try:
        parsed = parse(path, query, LIMITS)
        statement = compile_request(
            parsed.request,
            wire=WIRE,
            limits=LIMITS,
            access=Access(sees_private=number % 2 == 0, languages=("de", "da")[: number % 4]),
            abilities=Abilities(postgis=number % 3 > 0),
        )
        statement.bind(parsed.values)
    except QueryError as error:
        return "refused" if str(error) else "refused without a word"
    except Exception as error:  # noqa: BLE001 - any other is a finding, and the cases after it shall be tried too
        return repr(error)
    leaked = [mark for mark in MARKS if mark in statement.query]
    return f"{leaked} in the statement" if leaked else "compiled"
