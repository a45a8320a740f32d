"""`$apply` gives exactly what the rows give, from aggregate tables and the rows at the edges of a window."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from reading import AGGREGATES, ROOT, Asking, asking, fill

from api.sensorthings.odata import aggregation
from api.sensorthings.odata.build import Access
from api.sensorthings.odata.errors import LimitExceededError, MalformedQueryError

pytestmark = pytest.mark.integration

ROWS = Path(__file__).with_name("windows.sql").read_text()
ALL = "result with average as mean,result with min as low,result with max as high,result with sum as total,$count as n"


@pytest.fixture(scope="module")
def region_url(servers: Any) -> Iterator[str]:
    with servers.database("embedded") as url:
        fill(url, ROWS + AGGREGATES)
        yield url


@pytest.fixture(scope="module")
def region(region_url: str) -> Iterator[Asking]:
    with asking(region_url) as asked:
        yield asked


@pytest.fixture(scope="module")
def rows(region_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(region_url, row_factory=dict_row, options="-c timezone=UTC") as connection:
        yield connection


def groups(region: Asking, apply: str, rest: str = "", *, path: str = "Observations", private: bool = True) -> list[Any]:
    return region.json(f"{path}?$apply={apply}&$top=10000{rest}", private=private)["value"]


BUCKETS = {
    "quarterHour": "date_bin('15 min', phenomenon_time, '2000-01-01Z')",
    "hour": "date_bin('1 hour', phenomenon_time, '2000-01-01Z')",
    "day": "date_trunc('day', date_bin('15 min', phenomenon_time, '2000-01-01Z'), timezone)",
    "month": "date_trunc('month', date_bin('15 min', phenomenon_time, '2000-01-01Z'), timezone)",
}
OF_ROWS = """
SELECT d.id AS datastream, to_char({bucket} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS bucket,
       (avg(number::text::numeric))::float8 AS mean, min(number) AS low, max(number) AS high,
       sum(number::text::numeric)::float8 AS total, count(*) AS n
  FROM observation o JOIN datastream d ON d.id = o.datastream_id JOIN thing t ON t.id = d.thing_id
 WHERE NOT deleted AND flag = ANY (%(flags)s) AND phenomenon_time >= %(low)s::text::timestamptz
   AND phenomenon_time < %(high)s::text::timestamptz
 GROUP BY 1, 2 ORDER BY 1, 2
"""

times = st.builds(
    "2026-{:02}-{:02}T{:02}:{:02}:{}Z".format,
    st.integers(2, 4),
    st.integers(1, 28),
    st.integers(0, 23),
    st.sampled_from([0, 15, 7]),
    st.sampled_from(["00", "30.5"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    level=st.sampled_from(sorted(BUCKETS)), window=st.tuples(times, times).map(sorted), flags=st.sampled_from([[1], [1, 3], [3]])
)
def test_groups_are_those_of_the_rows(region: Asking, rows: Any, level: str, window: list[str], flags: list[int]) -> None:
    low, high = window
    condition = f"phenomenonTime ge {low} and phenomenonTime lt {high}"
    if flags != [1]:
        condition += f" and parameters/qc in ({','.join(map(str, flags))})"
    found = groups(region, f"filter({condition})/groupby((Datastream/id,phenomenonTime/{level}),aggregate({ALL}))")
    parameters = {"flags": flags, "low": low, "high": high}
    expected = rows.execute(OF_ROWS.format(bucket=BUCKETS[level]), parameters).fetchall()
    shown = [
        {"datastream": g.pop("Datastream")["@iot.id"], "bucket": g.pop("phenomenonTime").partition("/")[0], **g} for g in found
    ]
    assert [g["mean"] for g in shown] == pytest.approx([g["mean"] for g in expected])
    assert [{**g, "mean": 0} for g in shown] == [{**g, "mean": 0} for g in expected]


def test_a_bucket_is_shown_as_an_interval(region: Asking) -> None:
    (day,) = groups(
        region, "filter(Datastream/id eq 1 and during(phenomenonTime,2026-03-29T00:00:00Z/2026-03-29T20:00:00Z))/"
        "groupby((phenomenonTime/day),aggregate($count as n))",
    )  # fmt: skip
    assert day["phenomenonTime"] == "2026-03-28T23:00:00Z/2026-03-29T22:00:00Z"  # 23 hours, for the clocks change
    month = groups(region, "groupby((phenomenonTime/month),aggregate($count as n))", path="Datastreams(1)/Observations")[0]
    assert month["phenomenonTime"] == "2026-01-31T23:00:00Z/2026-02-28T23:00:00Z"


def test_groups_follow_the_relations_of_the_datastream(region: Asking, rows: Any) -> None:
    found = groups(
        region, "groupby((Datastream/Thing/name,Datastream/ObservedProperty/id),aggregate($count as n))", "&$orderby=n desc"
    )
    assert {g["Datastream"]["Thing"]["name"] for g in found} == {"Berlin", "Kolkata", "Azores", "Private", "UTC"}
    assert all(g["Datastream"]["ObservedProperty"] == {"@iot.id": 1} for g in found)
    assert [g["n"] for g in found] == sorted((g["n"] for g in found), reverse=True)
    good = rows.execute("SELECT count(*) AS n FROM observation WHERE NOT deleted AND flag = 1").fetchone()
    assert sum(g["n"] for g in found) == good["n"]


def test_all_of_it_is_one_group(region: Asking, rows: Any) -> None:
    (found,) = groups(region, f"aggregate({ALL})")
    expected = rows.execute(
        "SELECT count(*) AS n, max(number) AS high, sum(number::text::numeric)::float8 AS total"
        "  FROM observation WHERE NOT deleted AND flag = 1"
    ).fetchone()
    assert {"n": found["n"], "high": found["high"], "total": found["total"]} == expected
    assert groups(region, "filter(Datastream/id eq 99)/aggregate(result with sum as s,$count as n)") == [{"s": None, "n": 0}]


def test_flags_are_a_group_where_they_are_asked_for(region: Asking) -> None:
    found = groups(region, "groupby((parameters/qc),aggregate($count as n))")
    assert [g["parameters"] for g in found] == [{"qc": 1}, {"qc": 3}]


def test_private_things_are_not_in_it(region: Asking) -> None:
    apply = "groupby((Datastream/Thing/name),aggregate($count as n))"
    assert "Private" in {g["Datastream"]["Thing"]["name"] for g in groups(region, apply)}
    assert "Private" not in {g["Datastream"]["Thing"]["name"] for g in groups(region, apply, private=False)}


def test_pages_lead_through_every_group_once(region: Asking) -> None:
    url = "Observations?$apply=groupby((Datastream/id,phenomenonTime/day),aggregate($count as n))&$orderby=n desc&$count=true"
    whole = region.json(url + "&$top=10000")
    page = region.json(url + "&$top=100")
    assert page["@iot.nextLink"].startswith(f"{ROOT}/Observations?$apply=groupby(")
    seen = list(page["value"])
    while "@iot.nextLink" in page:
        page = region.follow(page["@iot.nextLink"])
        seen += page["value"]
    assert len(seen) == whole["@iot.count"] == page["@iot.count"]
    assert seen == whole["value"]
    assert region.json(url + "&$top=0") == {"@iot.count": whole["@iot.count"], "value": []}
    assert region.json(url + "&$top=100&$skip=100")["value"] == whole["value"][100:200]


def test_a_filter_beside_it_is_one_before_it(region: Asking) -> None:
    beside = groups(region, "aggregate($count as n)", "&$filter=phenomenonTime lt 2026-03-01T00:00:00Z")
    assert beside == groups(region, "filter(phenomenonTime lt 2026-03-01T00:00:00Z)/aggregate($count as n)")
    twice = "filter(phenomenonTime lt 2026-03-01T00:00:00Z)/filter(Datastream/id eq 1)/aggregate($count as n)"
    assert groups(region, twice)[0]["n"] < beside[0]["n"]


DAYS = "groupby((Datastream/id,Datastream/Thing/name,phenomenonTime/day),aggregate(result with average as mean,$count as n))"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("n gt 5", lambda g: g["n"] > 5),
        ("n ge 3 and not (mean lt 3000.5)", lambda g: g["n"] >= 3 and not g["mean"] < 3000.5),
        ("floor(n div 2) eq 2 or Datastream/id in (1,3)", lambda g: g["n"] // 2 == 2 or g["Datastream"]["@iot.id"] in (1, 3)),
        ("startswith(Datastream/Thing/name,'K')", lambda g: g["Datastream"]["Thing"]["name"] == "Kolkata"),
        ("phenomenonTime ge 2026-03-10T00:00:00Z", lambda g: g["phenomenonTime"] >= "2026-03-10T00:00:00Z"),
        ("mean sub n gt 10 mul n and contains(Datastream/Thing/name,'e')",
         lambda g: g["mean"] - g["n"] > 10 * g["n"] and "e" in g["Datastream"]["Thing"]["name"]),
    ],
)  # fmt: skip
def test_a_filter_behind_the_groups_is_about_the_groups(region: Asking, condition: str, holds: Any) -> None:
    every = groups(region, DAYS)
    found = region.json(f"Observations?$apply={DAYS}/filter({condition})&$top=10000&$count=true", private=True)
    assert 0 < len(found["value"]) < len(every)
    assert found["value"] == [group for group in every if holds(group)]
    assert found["@iot.count"] == len(found["value"])
    assert groups(region, f"{DAYS}/filter(n ge 0)/filter({condition})") == found["value"]


def table(region: Asking, url: str) -> list[dict[str, str]]:
    async def whole() -> bytes:
        path, _, query = url.partition("?")
        answer = await region.reader.read(path, quote(query, safe="$&=(),;/"), Access(sees_private=True))
        assert answer.media == "text/csv"
        return (answer.body or b"") + b"".join([part async for part in answer.rest or nothing()])

    async def nothing() -> AsyncIterator[bytes]:
        return
        yield b""

    return list(csv.DictReader(io.StringIO(region._runner.run(whole()).decode())))


@pytest.mark.parametrize("chunk", [7, 5_000])
def test_groups_as_csv_are_those_of_json_however_many(region_url: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregation, "CHUNK", chunk)
    apply = f"{DAYS}/filter(n gt 7)" if chunk == 7 else DAYS
    with asking(region_url) as region:
        found = table(region, f"Observations?$apply={apply}&$resultFormat=CSV&$orderby=n desc")
        expected = groups(region, apply, "&$orderby=n desc")
    assert [list(row) for row in found[:1]] == [["Datastream/id", "Datastream/Thing/name", "phenomenonTime", "mean", "n"]]
    assert [
        (int(row["Datastream/id"]), row["Datastream/Thing/name"], row["phenomenonTime"], float(row["mean"]), int(row["n"]))
        for row in found
    ] == [(g["Datastream"]["@iot.id"], g["Datastream"]["Thing"]["name"], g["phenomenonTime"], g["mean"], g["n"]) for g in expected]


def test_a_page_of_csv_ends_where_it_was_asked_to(region: Asking) -> None:
    url = f"Observations?$apply={DAYS}&$resultFormat=CSV"
    whole = table(region, url)
    assert table(region, f"{url}&$top=3&$skip=2") == whole[2:5]
    assert table(region, f"{url}&$top=0") == []
    nothing = "Observations?$apply=filter(Datastream/id eq 99)/aggregate(result with sum as s,$count as n)&$resultFormat=CSV"
    assert table(region, nothing) == [{"s": "", "n": "0"}]
    flags = table(region, "Datastreams(1)/Observations?$apply=groupby((parameters/qc),aggregate($count as n))&$resultFormat=CSV")
    assert [row["parameters/qc"] for row in flags] == ["1", "3"]


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("$apply=", "filter(…)"),
        ("$apply=compute(1 as x)", "filter(…)"),
        ("$apply=groupby(Datastream/id)", "'('"),
        ("$apply=groupby((Datastream/id),topcount(1,n))", "aggregate"),
        ("$apply=filter(1 eq 1)", "groupby"),
        ("$apply=filter(result gt 3)/aggregate($count as n)", "parameters/qc"),
        ("$apply=aggregate($count as n)&$filter=resultTime gt 2026-01-01T00:00:00Z", "phenomenonTime"),
        ("$apply=aggregate(result with median as m)", "average, min, max, sum"),
        ("$apply=aggregate(result as m)", "'with'"),
        ("$apply=aggregate(result with sum)", "'as'"),
        ("$apply=aggregate(result with sum as 3)", "a name"),
        ("$apply=aggregate(resultTime with max as m)", "only result"),
        ("$apply=aggregate(result/a with max as m)", "only result"),
        ("$apply=aggregate(colour with max as m)", "colour"),
        ("$apply=aggregate(result with max as m,$count as m)", "two results"),
        ("$apply=groupby((Datastream/id),aggregate($count as Datastream))", "grouped by"),
        ("$apply=groupby((phenomenonTime/minute),aggregate($count as n))", "/quarterHour"),
        ("$apply=groupby((phenomenonTime/day,phenomenonTime/hour),aggregate($count as n))", "one bucket"),
        ("$apply=groupby((result),aggregate($count as n))", "groups are by"),
        ("$apply=groupby((Datastream/properties/a),aggregate($count as n))", "groups are by"),
        ("$apply=groupby((Datastream/Thing/Locations/name),aggregate($count as n))", "groups are by"),
        ("$apply=groupby((Datastream/colour),aggregate($count as n))", "colour"),
        ("$apply=groupby((Datastream/id),aggregate($count as n))/topcount(1,n)", "nothing else follows"),
        ("$apply=groupby((Datastream/id),aggregate($count as n))/filter(m gt 3)", "datastream/id, n"),
        ("$apply=groupby((Datastream/id),aggregate($count as n))/filter(result gt 3)", "behind the groups"),
        ("$apply=groupby((Datastream/id),aggregate($count as n))/filter(n)", "truth value"),
        (
            "$apply=groupby((Datastream/id),aggregate($count as n))/filter(Datastream/Thing/Datastreams/any())",
            "no related entities",
        ),
        ("$apply=aggregate($count as n)/filter(n gt 1", "')'"),
        ("$apply=aggregate($count as n)&$orderby=result", "$orderby"),
        ("$apply=aggregate($count as n)&$orderby=n add 1", "$orderby"),
        ("$apply=aggregate($count as n)&$select=n", "$select"),
        ("$apply=aggregate($count as n)&$expand=Datastream", "$expand"),
        ("$apply=aggregate($count as n)&$resultFormat=GeoJSON", "$resultFormat"),
        ("$apply=aggregate($count as n)&$apply=aggregate($count as n)", "given twice"),
    ],
)
def test_what_aggregates_do_not_know_is_refused(region: Asking, query: str, part: str) -> None:
    with pytest.raises(MalformedQueryError) as told:
        region.answer(f"Observations?{query}")
    assert part in str(told.value)


@pytest.mark.parametrize("path", ["Things", "FeaturesOfInterest(1)/Observations", "Things(1)", "Observations/$ref"])
def test_only_observations_are_aggregated(region: Asking, path: str) -> None:
    with pytest.raises(MalformedQueryError):
        region.answer(f"{path}?$apply=aggregate($count as n)")
    with pytest.raises(MalformedQueryError):
        region.answer("Things?$expand=Datastreams($apply=aggregate($count as n))")


def test_limits_hold(region: Asking) -> None:
    with pytest.raises(LimitExceededError):
        region.answer("Observations?$apply=aggregate($count as n)&$top=10001")
    with pytest.raises(LimitExceededError):
        region.answer("Observations?$apply=aggregate(" + ",".join(f"$count as n{i}" for i in range(101)) + ")")


def test_rows_are_read_at_the_edges_alone(region: Asking) -> None:
    plan = region.plan(
        "Observations?$apply=filter(phenomenonTime ge 2026-02-10T00:00:00Z and phenomenonTime lt 2026-04-11T00:00:00Z)/"
        "groupby((Datastream/id,phenomenonTime/day),aggregate($count as n))"
    )
    assert "Seq Scan on observation" not in plan
    assert "observation_time" in plan
