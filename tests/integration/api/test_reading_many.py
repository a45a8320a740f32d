"""Thousands of queries by the grammar, against a database: each is answered, or refused in words of ours, and in time.

`GRENZREGION_FUZZ_CASES` says how many (10,000), `GRENZREGION_FUZZ_SECONDS` for how long at most; each case follows from its number.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any

import psycopg
import pytest
from odata_grammar import case
from reading import Asking, asking, fill

from api.errors import ApiError, UnavailableError, translate
from api.sensorthings.odata.build import Access
from api.sensorthings.odata.errors import QueryError
from infra.servers import local

pytestmark = pytest.mark.integration

log = logging.getLogger(__name__)

CASES = int(os.environ.get("GRENZREGION_FUZZ_CASES", "10000"))
SECONDS = float(os.environ.get("GRENZREGION_FUZZ_SECONDS", "inf"))
TIMEOUT_S = 1.0
SLACK_S = 10.0  # of a loaded machine
SHOWN = 20
DATABASE_WORDS = re.compile(
    r"psycopg|SQLSTATE|LINE \d|pg_|\bread\.|relation \"|column \"|syntax error|ERROR:|Traceback", re.IGNORECASE
)


@pytest.fixture(scope="module")
def region(servers: Any) -> Iterator[Asking]:
    # With PostGIS where it is, so that functions of places are tried too.
    with servers.database("local" if local.is_installed() else "embedded") as url:
        fill(url)
        with asking(url, statement_timeout_ms=int(TIMEOUT_S * 1000)) as asked:
            yield asked


@pytest.mark.timeout(300 + CASES)
def test_every_query_is_answered_or_refused(region: Asking) -> None:
    outcomes: Counter[str] = Counter()

    async def ask(number: int) -> str:
        path, _, query = case(number).partition("?")
        answer = await region.reader.read(path, query, Access(sees_private=number % 2 == 0))
        if answer.rest is not None:
            async for _ in answer.rest:
                pass
        return "answered"

    until = time.monotonic() + SECONDS
    findings: list[str] = []
    for number in range(CASES):
        started = time.monotonic()
        if started > until:
            break
        about = f"case {number}, {case(number)}"
        try:
            outcomes[_outcome(region, ask(number), about)] += 1
        except Exception as error:  # noqa: BLE001 - a finding, and the cases after it shall be tried too
            findings.append(f"{about}: {error} {error.__cause__ or error!r}")
        if time.monotonic() - started > TIMEOUT_S + SLACK_S:
            findings.append(f"{about}: {time.monotonic() - started:.1f} s")
    tried = outcomes.total()
    log.info("%s cases: %s", tried, dict(outcomes))
    assert not findings, "\n".join(findings[:SHOWN])
    # Most cases are answered, or the grammar would try the parser's errors alone; hardly any is slow on so few rows.
    assert outcomes["answered"] > tried * 0.2, outcomes
    assert outcomes["too slow"] <= max(1, tried // 100), outcomes


def _outcome(region: Asking, asked: Coroutine[Any, Any, str], about: str) -> str:
    try:
        return region._runner.run(asked)
    except (ApiError, QueryError, psycopg.Error) as error:
        found = error
    told = translate(found)
    if told is None:
        raise AssertionError(about) from found
    if not isinstance(found, QueryError):
        # Ours quote what was asked; these are fixed texts.
        assert not DATABASE_WORDS.search(told.message), f"{about}: {told.message}"
    return "too slow" if isinstance(told, UnavailableError) else type(told).__name__
