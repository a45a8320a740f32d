"""Expanded relations against a real database."""

from __future__ import annotations

import pytest
from reading import Asking

from api.sensorthings.odata.errors import UnknownResourceError

pytestmark = pytest.mark.integration


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
