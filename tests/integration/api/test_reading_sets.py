"""`$select=distinct:`, `any()`, `all()` and `in`: what is asked of sets of values and of related entities."""

from __future__ import annotations

from typing import Any

import pytest
from reading import ROOT, Asking

from api.sensorthings.odata.errors import MalformedQueryError

pytestmark = [pytest.mark.integration, pytest.mark.parametrize("region_url", ["embedded"], indirect=True)]

BRIDGE, QUOTED = "Bridge", 'O\'Neil "quoted" \\'


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("Datastreams/any(d:d/name eq 'Air')", [BRIDGE]),
        ("Datastreams/any(d:d/name eq 'Air' and d/ObservedProperty/name eq 'state')", []),
        ("Datastreams/any(d:d/name eq 'Door' and d/ObservedProperty/name eq 'state')", [BRIDGE]),
        ("Datastreams/any(d:d/name eq 'Air') and Datastreams/any(x:x/name eq 'Door')", [BRIDGE]),
        ("not Datastreams/any(d:d/name eq 'Air')", [QUOTED]),
        ("Datastreams/any(d:not (d/name eq 'Air'))", [BRIDGE, QUOTED]),
        ("Datastreams/any()", [BRIDGE, QUOTED]),
        ("Datastreams/any(d:d/Observations/any(o:o/result gt 9))", [BRIDGE]),
        ("Datastreams/any(d:d/Observations/any(o:o/result gt 10))", []),
        ("Datastreams/Observations/any(o:o/result gt 9)", [BRIDGE]),
        ("Datastreams/any(d:d/Observations/any())", [BRIDGE]),
        ("Datastreams/all(d:d/name ne 'Air')", [QUOTED]),
        ("Datastreams/all(d:d/properties/channel eq 't' or d/name in ('Door','Empty'))", [BRIDGE, QUOTED]),
        ("HistoricalLocations/all(h:h/time gt 2026-01-15T00:00:00Z)", [QUOTED]),
        ("Locations/any(l:l/name eq 'Quay') or Datastreams/any(d:d/name eq 'Empty')", [BRIDGE, QUOTED]),
        ("Datastreams/any(d:d/name eq 'Air') eq true", [BRIDGE]),
        ("datastreams/ANY(d:startswith(d/name,'A'))", [BRIDGE]),
        ("Datastreams/any(d:d/id in (1,5))", [BRIDGE]),
    ],
)
def test_any_and_all_ask_for_related_entities(region: Asking, condition: str, names: list[str]) -> None:
    assert region.values(f"Things?$filter={condition}&$orderby=id", "name") == names


def test_any_does_not_see_what_is_private(region: Asking) -> None:
    url = "ObservedProperties?$filter=Datastreams/any(d:startswith(d/name,'Private'))"
    assert region.json(url)["value"] == []
    assert len(region.json(url, private=True)["value"]) == 2


def test_any_goes_with_counts_windows_and_expansions(region: Asking) -> None:
    counted = "Observations?$count=true&$top=0&$filter="
    window = "phenomenonTime ge 2026-03-01T00:00:00Z and Datastream/Thing/Locations/any(l:l/name eq 'Quay')"
    assert region.json(counted + window)["@iot.count"] == 15
    feature = "FeatureOfInterest/Observations/any(o:o/result gt 9)"
    assert region.json(counted + feature)["@iot.count"] == 15
    thing = region.json("Things(1)?$expand=Datastreams($filter=Observations/any(o:o/result gt 9);$select=name)")
    assert thing["Datastreams"] == [{"name": "Air"}]


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        ("Datastreams/any(d:name eq 'Air')", "starts with d/"),
        ("Datastreams/any(d:d eq 1)", "starts with d/"),
        ("Datastreams/any(d:d/Observations/any(o:d/name eq 'x'))", "starts with o/"),
        ("Datastreams/any(d d/name eq 'Air')", "':'"),
        ("Datastreams/any(d:d/name eq 'Air'", "')'"),
        ("Datastreams/any('x')", "a variable"),
        ("Datastreams/all()", "a variable"),
        ("Datastreams/any(d:)", "a value"),
        ("Datastreams/any(d:d/colour eq 1)", "colour"),
        ("Datastreams/any(d:d/name)", "truth value"),
        ("Nothing/any(d:d/name eq 'x')", "Thing has no Nothing"),
        ("Datastreams/Sensor/any(s:s/name eq 'x')", "there is one Sensor"),
        ("name/any(d:d/name eq 'x')", "Thing has no name"),
    ],
)
def test_a_wrong_lambda_is_told(region: Asking, condition: str, part: str) -> None:
    with pytest.raises(MalformedQueryError) as told:
        region.answer(f"Things?$filter={condition}")
    assert part in str(told.value)


@pytest.mark.parametrize(
    ("url", "count"),
    [
        ("Things?$filter=name in ('Bridge','x')", 1),
        ("Things?$filter=not (name in ('Bridge','x'))", 1),
        ("Things?$filter=id in (1,2.0,'3')", 2),
        ("Things?$filter=properties/owner in ('x')", 1),
        ("Things?$filter=properties/owner in (null,'y')", 1),
        ("Things?$filter=length(name) in (3 add 3,7)", 1),
        ("Datastreams?$filter=Thing/name in ('Bridge')", 2),
        ("Observations?$filter=result in (0.5,1.5,'open',true)", 4),
        ("Observations?$filter=phenomenonTime in (2026-03-01T00:10:00Z,2026-03-01T00:20:00Z)", 2),
        ("Observations?$filter=date(phenomenonTime) in (2026-03-01,2026-03-02)", 15),
        ("Observations?$filter=parameters/qc in (3,4)", 1),
        ("HistoricalLocations?$filter=time in (2026-01-01T00:00:00Z)", 1),
    ],
)
def test_in_compares_with_each_of_a_list(region: Asking, url: str, count: int) -> None:
    assert region.json(url + "&$count=true&$top=0")["@iot.count"] == count


@pytest.mark.parametrize("condition", ["name in ()", "name in 'x'", "name in ('x'", "name in ('x',)", "name in (1)"])
def test_a_wrong_list_is_told(region: Asking, condition: str) -> None:
    with pytest.raises(MalformedQueryError):
        region.answer(f"Things?$filter={condition}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("Datastreams?$select=distinct:description", [{"description": "d"}]),
        ("Datastreams?$select=distinct:unitOfMeasurement/symbol", [{"unitOfMeasurement": {"symbol": "°C"}}]),
        ("Datastreams?$select=distinct:name,description&$orderby=name desc&$top=2", [("Empty", "d"), ("Door", "d")]),
        ("Datastreams?$select=distinct:description&$filter=name eq 'None'", []),
        ("Things?$select=distinct:properties/owner", [{}, {"properties": {"owner": "x"}}]),
        ("Things(1)/Datastreams?$select=DISTINCT:observationType", [{"observationType": "OM_Measurement"}]),
        ("Datastreams?$select=distinct:id&$orderby=id desc&$skip=1", [{"@iot.id": 2}, {"@iot.id": 1}]),
        ("Observations?$select=distinct:resultQuality/flag&$filter=Datastream/id eq 1", [1, 3]),
    ],
)
def test_distinct_gives_each_value_once(region: Asking, url: str, shown: list[Any]) -> None:
    found = region.json(url)["value"]
    if "flag" in url:
        assert [o["resultQuality"]["flag"] for o in found] == shown
    elif shown and isinstance(shown[0], tuple):
        assert [(d["name"], d["description"]) for d in found] == shown
    else:
        assert sorted(found, key=str) == sorted(shown, key=str)


def test_distinct_values_are_counted_and_come_in_pages(region: Asking) -> None:
    page = region.json("Datastreams?$select=distinct:name&$orderby=name&$count=true&$top=2")
    assert page["@iot.count"] == 3
    assert page["value"] == [{"name": "Air"}, {"name": "Door"}]
    assert page["@iot.nextLink"].startswith(f"{ROOT}/Datastreams?$select=distinct:name&")
    last = region.follow(page["@iot.nextLink"])
    assert last["value"] == [{"name": "Empty"}]
    assert "@iot.nextLink" not in last
    assert region.json("Datastreams?$select=distinct:name&$count=true&$top=0") == {"@iot.count": 3, "value": []}
    assert region.json("Things?$select=distinct:name&$count=true", private=True)["@iot.count"] == 3


def test_distinct_values_come_as_csv(region: Asking) -> None:
    answer = region.answer("Datastreams?$select=distinct:description&$resultFormat=CSV")
    assert answer.media == "text/csv"
    assert answer.body == b'description\r\n"d"\r\n'
    assert answer.rest is None


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("Things?$select=distinct:Datastreams", "relation"),
        ("Things?$select=distinct:", "a property's name"),
        ("Things?$select=distinct:colour", "colour"),
        ("Things?$select=distinct:name&$expand=Datastreams", "$expand"),
        ("Things?$select=distinct:name&$orderby=description", "orders by"),
        ("Things?$select=distinct:name&$orderby=length(name)", "orders by"),
        ("Things?$select=distinct:name&$resultFormat=GeoJSON", "JSON and CSV"),
        ("Things(1)?$select=distinct:name", "collections only"),
        ("Things/$ref?$select=distinct:name", "$ref"),
        ("Things?$expand=Datastreams($select=distinct:name)", "':'"),
        ("Datastreams(1)/Observations?$select=distinct:result&$resultFormat=dataArray", "JSON and CSV"),
        ("Observations?$select=distinct:result&$apply=aggregate($count as n)", "$select"),
    ],
)
def test_what_distinct_does_not_go_with_is_told(region: Asking, url: str, part: str) -> None:
    with pytest.raises(MalformedQueryError) as told:
        region.answer(url)
    assert part in str(told.value)
