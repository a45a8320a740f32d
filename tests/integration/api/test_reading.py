"""Reading over SensorThings against a real database: entities, paths, what is selected, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reading import ROOT, Asking

from api.sensorthings.odata.errors import LimitExceededError, MalformedQueryError, UnknownResourceError

pytestmark = pytest.mark.integration


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
