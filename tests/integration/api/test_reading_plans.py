"""The main shapes of requests read Observations by an index, never the whole table; counts read the summaries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reading import Asking, asking, fill

from api.sensorthings.odata.errors import NotServedError
from benchmarks.api_region import Region
from benchmarks.api_stages import compared, reading, within

pytestmark = pytest.mark.integration

MANY = Path(__file__).with_name("many_readings.sql").read_text()
WINDOW = "phenomenonTime ge 2026-02-01T00:00:00Z and phenomenonTime lt 2026-02-02T00:00:00Z"
WHOLE_TABLE = re.compile(r"(?:Parallel )?Seq Scan on (?:\w+\.)?(?:observation\b|_hyper_\w+_chunk)")
# The requests that the benchmark sends, of the region in many_readings.sql.
BENCHMARKED = {
    read.name: read
    for region in [Region(things=[*range(1, 21)], datastreams=[*range(1, 201)], minutes=[150 * 11 * 60] * 200)]
    for read in (*reading(region), *within(), *compared(region, [2813650000000000 + number for number in range(10)]))
}
GEOMETRIES = ("f6", "f6 many", "f6 fourth")
WITHOUT_OBSERVATIONS = ("f1", "f4", "latest", *GEOMETRIES)
OBSERVATIONS = re.compile(r"Scan\b.* on (?:observation|_hyper_\w+_chunk)\b")


@pytest.fixture(scope="module", params=["embedded", "local"])
def many(request: pytest.FixtureRequest, servers: Any) -> Iterator[Asking]:
    with servers.database(request.param) as url:
        fill(url, MANY)
        with asking(url) as asked:
            yield asked


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
        "Datastreams(7)/Observations?as_of=2026-02-01T00:00:00Z&$top=10",
        f"Observations?as_of=2026-02-01T00:00:00Z&$filter={WINDOW}&$top=10",
    ],
)
def test_observations_are_read_by_an_index(many: Asking, url: str) -> None:
    plan = many.plan(url)
    assert OBSERVATIONS.search(plan)
    assert not WHOLE_TABLE.search(plan), plan


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("name", BENCHMARKED)
def test_each_request_of_the_benchmark_reads_by_an_index(many: Asking, name: str, *, generic: bool) -> None:
    if name in GEOMETRIES and not many.postgis:
        with pytest.raises(NotServedError):
            many.plan(BENCHMARKED[name].path())
        return
    plan = many.plan(BENCHMARKED[name].path(), generic=generic)
    assert "Index" in plan
    assert not WHOLE_TABLE.search(plan), plan
    assert bool(OBSERVATIONS.search(plan)) == (name not in WITHOUT_OBSERVATIONS), plan
    if name in GEOMETRIES:
        assert "Index Scan using location_shape" in plan, plan


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize(
    ("url", "bound"),
    [
        ("Observations?$top=100", "phenomenon_time >= "),
        ("Datastreams(7)/Observations?$top=40", "phenomenon_time >= "),
        ("Datastreams(7)/Observations?$top=40&$orderby=phenomenonTime desc", "phenomenon_time <= "),
        ("Datastreams(7)/Observations?$top=40&$resultFormat=dataArray", "phenomenon_time >= "),
        ("Datastreams?$top=50", "id >"),
        ("Things?$top=10", "id >"),
    ],
)
def test_the_next_page_starts_at_its_key(many: Asking, url: str, bound: str, *, generic: bool) -> None:
    link = many.follow(many.json(url)["@iot.nextLink"])["@iot.nextLink"].partition("v1.1/")[2]
    plan = many.plan(link.replace("%20", " "), generic=generic)
    assert re.search(rf"Index Cond: .*{bound}", plan), plan
    assert not WHOLE_TABLE.search(plan)


@pytest.mark.parametrize(
    "url", ["Datastreams(7)/Observations?$top=1000", "Datastreams(7)/Observations?$orderby=phenomenonTime desc"]
)
def test_the_rows_of_a_datastream_come_in_order_without_a_sort(many: Asking, url: str) -> None:
    plan = many.plan(url, generic=True)
    assert "Sort" not in plan, plan
    assert "WindowAgg" not in plan


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


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize(
    "url",
    [
        "FeaturesOfInterest(3)/Observations?$top=100",
        "FeaturesOfInterest(3)/Observations?$top=10&$skip=5&$orderby=phenomenonTime desc",
        "FeaturesOfInterest?$top=2&$expand=Observations($top=3)",
    ],
)
def test_observations_of_a_feature_are_looked_for_in_its_datastreams_alone(many: Asking, url: str, *, generic: bool) -> None:
    plan = many.plan(url, generic=generic)
    assert "datastream_feature" in plan
    assert re.search(r"observation_key", plan), plan
    assert "observation_time" not in plan, plan
    assert not WHOLE_TABLE.search(plan), plan


def test_observations_of_a_feature_are_those_of_all_its_datastreams_in_order(many: Asking) -> None:
    whole = many.json("Observations?$filter=FeatureOfInterest/id eq 3&$top=2000&$count=true")
    assert whole["@iot.count"] == 1500
    shown = many.json("FeaturesOfInterest(3)/Observations?$top=2000&$count=true")
    assert (shown["value"], shown["@iot.count"]) == (whole["value"], 1500)
    part = many.json("FeaturesOfInterest(3)/Observations?$top=20&$skip=30")
    assert part["value"] == whole["value"][30:50]
    assert many.follow(part["@iot.nextLink"])["value"] == whole["value"][50:70]


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
