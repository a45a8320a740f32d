"""The main shapes of requests read Observations by an index, never the whole table; counts read the summaries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from reading import Asking, asking, fill

pytestmark = pytest.mark.integration

MANY = Path(__file__).with_name("many_readings.sql").read_text()
WINDOW = "phenomenonTime ge 2026-02-01T00:00:00Z and phenomenonTime lt 2026-02-02T00:00:00Z"
WHOLE_TABLE = re.compile(r"(?:Parallel )?Seq Scan on (?:\w+\.)?(?:observation\b|_hyper_\w+_chunk)")
OBSERVATIONS = re.compile(r"Scan\b.* on (?:observation|_hyper_\w+_chunk)\b")


@pytest.fixture(scope="module", params=["embedded", "local"])
def many(request: pytest.FixtureRequest, servers: Any) -> Iterator[Asking]:
    admin, name = servers.new_database(request.param)
    url = admin.rpartition("/")[0] + "/" + name
    fill(url, MANY)
    with asking(url) as asked:
        yield asked
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    "url",
    [
        "Observations?$top=100",
        "Observations?$orderby=phenomenonTime desc&$top=100",
        "Datastreams(7)/Observations?$top=1000&$orderby=phenomenonTime desc",
        "Datastreams(7)/Observations?$top=10",
        f"Datastreams(7)/Observations?$filter={WINDOW}",
        f"Observations?$filter={WINDOW} and result gt 3&$top=100",
        f"Observations?$filter={WINDOW}&$orderby=phenomenonTime desc&$top=100",
        "Observations?$filter=Datastream/id eq 7&$top=10",
        "Datastreams?$expand=Observations($top=3;$orderby=phenomenonTime desc)",
        "Things(1)/Datastreams(7)/Observations?$top=10",
    ],
)
def test_observations_are_read_by_an_index(many: Asking, url: str) -> None:
    plan = many.plan(url)
    assert OBSERVATIONS.search(plan)
    assert not WHOLE_TABLE.search(plan), plan


@pytest.mark.parametrize(
    "url",
    [
        "Datastreams(7)/Observations?$top=1&$orderby=phenomenonTime desc",
        "Things?$expand=Locations,Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))&$top=100",
    ],
)
def test_the_latest_observations_are_those_of_the_summaries(many: Asking, url: str) -> None:
    plan = many.plan(url)
    assert "datastream_summary" in plan
    assert not OBSERVATIONS.search(plan), plan


def test_an_observation_is_found_by_its_id(many: Asking) -> None:
    own = many.values("Datastreams(7)/Observations?$top=1", "@iot.id")[0]
    for path in (f"Observations({own})", f"Observations({own})/Datastream", f"Observations({own})/result"):
        plan = many.plan(path)
        assert OBSERVATIONS.search(plan)
        assert not WHOLE_TABLE.search(plan), plan


@pytest.mark.parametrize("url", ["Observations?$count=true&$top=0", "Datastreams(7)/Observations?$count=true&$top=0"])
def test_counts_read_the_summaries(many: Asking, url: str) -> None:
    count = many.plan(url).split("Limit")[0]
    assert "datastream_summary" in many.plan(url)
    assert not OBSERVATIONS.search(count)


def test_a_page_in_the_middle_starts_at_its_key(many: Asking) -> None:
    page = many.json("Observations?$top=200&$select=phenomenonTime")
    for _ in range(3):
        page = many.follow(page["@iot.nextLink"])
    link = page["@iot.nextLink"].partition("v1.1/")[2]
    plan = many.plan(link.replace("%20", " "))
    assert re.search(r"Index Cond: .*phenomenon_time >= ", plan), plan
    assert not WHOLE_TABLE.search(plan)
