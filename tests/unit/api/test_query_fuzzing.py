"""Any text is answered by a statement or by an error of ours; what a client sends never becomes part of the SQL."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odata_queries import options, resources

from api.sensorthings.odata.build import Abilities, Access
from api.sensorthings.odata.compiler import compile_request
from api.sensorthings.odata.errors import QueryError
from api.sensorthings.odata.limits import Limits
from api.sensorthings.odata.parser import parse
from api.sensorthings.odata.statement import Statement
from api.sensorthings.wire.v1_1 import WireV11

LIMITS = Limits(query_bytes=4096, query_nodes=100, query_depth=20, expand_depth=3, top_default=100, top_max=10_000)
WIRE = WireV11("http://region.example/v1.1")


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
