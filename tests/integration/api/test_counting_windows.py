"""Counts over time windows come from aggregates, and are those of the rows to the last one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from reading import AGGREGATES, Asking, asking, fill

pytestmark = pytest.mark.integration

ROWS = Path(__file__).with_name("windows.sql").read_text()


@pytest.fixture(scope="module", params=["embedded", "local"])
def region(request: pytest.FixtureRequest, servers: Any) -> Iterator[Asking]:
    with servers.database(request.param) as url:
        fill(url, ROWS)
        fill(url, AGGREGATES)
        with asking(url) as asked:
            yield asked


def instant(day: int, quarter: int, odd: str) -> str:
    month, number = divmod(day, 28)
    return f"2026-{month + 1:02}-{number + 1:02}T{quarter // 4:02}:{quarter % 4 * 15 + (7 if odd else 0):02}:{odd or '00'}Z"


instants = st.builds(instant, st.integers(20, 120), st.integers(0, 95), st.sampled_from(["", "", "", "00", "13.25"]))
near_change = st.builds(instant, st.integers(2 * 28 + 27, 3 * 28), st.integers(0, 95), st.sampled_from(["", "13"]))
times = st.one_of(instants, near_change)
values = st.one_of(times, times.map("'{}'".format), st.tuples(times, times).map(lambda pair: "/".join(sorted(pair))))
bounds = st.one_of(
    st.tuples(st.sampled_from(["ge", "gt", "lt", "le"]), values).map(lambda b: f"phenomenonTime {b[0]} {b[1]}"),
    st.tuples(st.sampled_from(["ge", "gt", "lt", "le"]), values).map(lambda b: f"{b[1]} {b[0]} phenomenonTime"),
    st.tuples(st.sampled_from(["before", "after", "during"]), values).map(lambda b: f"{b[0]}(phenomenonTime,{b[1]})"),
)
datastreams = st.sampled_from(
    [
        "Datastream/id eq 3",
        "Datastream/id in (1,2,7)",
        "Datastream/Thing/name eq 'Kolkata'",
        "Datastream/Thing/name ne 'Berlin'",
        "not (Datastream/Thing/name eq 'UTC')",
    ]
)
conditions = st.lists(st.one_of(bounds, bounds, bounds, datastreams), min_size=1, max_size=3).map(" and ".join)
paths = st.sampled_from(["Observations", "Observations", "Datastreams(1)/Observations", "Things(3)/Datastreams(8)/Observations"])


def count(region: Asking, path: str, condition: str, *, private: bool) -> int:
    return region.json(f"{path}?$count=true&$top=0&$filter={condition}", private=private)["@iot.count"]


CHANGE = "2026-03-29T00"  # the hour before the clocks of Berlin and the Azores change
DAYS = "phenomenonTime ge 2026-02-10T00:00:00Z and phenomenonTime lt 2026-04-11T00:00:00Z"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(path=paths, condition=conditions, private=st.booleans())
@example(path="Observations", condition=DAYS, private=True)
@example(
    path="Observations", condition=f"phenomenonTime ge {CHANGE}:30:00Z and phenomenonTime lt 2026-03-29T01:00:00Z", private=True
)
@example(path="Observations", condition=f"phenomenonTime gt {CHANGE}:00:00Z and phenomenonTime le {CHANGE}:00:00Z", private=True)
@example(path="Observations", condition=f"phenomenonTime lt 2026-03-01T00:00Z and phenomenonTime gt {CHANGE}:00:00Z", private=True)
def test_a_count_over_a_window_is_the_count_of_its_rows(region: Asking, path: str, condition: str, private: bool) -> None:
    # The second condition is always true, and nothing that aggregates know.
    assert count(region, path, condition, private=private) == count(region, path, f"({condition}) and id ge 0", private=private)


@pytest.mark.parametrize("path", ["Observations", "Datastreams(1)/Observations"])
def test_a_count_over_a_window_reads_no_rows_but_those_at_its_edges(region: Asking, path: str) -> None:
    plan = region.plan(f"{path}?$count=true&$top=0&$filter={DAYS}")
    assert "aggregate" in plan
    assert "observation_interval" in plan


@pytest.mark.parametrize(
    "condition",
    ["resultTime lt 2026-03-01T00:00:00Z", "result gt 3", "phenomenonTime eq 2026-03-01T00:00:00Z", "not (id eq 1)"],
)
def test_other_conditions_are_counted_row_by_row(region: Asking, condition: str) -> None:
    assert "aggregate" not in region.plan(f"Observations?$count=true&$top=0&$filter={condition} and {DAYS}")


def test_now_is_a_bound_too(region: Asking) -> None:
    assert count(region, "Observations", "phenomenonTime lt now()", private=True) == count(
        region, "Observations", "id ge 0", private=True
    )
    plan = region.plan("Observations?$count=true&$top=0&$filter=phenomenonTime ge now() sub duration'P1D'")
    assert "aggregate" in plan
