"""Reading over SensorThings against a real database: paths, options, pages, visibility, errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from reading import ROOT, Asking, asking, fill

from api.sensorthings.odata.errors import LimitExceededError, MalformedQueryError, NotServedError, UnknownResourceError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=["embedded", "local"])
def region_url(request: pytest.FixtureRequest, servers: Any) -> Iterator[str]:
    with servers.database(request.param) as url:
        fill(url)
        yield url


@pytest.fixture(scope="module")
def region(region_url: str) -> Iterator[Asking]:
    with asking(region_url) as asked:
        yield asked


def test_an_entity_has_id_links_properties_and_relations(region: Asking) -> None:
    thing = region.json("Things(1)")
    assert list(thing)[:5] == ["@iot.id", "@iot.selfLink", "name", "description", "properties"]
    assert thing["@iot.id"] == 1
    assert thing["@iot.selfLink"] == f"{ROOT}/Things(1)"
    assert thing["Datastreams@iot.navigationLink"] == f"{ROOT}/Things(1)/Datastreams"


def test_a_property_without_value_is_left_out_and_text_is_escaped(region: Asking) -> None:
    thing = region.json("Things(2)")
    assert thing["name"] == 'O\'Neil "quoted" \\'
    assert "properties" not in thing


def test_a_datastream_has_the_times_of_its_observations(region: Asking) -> None:
    air = region.json("Datastreams(1)")
    assert air["phenomenonTime"] == "2026-03-01T00:00:00Z/2026-03-01T01:30:00Z"
    assert region.json("Datastreams(2)")["phenomenonTime"] == "2026-03-01T00:00:00Z/2026-03-01T01:15:00Z"
    assert "phenomenonTime" not in region.json("Datastreams(3)")


def test_an_observation_shows_result_quality_and_flag(region: Asking) -> None:
    found = region.json("Datastreams(1)/Observations?$filter=result eq 7.5")["value"][0]
    assert found["phenomenonTime"] == "2026-03-01T01:10:00Z"
    assert found["result"] == 7.5
    assert found["resultQuality"] == {
        "scheme": "QARTOD",
        "flag": 3,
        "tests": {"syntax": 1, "gross_range": 3, "climatology": 1},
        "ruleset": 1,
    }
    assert found["parameters"] == {"qc": 3}


def test_stored_parameters_stand_beside_the_flag(region: Asking) -> None:
    found = region.json("Datastreams(1)/Observations?$filter=parameters/depth eq 2")["value"][0]
    assert found["parameters"] == {"qc": 1, "depth": 2}


def test_times_show_only_the_digits_they_need_and_intervals_both_ends(region: Asking) -> None:
    assert (
        region.values("Datastreams(1)/Observations?$top=4&$select=phenomenonTime", "phenomenonTime")[3] == "2026-03-01T00:30:00.25Z"
    )
    assert region.json("Observations(1001)")["phenomenonTime"] == "2026-03-01T00:15:00Z/2026-03-01T00:30:00Z"


def test_results_come_back_as_they_were_sent(region: Asking) -> None:
    assert region.values("Datastreams(2)/Observations", "result") == ["open", True, {"b": 1, "a": "z"}, None, "7"]
    assert b'{"b": 1, "a": "z"}' in (region.answer("Observations(1002)").body or b"")


def test_quality_that_a_client_gave_comes_back(region: Asking) -> None:
    assert region.json("Observations(1000)/resultQuality") == {"resultQuality": [{"name": "mine"}]}


def test_a_missing_result_time_is_null(region: Asking) -> None:
    assert region.json("Datastreams(1)/Observations?$filter=resultTime eq null&$select=resultTime")["value"] == [
        {"resultTime": None}
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Things(1)/name", {"name": "Bridge"}),
        ("Things(1)/properties/owner", {"owner": "x"}),
        ("Things(1)/properties/list/1", {"1": 2}),
        ("Things(1)/id", {"@iot.id": 1}),
        ("things(1)/NAME", {"name": "Bridge"}),
        ("Things(1)/$ref", {"@iot.selfLink": f"{ROOT}/Things(1)"}),
        (
            "Things(1)/Datastreams/$ref",
            {"value": [{"@iot.selfLink": f"{ROOT}/Datastreams(1)"}, {"@iot.selfLink": f"{ROOT}/Datastreams(2)"}]},
        ),
    ],
)
def test_parts_of_an_entity_can_be_asked_for(region: Asking, path: str, expected: Any) -> None:
    assert region.json(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Things(1)/name/$value", b"Bridge"),
        ("Things(1)/properties/owner/$value", b"x"),
        ("Observations(1000)/result/$value", b"open"),
        ("Observations(1000)/phenomenonTime/$value", b"2026-03-01T00:00:00Z/2026-03-01T00:15:00Z"),
        ("Things(1)/@iot.id/$value", b"1"),
    ],
)
def test_a_value_alone_is_plain_text(region: Asking, path: str, expected: bytes) -> None:
    answer = region.answer(path)
    assert answer.media == "text/plain"
    assert answer.body == expected


def test_a_property_without_value_has_no_body(region: Asking) -> None:
    assert region.answer("Things(2)/properties").body is None
    assert region.answer("Things(2)/properties/owner").body is None
    assert region.answer("Observations(1003)/resultTime/$value").body is None


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("Things(1)/Datastreams", ["Air", "Door"]),
        ("Things(1)/Datastreams(2)/Thing/Locations", ["Quay"]),
        ("Locations(1)/Things", ["Bridge"]),
        ("HistoricalLocations(1)/Locations", ["Square"]),
        ("Datastreams(1)/Sensor/Datastreams", ["Air", "Door", "Empty"]),
        ("ObservedProperties(2)/Datastreams", ["Door"]),
    ],
)
def test_relations_are_followed_along_a_path(region: Asking, path: str, names: list[str]) -> None:
    assert region.values(path, "name") == names


def test_one_entity_is_reached_over_relations(region: Asking) -> None:
    assert region.json("Observations(1000)/Datastream/Thing")["name"] == "Bridge"
    assert region.json("Things(1)/Datastreams(2)")["name"] == "Door"
    own = region.values("Datastreams(1)/Observations?$top=1", "@iot.id")[0]
    assert region.json(f"Observations({own})/FeatureOfInterest/name") == {"name": "Quay"}


@pytest.mark.parametrize(
    "path",
    [
        "Nothings",
        "Things(99)",
        "Things(99)/name",
        "Things(99)/Datastreams",
        "Things(2)/Datastreams(1)",
        "Things(2)/Datastreams(1)/Observations",
        "Things(1)/colour",
        "Things(1)/name/first",
        "Things/name",
        "Things/Datastreams",
        "Observations(99)/Datastream",
        "Things(99999999999999999999)",
        "$ref",
    ],
)
def test_what_is_not_there_is_unknown(region: Asking, path: str) -> None:
    with pytest.raises(UnknownResourceError):
        region.answer(path)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("Things('a')", "path, character 8"),
        ("Things(1)/$value", "$value follows a property"),
        ("Datastreams(1)/Thing(1)", "takes no id"),
        ("Things?$filter=colour eq 1", "Thing has no colour"),
        ("Things?$filter=name/first eq 1", "no part first"),
        ("Things?$filter=name gt 3", "a string and a number"),
        ("Things?$filter=name", "truth value"),
        ("Things?$filter=Datastreams eq 1", "expected a property of Datastream"),
        ("Things?$filter=nosuch(name)", "no function nosuch"),
        ("Things?$filter=length(name,name) eq 1", "length takes 1 arguments, not 2"),
        ("Things?$filter=length(3) eq 1", "length takes a string"),
        ("Things?$orderby=Datastreams/name", "orders only by what there is one of"),
        ("Things?$orderby=3", "a property to order by"),
        ("Things?$expand=Colour", "Thing has no Colour"),
        ("Things?$expand=Datastreams($expand=Colour)", "Datastream has no Colour"),
        ("Datastreams?$expand=Thing($top=1)", "only $select and $expand"),
        ("Things?$select=colour", "Thing has no colour"),
        ("Things(1)?$top=1", "applies to collections only"),
        ("Things(1)/name?$select=name", "does not apply to a property"),
        ("Things?$skiptoken=abc", "$skiptoken"),
        ("Things?$skiptoken=WyIxIiwiMSJd", "another order"),
        ("Things?$nonsense=1", "unknown option"),
        ("Things?top=1", "$top"),
        ("Things?$top=1&$top=2", "given twice"),
        ("Things?$top=-1", "whole number"),
        ("Things?$count=maybe", "true or false"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(region: Asking, url: str, part: str) -> None:
    with pytest.raises(MalformedQueryError) as caught:
        region.answer(url)
    assert part in str(caught.value)


def test_top_is_bounded_and_zero_is_allowed(region: Asking) -> None:
    assert region.json("Things?$top=0&$count=true") == {"@iot.count": 2, "value": []}
    assert len(region.json("Datastreams(1)/Observations?$top=10000")["value"]) == 10
    with pytest.raises(LimitExceededError):
        region.answer("Things?$top=10001")


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


def test_relations_are_expanded_with_options_of_their_own(region: Asking) -> None:
    thing = region.json(
        "Things(1)?$expand=Locations($select=name),Datastreams($filter=name ne 'Door';$select=name;$count=true)&$select=name"
    )
    assert thing == {
        "name": "Bridge",
        "Locations": [{"name": "Quay"}],
        "Datastreams@iot.count": 1,
        "Datastreams": [{"name": "Air"}],
    }


def test_expansions_nest_and_to_one_relations_are_objects(region: Asking) -> None:
    observation = region.json(
        "Observations(1000)?$select=id&$expand=Datastream($select=name;$expand=Thing($select=name)),FeatureOfInterest($select=name)"
    )
    assert observation == {
        "@iot.id": 1000,
        "Datastream": {"name": "Door", "Thing": {"name": "Bridge"}},
        "FeatureOfInterest": {"name": "Quay"},
    }
    assert region.json("Observations(1000)?$select=id&$expand=Datastream/Thing")["Datastream"]["Thing"]["name"] == "Bridge"


def test_expanded_rows_keep_their_order(region: Asking) -> None:
    rows = region.json("Observations?$orderby=result desc&$expand=Datastream($select=name)&$select=result&$filter=result gt 6")[
        "value"
    ]
    assert [(r["result"], r["Datastream"]["name"]) for r in rows] == [(9.5, "Air"), (8.5, "Air"), (7.5, "Air"), (6.5, "Air")]


def test_paths_in_expand_share_their_relation(region: Asking) -> None:
    thing = region.json("Things(1)?$expand=Datastreams/Sensor,Datastreams/ObservedProperty")
    first = thing["Datastreams"][0]
    assert (first["Sensor"]["name"], first["ObservedProperty"]["name"]) == ("Thermometer", "temperature")


def test_an_expanded_page_has_a_next_link_with_its_options(region: Asking) -> None:
    thing = region.json(
        "Things(1)?$expand=Datastreams($top=1;$select=name;$expand=Observations($top=2;$select=result;$filter=result ne 1.5))"
    )
    assert thing["Datastreams"][0]["Observations"] == [{"result": 0.5}, {"result": 2.5}]
    following = region.follow(thing["Datastreams"][0]["Observations@iot.nextLink"])
    assert following["value"] == [{"result": 3.5}, {"result": 4.5}]
    assert [d["name"] for d in region.follow(thing["Datastreams@iot.nextLink"])["value"]] == ["Door"]


def test_the_latest_observation_of_every_datastream_comes_in_one_request(region: Asking) -> None:
    latest = "Observations($top=1;$orderby=phenomenonTime desc;$select=result)"
    rows = region.json(f"Datastreams?$select=name&$expand={latest}")["value"]
    assert [row["Observations"] for row in rows] == [[{"result": 9.5}], [{"result": "7"}], []]
    assert "Observations@iot.nextLink" not in rows[2]
    following = region.follow(rows[0]["Observations@iot.nextLink"])
    assert following["value"] == [{"result": 8.5}]


def test_the_latest_observation_of_one_datastream_is_a_collection_of_one(region: Asking) -> None:
    found = region.json("Datastreams(1)/Observations?$top=1&$orderby=phenomenonTime desc&$count=true")
    assert [o["result"] for o in found["value"]] == [9.5]
    assert found["@iot.count"] == 10
    assert region.json("Datastreams(3)/Observations?$top=1&$orderby=phenomenonTime desc&$count=true") == {
        "@iot.count": 0,
        "value": [],
    }
    with pytest.raises(UnknownResourceError):
        region.answer("Datastreams(4)/Observations?$top=1&$orderby=phenomenonTime desc")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("Things(1)?$select=name,properties/owner", {"name": "Bridge", "properties": {"owner": "x"}}),
        ("Things(1)?$select=PROPERTIES/n,properties/on", {"properties": {"n": 3, "on": True}}),
        ("Things(1)?$select=properties/nothing,id", {"@iot.id": 1}),
        ("Things(1)?$select=properties/n,properties&$expand=", None),
        ("Datastreams(1)?$select=unitOfMeasurement/symbol", {"unitOfMeasurement": {"symbol": "°C"}}),
        ("Observations(1002)?$select=result/b,resultQuality/flag", {"result": {"b": 1}, "resultQuality": {"flag": 2}}),
        ("Things(2)?$select=properties/owner", {}),
    ],
)
def test_select_goes_into_json(region: Asking, url: str, shown: Any) -> None:
    if shown is None:
        assert region.json(url.partition("&")[0])["properties"] == region.json("Things(1)")["properties"]
    else:
        assert region.json(url) == shown


@pytest.mark.parametrize("path", ["name/x", "Datastreams/name", "phenomenonTime/start"])
def test_select_goes_into_nothing_else(region: Asking, path: str) -> None:
    with pytest.raises(MalformedQueryError, match="no "):
        region.answer(f"Things?$select={path}")


def test_select_gives_only_what_it_names(region: Asking) -> None:
    assert region.json("Things(1)?$select=id,name,Locations") == {
        "@iot.id": 1,
        "name": "Bridge",
        "Locations@iot.navigationLink": f"{ROOT}/Things(1)/Locations",
    }
    assert region.json("Things(2)?$select=properties") == {}
    assert region.json("Things(1)?$select=@iot.selfLink") == {"@iot.selfLink": f"{ROOT}/Things(1)"}


@pytest.mark.parametrize(
    "path",
    [
        "Things(3)",
        "Things(3)/Datastreams",
        "Datastreams(4)",
        "Datastreams(4)/Observations",
        "Datastreams(4)/Thing",
        "Locations(3)",
        "HistoricalLocations(3)",
        "Sensors(2)",
        "FeaturesOfInterest(2)",
        "FeaturesOfInterest(2)/Observations",
    ],
)
def test_what_hangs_on_a_private_thing_is_hidden_from_anonymous_readers(region: Asking, path: str) -> None:
    with pytest.raises(UnknownResourceError):
        region.answer(path)
    assert region.json(path, private=True)


@pytest.mark.parametrize(
    ("url", "public", "private"),
    [
        ("Things", 2, 3),
        ("Datastreams", 3, 5),
        ("Observations", 15, 17),
        ("Locations", 3, 4),
        ("Sensors", 1, 2),
        ("HistoricalLocations", 2, 3),
        ("FeaturesOfInterest", 1, 2),
        ("ObservedProperties(1)/Datastreams", 2, 3),
        ("ObservedProperties?$filter=Datastreams/Thing/name eq 'Secret'", 0, 2),
        ("Sensors(1)/Datastreams", 3, 4),
        ("FeaturesOfInterest(1)/Observations", 15, 16),
        ("ObservedProperties?$filter=Datastreams/Observations/result eq 99", 0, 1),
        ("Observations?$filter=Datastream/Thing/name eq 'Secret'", 0, 2),
        ("Sensors?$filter=Datastreams/Observations/result eq 98", 0, 1),
    ],
)
def test_private_things_do_not_show_in_collections_counts_and_filters(region: Asking, url: str, public: int, private: int) -> None:
    url += "&$count=true" if "?" in url else "?$count=true"
    seen, all_of_it = region.json(url), region.json(url, private=True)
    assert (seen["@iot.count"], len(seen["value"])) == (public, public)
    assert (all_of_it["@iot.count"], len(all_of_it["value"])) == (private, private)


def test_private_things_do_not_show_in_expansions(region: Asking) -> None:
    rows = region.json("ObservedProperties(1)?$expand=Datastreams($select=name;$count=true)")
    assert rows["Datastreams"] == [{"name": "Air"}, {"name": "Empty"}]
    assert rows["Datastreams@iot.count"] == 2
    assert region.json("Sensors(1)?$expand=Datastreams($count=true)")["Datastreams@iot.count"] == 3
    feature = region.json("FeaturesOfInterest(1)?$expand=Observations($count=true;$select=result)")
    assert feature["Observations@iot.count"] == len(feature["Observations"]) == 15


def move(url: str, own: int, time: str) -> None:
    fill(
        url,
        f"""CREATE TEMP TABLE moved AS SELECT * FROM observation WHERE id = {own};
            DELETE FROM observation WHERE id = {own};
            UPDATE moved SET phenomenon_time = '{time}';
            INSERT INTO observation SELECT * FROM moved""",
    )


def test_an_observation_that_was_moved_to_another_day_keeps_its_id(region: Asking, region_url: str) -> None:
    own = region.values("Datastreams(1)/Observations?$top=1", "@iot.id")[0]
    move(region_url, own, "2026-02-20Z")
    try:
        assert region.json(f"Observations({own})")["phenomenonTime"] == "2026-02-20T00:00:00Z"
        assert region.json(f"Observations({own})/Datastream")["name"] == "Air"
    finally:
        move(region_url, own, "2026-03-01Z")


def test_a_deleted_observation_is_gone(region: Asking, region_url: str) -> None:
    fill(region_url, "UPDATE observation SET deleted = true WHERE id = 1004")
    try:
        with pytest.raises(UnknownResourceError):
            region.answer("Observations(1004)")
        assert region.values("Datastreams(2)/Observations", "@iot.id") == [1000, 1001, 1002, 1003]
    finally:
        fill(region_url, "UPDATE observation SET deleted = false WHERE id = 1004")


def test_a_number_that_is_no_json_does_not_spoil_the_page(region: Asking, region_url: str) -> None:
    fill(region_url, "UPDATE observation SET number = 'NaN' WHERE number = 5.5")
    try:
        assert None in region.values("Datastreams(1)/Observations", "result")
    finally:
        fill(region_url, "UPDATE observation SET number = 5.5 WHERE number = 'NaN'")


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


def test_every_answer_is_json(region: Asking) -> None:
    for name in (
        "Things",
        "Locations",
        "HistoricalLocations",
        "Datastreams",
        "Sensors",
        "ObservedProperties",
        "Observations",
        "FeaturesOfInterest",
    ):
        body = region.answer(f"{name}?$count=true").body
        assert body is not None
        for entity in json.loads(body)["value"]:
            path = entity["@iot.selfLink"].removeprefix(ROOT + "/")
            assert region.json(path) == entity
