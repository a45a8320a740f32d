"""Any text is answered by a statement or by an error of ours; what a client sends never becomes part of the SQL."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.sensorthings.entities.schema import ENTITY_SETS
from api.sensorthings.odata.build import Abilities, Access
from api.sensorthings.odata.compiler import compile_request
from api.sensorthings.odata.errors import QueryError
from api.sensorthings.odata.functions import FUNCTIONS
from api.sensorthings.odata.limits import Limits
from api.sensorthings.odata.parser import parse
from api.sensorthings.odata.statement import Statement
from api.sensorthings.wire.v1_1 import WireV11

LIMITS = Limits(query_bytes=4096, query_nodes=100, query_depth=20, expand_depth=3, top_default=100, top_max=10_000)
WIRE = WireV11("http://region.example/v1.1")

NAMES = sorted(
    {n for s in ENTITY_SETS for n in (s.name, *(p.name for p in s.properties), *(r.name for r in s.navigations))}
    | {"id", "@iot.id"}
)
LITERALS = [
    "1",
    "-2.5",
    "'x'",
    "'3'",
    "true",
    "null",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z",
    "2026-01-01",
    "10:00",
    "duration'PT1H'",
    "geography'POINT(9 54)'",
]
OPERATORS = ["eq", "ne", "gt", "ge", "lt", "le", "add", "sub", "mul", "div", "mod", "and", "or"]

paths = st.lists(st.sampled_from([*NAMES, "owner", "a-b", "0"]), min_size=1, max_size=4).map("/".join)
leaves = st.one_of(paths, st.sampled_from(LITERALS))
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(" ".join),
        inner.map(lambda e: f"({e})"),
        inner.map(lambda e: f"not {e}"),
        st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, max_size=3)).map(lambda c: f"{c[0]}({','.join(c[1])})"),
        st.tuples(inner, st.lists(inner, min_size=1, max_size=3)).map(lambda m: f"{m[0]} in ({','.join(m[1])})"),
    ),
    max_leaves=8,
)
options = st.recursive(
    st.one_of(
        expressions.map(lambda e: f"$filter={e}"),
        st.lists(st.tuples(expressions, st.sampled_from(["", " asc", " desc"])).map("".join), min_size=1, max_size=3).map(
            lambda items: "$orderby=" + ",".join(items)
        ),
        st.lists(paths, min_size=1, max_size=3).map(lambda items: "$select=" + ",".join(items)),
        st.integers(0, 5).map(lambda n: f"$top={n}"),
        st.integers(0, 5).map(lambda n: f"$skip={n}"),
        st.just("$count=true"),
    ),
    lambda inner: st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=3)).map(
        lambda e: f"$expand={e[0]}({';'.join(e[1])})" if e[1] else f"$expand={e[0]}"
    ),
    max_leaves=4,
)
resources = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["", "(1)"])).map("".join), min_size=1, max_size=4).map(
    "/".join
)


def compiled(path: str, query: str) -> Statement | None:
    try:
        parsed = parse(path, query, LIMITS)
        statement = compile_request(
            parsed.request, wire=WIRE, limits=LIMITS, access=Access(sees_private=False), abilities=Abilities(postgis=True)
        )
        statement.bind(parsed.values)
    except QueryError:
        return None
    return statement


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(resources, st.lists(options, max_size=4))
def test_grammatical_queries_compile_or_are_refused(path: str, query: list[str]) -> None:
    compiled(path, "&".join(quote(option, safe="$=(),;'/") for option in query))


@settings(max_examples=400, deadline=None)
@given(
    st.text(max_size=40),
    st.sampled_from(["$filter", "$orderby", "$select", "$expand", "$top", "$skip", "$count", "$skiptoken"]),
    st.text(max_size=60),
)
def test_any_text_is_compiled_or_refused(path: str, option: str, value: str) -> None:
    compiled("Things", f"{option}={quote(value, errors='replace')}")
    compiled(quote(path, errors="replace"), "")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abcdefXYZ;'\"\\$-{}% ", min_size=3, max_size=12))
def test_no_text_of_a_client_reaches_the_statement(text: str) -> None:
    marked = f"qzq{text}qzq"
    for query in (
        f"$filter=name eq '{marked.replace(chr(39), chr(39) * 2)}'",
        f"$filter=properties/{marked} eq 1",
        f"$orderby=properties/{marked}",
        f"$expand=Datastreams($filter=name eq '{marked.replace(chr(39), chr(39) * 2)}')",
        f"$filter=substringof('{marked.replace(chr(39), chr(39) * 2)}',name)",
    ):
        statement = compiled("Things", quote(query, safe="$="))
        assert statement is None or b"qzq" not in statement.query
    statement = compiled(f"Things(1)/properties/{quote(marked, safe='')}", "")
    assert statement is None or b"qzq" not in statement.query
