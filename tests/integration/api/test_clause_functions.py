"""18-088, 9.3.3.5.2: every function of `$filter`, each with three cases, and with arguments of wrong types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reading import Asking, asking, fill

from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.functions import FUNCTIONS, Function
from api.sensorthings.odata.values import Type

pytestmark = pytest.mark.integration

BRIDGE, QUOTED = "Bridge", 'O\'Neil "quoted" \\'
AIR = "Datastreams(1)/Observations"  # ten numbers, 0.5 to 9.5, every ten minutes from 2026-03-01T00:00:00Z; the fourth 0.25 s late
DOOR = "Datastreams(2)/Observations"  # five intervals of a quarter of an hour each, one after the other, from the same instant


@pytest.fixture(scope="module")
def region(servers: Any) -> Iterator[Asking]:
    with servers.database("local") as url:
        fill(url)
        with asking(url) as asked:
            yield asked


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("substringof('ridg', name)", [BRIDGE]),
        ("substringof('', name)", [BRIDGE, QUOTED]),
        ("substringof('RIDG', name)", []),
        ("contains(name, 'ridg')", [BRIDGE]),
        ("contains(name, '\"quoted\"')", [QUOTED]),
        ("contains(name, '%')", []),
        ("endswith(name, 'dge')", [BRIDGE]),
        ("endswith(name, '\\')", [QUOTED]),
        ("endswith(name, 'a longer text than any of these')", []),
        ("startswith(name, 'Br')", [BRIDGE]),
        ("startswith(name, 'O''Neil')", [QUOTED]),
        ("startswith(name, 'r')", []),
        ("length(name) eq 6", [BRIDGE]),
        ("length(name) gt 6", [QUOTED]),
        ("length(description) eq length(name)", []),
        ("indexof(name, 'r') eq 1", [BRIDGE]),
        ("indexof(name, 'O') eq 0", [QUOTED]),
        ("indexof(name, 'z') eq -1", [BRIDGE, QUOTED]),
        ("substring(name, 1) eq 'ridge'", [BRIDGE]),
        ("substring(name, 1, 3) eq 'rid'", [BRIDGE]),
        ("substring(name, 99) eq ''", [BRIDGE, QUOTED]),
        ("tolower(name) eq 'bridge'", [BRIDGE]),
        ("tolower('ÄØ') eq 'äø'", [BRIDGE, QUOTED]),
        ("tolower(name) eq name", []),
        ("toupper(name) eq 'BRIDGE'", [BRIDGE]),
        ("toupper('äø') eq 'ÄØ'", [BRIDGE, QUOTED]),
        ("toupper(name) eq name", []),
        ("trim(' Bridge ') eq name", [BRIDGE]),
        ("trim(name) eq name", [BRIDGE, QUOTED]),
        ("trim(' ') eq name", []),
        ("concat(name, 's') eq 'Bridges'", [BRIDGE]),
        ("concat(concat(name, ', '), description) eq 'Bridge, over the fjord'", [BRIDGE]),
        ("concat(name, '') eq ''", []),
    ],
)
def test_functions_of_strings(region: Asking, condition: str, names: list[str]) -> None:
    assert region.values(f"Things?$filter={condition}&$orderby=id", "name") == names


@pytest.mark.parametrize(
    ("condition", "results"),
    [
        ("year(phenomenonTime) eq 2026 and result lt 1", [0.5]),
        ("year(phenomenonTime) eq 2025", []),
        ("year(phenomenonTime) gt 2025 and result gt 9", [9.5]),
        ("month(phenomenonTime) eq 3 and result lt 1", [0.5]),
        ("month(phenomenonTime) eq 2", []),
        ("month(phenomenonTime) in (2, 3) and result gt 9", [9.5]),
        ("day(phenomenonTime) eq 1 and result lt 1", [0.5]),
        ("day(phenomenonTime) eq 2", []),
        ("day(phenomenonTime) lt 2 and result gt 9", [9.5]),
        ("hour(phenomenonTime) eq 1", [6.5, 7.5, 8.5, 9.5]),
        ("hour(phenomenonTime) eq 0 and result lt 2", [0.5, 1.5]),
        ("hour(phenomenonTime) eq 23", []),
        ("minute(phenomenonTime) eq 20", [2.5, 8.5]),
        ("minute(phenomenonTime) ge 50", [5.5]),
        ("minute(phenomenonTime) eq 1", []),
        ("second(phenomenonTime) eq 0 and result eq 3.5", [3.5]),
        ("second(phenomenonTime) eq 0 and result eq 0.5", [0.5]),
        ("second(phenomenonTime) gt 0", []),
        ("fractionalseconds(phenomenonTime) eq 0.25", [3.5]),
        ("fractionalseconds(phenomenonTime) gt 0", [3.5]),
        ("fractionalseconds(phenomenonTime) ge 1", []),
        ("date(phenomenonTime) eq 2026-03-01 and result lt 1", [0.5]),
        ("date(phenomenonTime) ne 2026-03-01", []),
        ("date(phenomenonTime) eq date(2026-03-01T23:59:59Z) and result gt 9", [9.5]),
        ("time(phenomenonTime) eq 01:00:00", [6.5]),
        ("time(phenomenonTime) gt 01:20:00", [9.5]),
        ("time(phenomenonTime) eq time(2020-01-01T00:10:00Z)", [1.5]),
        ("totaloffsetminutes(phenomenonTime) eq 0 and result lt 1", [0.5]),
        ("totaloffsetminutes(phenomenonTime) ne 0", []),
        ("totaloffsetminutes(phenomenonTime) lt 1 and result gt 9", [9.5]),
        ("phenomenonTime lt now() and result lt 1", [0.5]),
        ("phenomenonTime gt now()", []),
        ("now() sub duration'P1D' lt now() and result gt 9", [9.5]),
        ("phenomenonTime gt mindatetime() and result lt 1", [0.5]),
        ("phenomenonTime le mindatetime()", []),
        ("mindatetime() lt maxdatetime() and result gt 9", [9.5]),
        ("phenomenonTime lt maxdatetime() and result lt 1", [0.5]),
        ("phenomenonTime ge maxdatetime()", []),
        ("maxdatetime() gt now() and result gt 9", [9.5]),
        ("round(result) eq 10", [9.5]),
        ("round(result sub 0.25) eq 0", [0.5]),
        ("round(result) eq result", []),
        ("floor(result) eq 9", [9.5]),
        ("floor(result sub 1) eq -1", [0.5]),
        ("floor(result) eq result", []),
        ("ceiling(result) eq 1", [0.5]),
        ("ceiling(result sub 1) eq 0", [0.5]),
        ("ceiling(result) eq result", []),
    ],
)
def test_functions_of_times_and_numbers(region: Asking, condition: str, results: list[float]) -> None:
    assert region.values(f"{AIR}?$filter={condition}&$orderby=phenomenonTime", "result") == results


def _quarter(number: int) -> str:
    return f"2026-03-01T{number // 4:02}:{number % 4 * 15:02}:00Z"


@pytest.mark.parametrize(
    ("condition", "quarters"),
    [
        (f"before(phenomenonTime, {_quarter(2)})", [0, 1]),
        (f"before(phenomenonTime, {_quarter(2)}/{_quarter(3)})", [0, 1]),
        (f"before(phenomenonTime, {_quarter(0)})", []),
        (f"after(phenomenonTime, {_quarter(3)})", [4]),
        (f"after(phenomenonTime, {_quarter(2)}/{_quarter(3)})", [3, 4]),
        (f"after(phenomenonTime, {_quarter(5)})", []),
        (f"meets(phenomenonTime, {_quarter(2)}/{_quarter(3)})", [1, 3]),
        (f"meets(phenomenonTime, {_quarter(5)}/{_quarter(6)})", [4]),
        (f"meets(phenomenonTime, {_quarter(6)}/{_quarter(7)})", []),
        (f"during(phenomenonTime, {_quarter(1)}/{_quarter(3)})", [1, 2]),
        (f"during(phenomenonTime, {_quarter(0)}/{_quarter(5)})", [0, 1, 2, 3, 4]),
        (f"during(phenomenonTime, {_quarter(1)}/2026-03-01T00:20:00Z)", []),
        (f"overlaps(phenomenonTime, 2026-03-01T00:20:00Z/{_quarter(3)})", [1, 2]),
        (f"overlaps(phenomenonTime, {_quarter(1)}/{_quarter(2)})", [1]),
        (f"overlaps(phenomenonTime, {_quarter(5)}/{_quarter(6)})", []),
        (f"starts(phenomenonTime, {_quarter(1)}/{_quarter(9)})", [1]),
        (f"starts(phenomenonTime, {_quarter(4)}/{_quarter(5)})", [4]),
        (f"starts(phenomenonTime, 2026-03-01T00:20:00Z/{_quarter(9)})", []),
        (f"finishes(phenomenonTime, 2026-01-01T00:00:00Z/{_quarter(1)})", [0]),
        (f"finishes(phenomenonTime, {_quarter(4)}/{_quarter(5)})", [4]),
        (f"finishes(phenomenonTime, {_quarter(4)}/{_quarter(9)})", []),
    ],
)
def test_functions_of_intervals(region: Asking, condition: str, quarters: list[int]) -> None:
    found = region.values(f"{DOOR}?$filter={condition}&$orderby=phenomenonTime", "phenomenonTime")
    assert found == [f"{_quarter(number)}/{_quarter(number + 1)}" for number in quarters]


QUAY, SQUARE = "geography'POINT(9.43 54.79)'", "geography'POINT(8.9 54.5)'"
BOTH = "geography'POLYGON((8 54,10 54,10 55,8 55,8 54))'"
EAST = "geography'POLYGON((9 54,10 54,10 55,9 55,9 54))'"
AWAY = "geography'POLYGON((1 1,2 1,2 2,1 2,1 1))'"
EDGE = "geography'POLYGON((9.43 54,10 54,10 55,9.43 55,9.43 54))'"
LINE = "geography'LINESTRING(9.43 54,9.43 55)'"
PLACED = "name ne 'Unused' and "


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (f"geo.distance(location, {QUAY}) lt 0.1", ["Quay"]),
        (f"geo.distance(location, {QUAY}) le 90", ["Quay", "Square"]),
        (f"geo.distance(location, {QUAY}) lt 0", []),
        (f"geo.length({LINE}) eq 1", ["Quay", "Square"]),
        ("geo.length(location) eq 0", ["Quay", "Square"]),
        (f"geo.length({LINE}) gt 1", []),
        (f"geo.intersects(location, {EAST})", ["Quay"]),
        (f"geo.intersects(location, {BOTH})", ["Quay", "Square"]),
        (f"geo.intersects(location, {AWAY})", []),
        (f"st_equals(location, {QUAY})", ["Quay"]),
        (f"st_equals(location, {SQUARE})", ["Square"]),
        (f"st_equals(location, {LINE})", []),
        (f"st_disjoint(location, {EAST})", ["Square"]),
        (f"st_disjoint(location, {AWAY})", ["Quay", "Square"]),
        (f"st_disjoint(location, {BOTH})", []),
        (f"st_touches(location, {EDGE})", ["Quay"]),
        (f"st_touches({EDGE}, location)", ["Quay"]),
        (f"st_touches(location, {EAST})", []),
        (f"st_within(location, {EAST})", ["Quay"]),
        (f"st_within(location, {BOTH})", ["Quay", "Square"]),
        (f"st_within(location, {EDGE})", []),
        (f"st_overlaps({EAST}, {EDGE}) and st_within(location, {EAST})", []),
        (f"st_overlaps({EAST}, geography'POLYGON((9.5 54,11 54,11 55,9.5 55,9.5 54))') and st_equals(location, {QUAY})", ["Quay"]),
        (f"st_overlaps(location, {BOTH})", []),
        (f"st_crosses({LINE}, geography'LINESTRING(9 54.5,10 54.5)') and st_equals(location, {QUAY})", ["Quay"]),
        ("st_crosses(geography'LINESTRING(8 54.5,12 54.5)', " + EAST + ") and st_within(location, " + EAST + ")", ["Quay"]),
        (f"st_crosses(location, {BOTH})", []),
        (f"st_intersects(location, {LINE})", ["Quay"]),
        (f"st_intersects(location, {BOTH})", ["Quay", "Square"]),
        (f"st_intersects(location, {AWAY})", []),
        (f"st_contains({EAST}, location)", ["Quay"]),
        (f"st_contains({BOTH}, location)", ["Quay", "Square"]),
        (f"st_contains(location, {BOTH})", []),
        (f"st_relate(location, {EAST}, 'T*F**F***')", ["Quay"]),
        (f"st_relate(location, {AWAY}, 'FF*FF****')", ["Quay", "Square"]),
        (f"st_relate(location, {BOTH}, 'FF*FF****')", []),
    ],
)
def test_functions_of_places(region: Asking, condition: str, names: list[str]) -> None:
    assert region.values(f"Locations?$filter={PLACED}{condition}&$orderby=name", "name") == names


@pytest.mark.parametrize(
    ("path", "condition"),
    [
        ("Things", "substringof(1, name)"),
        ("Things", "endswith(name, 1)"),
        ("Things", "startswith(id, 'a')"),
        ("Things", "length(id) eq 1"),
        ("Things", "indexof(name, 1) eq 1"),
        ("Things", "substring(name, 'a') eq 'a'"),
        ("Things", "tolower(1) eq 'a'"),
        ("Things", "toupper(id) eq 'A'"),
        ("Things", "trim(1) eq 'a'"),
        ("Things", "concat(1, 2) eq '12'"),
        ("Observations", "year('a') eq 2026"),
        ("Observations", "month(id) eq 3"),
        ("Observations", "day(1) eq 1"),
        ("Observations", "hour(true) eq 1"),
        ("Observations", "minute('x') eq 1"),
        ("Observations", "second(id) eq 1"),
        ("Observations", "fractionalseconds(1) eq 1"),
        ("Observations", "date(id) eq 2026-03-01"),
        ("Observations", "time(id) eq 01:00:00"),
        ("Observations", "totaloffsetminutes(id) eq 0"),
        ("Observations", "now(1) gt phenomenonTime"),
        ("Observations", "before(id, phenomenonTime)"),
        ("Observations", "during(phenomenonTime, 1)"),
        ("Observations", "overlaps('a', phenomenonTime)"),
        ("Things", "round(name) eq 1"),
        ("Things", "floor('a') eq 1"),
        ("Things", "ceiling(true) eq 1"),
        ("Locations", "geo.distance(name, location) lt 1"),
        ("Locations", "geo.length(1) lt 1"),
        ("Locations", "geo.intersects(location, 'POINT(1 1)')"),
        ("Locations", "st_within(location, 1)"),
        ("Locations", "st_relate(location, geography'POINT(1 1)', 1)"),
        ("Locations", "st_equals(location)"),
        ("Locations", "st_equals(location, location, location)"),
        ("Locations", "st_within(location, geography'POINT(1')"),
        ("Locations", "unheard_of(location)"),
    ],
)
def test_arguments_of_wrong_types_are_told(region: Asking, path: str, condition: str) -> None:
    with pytest.raises(MalformedQueryError) as told:
        region.json(f"{path}?$filter={condition}")
    assert str(told.value)
    assert "psycopg" not in str(told.value)


@pytest.mark.parametrize(
    ("path", "condition", "count"),
    [
        ("Observations", "Datastream/Thing/properties/owner eq 'x'", 15),
        ("Observations", "Datastream/Thing/Locations/name eq 'Quay' and result gt 8", 2),
        ("Observations", "Datastream/Thing/HistoricalLocations/time lt 2026-01-15T00:00:00Z and Datastream/id eq 1", 10),
        ("Locations", "Things/Datastreams/Observations/result gt 9", 1),
        ("Locations", "Things/Datastreams/ObservedProperty/name eq 'state'", 1),
        ("Sensors", "Datastreams/Thing/Locations/name eq 'Square'", 1),
        ("ObservedProperties", "Datastreams/Observations/FeatureOfInterest/name eq 'Quay'", 2),
        ("Things", "Datastreams/Observations/FeatureOfInterest/name eq 'Quay'", 1),
        ("FeaturesOfInterest", "Observations/Datastream/Thing/name eq 'Bridge'", 1),
        ("HistoricalLocations", "Thing/Datastreams/Sensor/name eq 'Thermometer'", 2),
    ],
)
def test_filters_reach_over_three_relations(region: Asking, path: str, condition: str, count: int) -> None:
    assert region.json(f"{path}?$filter={condition}&$count=true&$top=0")["@iot.count"] == count


def test_select_expand_and_orderby_nest(region: Asking) -> None:
    """18-088, 9.3.2: each expanded relation has options of its own, applied to it alone."""
    inner = "Observations($select=result;$orderby=result desc;$top=2;$filter=result lt 5;$count=true)"
    things = region.json(f"Things?$select=name&$orderby=name desc&$expand=Datastreams($select=name;$orderby=name;$expand={inner})")
    assert [thing["name"] for thing in things["value"]] == [QUOTED, BRIDGE]
    bridge = things["value"][1]
    assert [stream["name"] for stream in bridge["Datastreams"]] == ["Air", "Door"]
    air = bridge["Datastreams"][0]
    assert air["Observations"] == [{"result": 4.5}, {"result": 3.5}]
    assert air["Observations@iot.count"] == 5
    assert "description" not in air
    assert [stream["Observations"] for stream in things["value"][0]["Datastreams"]] == [[]]


def test_orderby_follows_relations_and_takes_several_keys(region: Asking) -> None:
    found = region.json("Observations?$orderby=Datastream/name desc,result desc&$filter=Datastream/id eq 1 or id lt 2000&$top=7")[
        "value"
    ]
    assert len(found) == 7
    latest = region.values(
        "Observations?$filter=Datastream/id eq 1&$orderby=Datastream/Thing/name,phenomenonTime desc&$top=3", "result"
    )
    assert latest == [9.5, 8.5, 7.5]


_RIGHT = {
    Type.STRING: "'T*F**F***'",  # a pattern, for st_relate
    Type.NUMBER: "1",
    Type.TIME: "2026-03-01T00:00:00Z",
    Type.INTERVAL: "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z",
    Type.GEOMETRY: "geography'POINT(1 1)'",
}
_EVERY = [(name, function) for name, functions in sorted(FUNCTIONS.items()) for function in functions]


@pytest.mark.parametrize(("name", "function"), _EVERY, ids=[f"{n}-{len(f.arguments)}" for n, f in _EVERY])
def test_every_argument_has_its_type(region: Asking, name: str, function: Function) -> None:
    right = [_RIGHT[argument] for argument in function.arguments]
    region.json(f"Things?$top=0&$filter={name}({','.join(right)}) eq null")
    for place, wanted in enumerate(function.arguments):
        for wrong in ("true", "duration'PT1H'", "1" if wanted is not Type.NUMBER else "geography'POINT(1 1)'"):
            arguments = [*right[:place], wrong, *right[place + 1 :]]
            with pytest.raises(MalformedQueryError, match=re.escape(f"{name} takes")):
                region.json(f"Things?$top=0&$filter={name}({','.join(arguments)}) eq null")
    with pytest.raises(MalformedQueryError, match=re.escape(f"{name} takes")):
        region.json(f"Things?$top=0&$filter={name}({','.join([*right, '1', '1', '1'])}) eq null")


def test_every_function_has_its_three_cases() -> None:
    cases = Path(__file__).read_text()
    for name in FUNCTIONS:
        assert len(re.findall(rf"\b{re.escape(name)}\(", cases)) >= 3, name
