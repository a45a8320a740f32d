"""Strategies for queries that follow the grammar, and often the names and types."""

from __future__ import annotations

from hypothesis import strategies as st

from api.sensorthings.entities.schema import ENTITY_SETS
from api.sensorthings.odata.functions import FUNCTIONS

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
        st.tuples(st.sampled_from(NAMES), st.sampled_from(["any", "all"]), inner).map(lambda m: f"{m[0]}/{m[1]}(d:d/{m[2]})"),
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
        st.sampled_from(["dataArray", "CSV", "GeoJSON"]).map("$resultFormat={}".format),
        st.lists(paths, min_size=1, max_size=2).map(lambda items: "$select=distinct:" + ",".join(items)),
        st.tuples(expressions, paths).map(lambda a: f"$apply=filter({a[0]})/groupby(({a[1]}),aggregate($count as n))"),
        st.just("as_of=2026-03-01T00:00:00Z"),
    ),
    lambda inner: st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=3)).map(
        lambda e: f"$expand={e[0]}({';'.join(e[1])})" if e[1] else f"$expand={e[0]}"
    ),
    max_leaves=4,
)
resources = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["", "(1)"])).map("".join), min_size=1, max_size=4).map(
    "/".join
)
