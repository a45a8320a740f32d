"""Collections against a real database: filters, order, pages, counts."""

from __future__ import annotations

import contextlib

import psycopg
import pytest
from reading import Asking, asking

from api.sensorthings.odata.errors import MalformedQueryError, NotServedError

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("name eq 'Bridge'", ["Bridge"]),
        ("id eq 2 or @iot.id eq 1", ["Bridge", 'O\'Neil "quoted" \\']),
        ("startswith(name,'O''N')", ['O\'Neil "quoted" \\']),
        ("properties/owner eq 'x'", ["Bridge"]),
        ("properties/n gt 2.5 and properties/n lt 4", ["Bridge"]),
        ("properties/n eq '3'", ["Bridge"]),
        ("properties/a-b eq 'dash'", ["Bridge"]),
        ("properties/list/0 eq 1", ["Bridge"]),
        ("properties/on eq true", ["Bridge"]),
        ("properties/on", ["Bridge"]),
        ("properties/at lt 2026-02-01T00:00:00Z", ["Bridge"]),
        ("properties/owner gt 3", []),
        ("properties/nothing eq null", ["Bridge", 'O\'Neil "quoted" \\']),
        ("properties ne null", ["Bridge"]),
        ("not (properties/owner eq 'x')", ['O\'Neil "quoted" \\']),
        ("properties/n in (1,2,3)", ["Bridge"]),
        ("Datastreams/name eq 'Air'", ["Bridge"]),
        ("Datastreams/name eq 'Air' and Datastreams/ObservedProperty/name eq 'state'", []),
        ("Datastreams/name eq 'Door' and Datastreams/ObservedProperty/name eq 'state'", ["Bridge"]),
        ("Datastreams/Observations/result gt 9", ["Bridge"]),
        ("Locations/name eq 'Quay' or Datastreams/name eq 'Empty'", ["Bridge", 'O\'Neil "quoted" \\']),
        ("not (Datastreams/name eq 'Air')", ['O\'Neil "quoted" \\']),
        ("substringof('ridg',name) and endswith(name,'e') and indexof(name,'r') eq 1", ["Bridge"]),
        ("substring(name,1,2) eq 'ri' and concat(toupper(name),'!') eq 'BRIDGE!' and length(trim(name)) eq 6", ["Bridge"]),
        ("description eq 'second; line'", ['O\'Neil "quoted" \\']),
        ("1 add 2 mul 3 eq 7 and -1 lt 0 and 7 mod 4 eq 3 and 1 div 2 eq 0.5", ["Bridge", 'O\'Neil "quoted" \\']),
        ("1 div 0 eq 1", []),
        ("year(properties/at) eq 2026", ["Bridge"]),
    ],
)
def test_things_are_filtered(region: Asking, condition: str, names: list[str]) -> None:
    assert region.values(f"Things?$filter={condition}", "name") == names


@pytest.mark.parametrize(
    ("condition", "results"),
    [
        ("result gt 8", [8.5, 9.5]),
        ("result gt '8'", [8.5, 9.5]),
        ("result lt '10'", [0.5, 1.5]),  # compared as texts
        ("8.5 le result", [8.5, 9.5]),
        ("parameters/qc eq 3", [7.5]),
        ("resultQuality/tests/gross_range eq 3", [7.5]),
        ("phenomenonTime ge 2026-03-01T01:20:00Z", [8.5, 9.5]),
        ("phenomenonTime ge 2026-03-01T02:20:00+01:00", [8.5, 9.5]),
        ("phenomenonTime gt '2026-03-01T01:20:00Z'", [9.5]),
        ("phenomenonTime lt 2026-03-01T00:10:00Z", [0.5]),
        ("phenomenonTime eq 2026-03-01T00:10:00Z", [1.5]),
        ("phenomenonTime gt 2026-03-01T01:30:00Z sub duration'PT15M'", [8.5, 9.5]),
        ("date(phenomenonTime) eq 2026-03-01 and hour(phenomenonTime) eq 1 and minute(phenomenonTime) ge 20", [8.5, 9.5]),
        ("during(phenomenonTime,2026-03-01T01:20:00Z/2026-03-01T02:00:00Z)", [8.5, 9.5]),
        ("before(phenomenonTime,2026-03-01T00:10:00Z)", [0.5]),
        ("fractionalseconds(phenomenonTime) gt 0.2", [3.5]),
        ("round(result) eq 10 or floor(result) eq 0 or ceiling(result) eq 2", [0.5, 1.5, 9.5]),
        ("result gt 1e300", []),
        ("result eq 'open'", []),
        ("result eq null", []),
        ("Datastream/Thing/properties/owner eq 'x' and result lt 1", [0.5]),
        ("FeatureOfInterest/name eq 'Quay' and result lt 1", [0.5]),
        ("phenomenonTime lt now()", [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]),
    ],
)
def test_numeric_observations_are_filtered(region: Asking, condition: str, results: list[float]) -> None:
    assert region.values(f"Datastreams(1)/Observations?$filter={condition}", "result") == results


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("result eq 'open'", [1000]),
        ("result eq true", [1001]),
        ("result/a eq 'z'", [1002]),
        ("result eq null", [1003]),
        ("result eq '7'", [1004]),
        ("result eq 7", []),
        ("startswith(result,'op')", [1000]),
        ("overlaps(phenomenonTime,2026-03-01T00:20:00Z/2026-03-01T00:30:00Z)", [1001]),
        ("phenomenonTime lt 2026-03-01T00:30:00Z", [1000, 1001]),
        ("finishes(phenomenonTime,2026-03-01T00:00:00Z/2026-03-01T00:15:00Z)", [1000]),
        ("meets(phenomenonTime,2026-03-01T00:15:00Z/2026-03-01T00:30:00Z)", [1000, 1002]),
        ("starts(phenomenonTime,2026-03-01T00:15:00Z)", [1001]),
        ("after(phenomenonTime,2026-03-01T00:00:00Z/2026-03-01T00:30:00Z)", [1002, 1003, 1004]),
    ],
)
def test_other_observations_are_filtered(region: Asking, condition: str, ids: list[int]) -> None:
    assert region.values(f"Datastreams(2)/Observations?$filter={condition}", "@iot.id") == ids


def test_collections_are_ordered(region: Asking) -> None:
    assert region.values("Datastreams?$orderby=name desc", "name") == ["Empty", "Door", "Air"]
    assert region.values("Datastreams?$orderby=Thing/name desc,name", "name") == ["Empty", "Air", "Door"]
    assert region.values("Things?$orderby=properties/n", "@iot.id") == [1, 2]
    assert region.values("Datastreams(1)/Observations?$orderby=result desc&$top=2", "result") == [9.5, 8.5]


@pytest.mark.parametrize(
    "query",
    [
        "Observations?$top=4",
        "Observations?$orderby=phenomenonTime desc&$top=4",
        "Observations?$orderby=result&$top=2",
        "Observations?$orderby=result desc&$top=2",
        "Observations?$orderby=resultTime desc,id&$top=3",
        "Observations?$orderby=resultTime,phenomenonTime desc&$top=3",
        "Observations?$orderby=Datastream/name desc&$top=4",
        "Observations?$filter=result gt 2 or result eq 'open'&$top=2&$select=id&$count=true",
        "Observations?$orderby=parameters/depth desc&$top=3",
    ],
)
def test_next_links_lead_through_every_row_once(region: Asking, query: str) -> None:
    whole = region.json(query.replace("$top=4", "$top=100").replace("$top=3", "$top=100").replace("$top=2", "$top=100"))
    assert "@iot.nextLink" not in whole
    page = region.json(query)
    seen = list(page["value"])
    while "@iot.nextLink" in page:
        assert len(page["value"]) == int(query.partition("$top=")[2][0])
        page = region.follow(page["@iot.nextLink"])
        seen += page["value"]
    assert seen == whole["value"]


def test_a_full_last_page_has_no_next_link(region: Asking) -> None:
    assert "@iot.nextLink" not in region.json("Datastreams(1)/Observations?$top=10")
    assert "@iot.nextLink" in region.json("Datastreams(1)/Observations?$top=9")


def test_a_next_link_goes_on_where_rows_were_skipped(region: Asking) -> None:
    page = region.json("Datastreams(1)/Observations?$skip=2&$top=3")
    assert [o["result"] for o in page["value"]] == [2.5, 3.5, 4.5]
    assert [o["result"] for o in region.follow(page["@iot.nextLink"])["value"]] == [5.5, 6.5, 7.5]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("Observations", 15),
        ("Datastreams(1)/Observations", 10),
        ("Datastreams(3)/Observations", 0),
        ("Observations?$filter=Datastream/name eq 'Air'", 10),
        ("Observations?$filter=Datastream/id eq 2 or Datastream/Thing/name eq 'Nobody'", 5),
        ("Observations?$filter=result gt 3", 7),
        ("Things(1)/Datastreams(1)/Observations?$filter=result gt 3", 7),
        ("FeaturesOfInterest(1)/Observations", 15),
        ("Things", 2),
    ],
)
def test_counts_are_exact_and_count_all_pages(region: Asking, query: str, count: int) -> None:
    glue = "&" if "?" in query else "?"
    assert region.json(f"{query}{glue}$count=true&$top=1")["@iot.count"] == count


@pytest.mark.parametrize(
    "url",
    [
        "Things?$filter=name eq 'x%00'",
        "Things?$filter=properties/n mul 1e308 mul 1e308 gt 1",
        "Observations?$filter=result mul 1e308 mul 1e308 gt 1",
        "Things?$filter=id eq 9223372036854775808",
        "Things?$filter=id add 9223372036854775807 gt 0",
        "Things?$filter=substring(name,99999999999) eq ''",
        "Observations?$filter=phenomenonTime gt now() add duration'P999999Y'",
        "Things?$filter=name eq '%27; DROP TABLE thing; --'",
        'Things?$filter=properties/%7B"a"%7D eq 1',
        "Things?$skip=9007199254740992",
        "Observations?$skiptoken=WyJub3QgYSB0aW1lIiwgIjEiLCAiMSJd",
        "Things?$filter=name eq '💧'",
    ],
)
def test_strange_values_are_answered_or_refused_but_never_a_bug(region: Asking, url: str) -> None:
    # The application answers both with 400.
    with contextlib.suppress(MalformedQueryError, psycopg.DataError):
        region.answer(url)


def test_geometries_are_filtered_where_postgis_is(region: Asking, region_url: str) -> None:
    box = "geography'POLYGON((9 54,10 54,10 55,9 55,9 54))'"
    with psycopg.connect(region_url) as connection:
        spatial = connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'postgis'").fetchone() == (1,)
    if not spatial:
        with pytest.raises(NotServedError, match="PostGIS"):
            region.answer(f"Locations?$filter=st_within(location,{box})")
        return
    assert region.values(f"Locations?$filter=st_within(location,{box})", "name") == ["Quay"]
    assert region.values(f"Things?$filter=geo.intersects(Locations/location,{box})", "name") == ["Bridge"]
    with pytest.raises(MalformedQueryError, match="geometries"):
        region.answer(f"Locations?$filter=st_relate(location,{box},'nonsense')")
    assert region.values("Locations?$filter=geo.distance(location,geography'POINT(8.9 54.5)') lt 0.1", "name") == ["Square"]


def test_a_statement_that_takes_too_long_is_ended(region_url: str) -> None:
    # 10^5 combinations of texts: far more than a millisecond, far less than a test's patience.
    everything = "Datastreams/Observations/FeatureOfInterest/Observations/Datastream/Observations"
    with asking(region_url, statement_timeout_ms=1) as impatient, pytest.raises(psycopg.errors.QueryCanceled):
        impatient.answer(f"Things?$filter=substringof('zzz',concat(name,{everything}/result))&$count=true")
