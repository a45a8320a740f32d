"""What the compiler lets through, the database can run: no query ends in an error that is a bug of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odata_queries import expressions, options, resources
from reading import Asking, asking, fill

from api.sensorthings.entities.schema import ENTITY_SETS
from api.sensorthings.odata.errors import QueryError

pytestmark = pytest.mark.integration

# Answered with 400 and 503 by the application.
EXPECTED = (QueryError, psycopg.DataError, psycopg.errors.QueryCanceled)


@pytest.fixture(scope="module")
def region(servers: Any) -> Iterator[Asking]:
    with servers.database("embedded") as url:
        fill(url)
        with asking(url, statement_timeout_ms=1000) as asked:
            yield asked


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(resources, st.lists(options, max_size=4))
def test_any_compiled_query_runs(region: Asking, path: str, query: list[str]) -> None:
    with contextlib.suppress(*EXPECTED):
        region.answer(path + "?" + "&".join(quote(option, safe="$=(),;'/") for option in query))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.sampled_from([s.name for s in ENTITY_SETS]), expressions, st.sampled_from(["$filter", "$orderby"]))
def test_any_compiled_expression_runs(region: Asking, name: str, expression: str, option: str) -> None:
    with contextlib.suppress(*EXPECTED):
        region.answer(f"{name}?$count=true&{option}={quote(expression, safe='')}")
