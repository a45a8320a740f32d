"""Requests that schemathesis makes of the OpenAPI document: each is answered, and refused in words of ours.

`GRENZREGION_OPENAPI_CASES` says how many (1,000).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from reading import fill
from schemathesis import openapi
from writing import TOKEN, settings_for

from api.app import create_app

pytestmark = pytest.mark.integration

CASES = int(os.environ.get("GRENZREGION_OPENAPI_CASES", "1000"))
# Streams without end, and what depends on servers that this test has not.
LEFT_OUT = re.compile(r"/live$|^/health/|/replay$")
DATABASE_WORDS = re.compile(r"psycopg|SQLSTATE|LINE \d|pg_|relation \"|column \"|syntax error at|ERROR:|Traceback", re.IGNORECASE)


def operations(document: dict[str, Any]) -> list[Any]:
    found = [result.ok() for result in openapi.from_dict(document).get_all_operations()]
    return [operation for operation in found if not LEFT_OUT.search(operation.path)]


@pytest.mark.timeout(300 + CASES)
def test_every_example_is_answered_in_words_of_ours(database: str, tmp_path: Path) -> None:
    fill(database)
    app = create_app(settings_for(database, tmp_path, statement_timeout_ms=2000))
    seen: Counter[int] = Counter()

    async def ask(client: httpx.AsyncClient, case: Any) -> None:
        asked = case.as_transport_kwargs(base_url="http://test")
        body = {name: asked[name] for name in ("json", "data") if asked.get(name) is not None}
        headers = {k: v for k, v in (asked.get("headers") or {}).items() if k.lower() != "user-agent"}
        try:
            request = client.build_request(case.method, asked["url"], params=asked.get("params"), headers=headers, **body)
        except (UnicodeError, httpx.InvalidURL, TypeError):
            return  # no HTTP client can send it
        answer = await client.send(request)
        seen[answer.status_code] += 1
        # 501: functions of places need PostGIS, which `embedded` has not.
        assert answer.status_code < 500 or answer.status_code == 501, f"{request.method} {request.url}: {answer.text}"
        if answer.status_code >= 400:
            told = answer.json()
            assert told["message"], f"{request.method} {request.url}"
            assert not DATABASE_WORDS.search(_without_quotes(told["message"])), f"{request.method} {request.url}: {told['message']}"

    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            tried = operations(app.openapi())
            for operation in tried:
                _try(operation, lambda case: runner.run(ask(client, case)), max(1, CASES // len(tried)))
        finally:
            runner.run(client.aclose())
            runner.run(lifespan.__aexit__(None, None, None))
    assert seen[200] > CASES // 100
    assert seen[400] > CASES // 100


def _try(operation: Any, ask: Any, examples: int) -> None:
    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy())
    def each(case: Any) -> None:
        ask(case)

    each()


def _without_quotes(message: str) -> str:
    """What an error quotes is the sender's."""
    return re.sub(r"'.*'|\".*\"", "", message, flags=re.DOTALL)
