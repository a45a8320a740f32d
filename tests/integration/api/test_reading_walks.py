"""Things by their places, in order of id: the index of geometries where few are near, a walk in this order where many are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from reading import ROOT, Asking, asking, fill

pytestmark = pytest.mark.integration

THINGS = 3_000
# A third in the west, the last thousand in the north; a seventh is private, and a tenth has two Locations at its place.
FILL = f"""
INSERT INTO thing (name, description, properties)
SELECT 'thing ' || i, 'walked', jsonb_build_object('public', i % 7 > 0, 'no', i) FROM generate_series(0, {THINGS} - 1) i ORDER BY i;
INSERT INTO location (name, description, encoding_type, location)
SELECT i || ' ' || turn, 'walked', 'application/geo+json', jsonb_build_object(
           'type', 'Point', 'coordinates', jsonb_build_array(8 + i % 3 * 0.1 + i * 0.00001, 54 + i / 2000 + i * 0.00001))
  FROM generate_series(0, {THINGS} - 1) i, generate_series(0, CASE WHEN i % 10 = 0 THEN 1 ELSE 0 END) turn;
INSERT INTO thing_location (thing_id, location_id)
SELECT thing.id, location.id FROM thing JOIN location ON split_part(location.name, ' ', 1) = thing.properties ->> 'no';
ANALYZE thing, location, thing_location;
"""
WEST = "geography'POLYGON((7.99 53,8.09 53,8.09 56,7.99 56,7.99 53))'"
NORTH = "geography'POLYGON((7 54.9,9 54.9,9 56,7 56,7 54.9))'"
EVERYWHERE = "geography'POLYGON((7 53,9 53,9 56,7 56,7 53))'"
FEW = "geography'POLYGON((7.9999 53.9999,8.000045 53.9999,8.000045 54.000045,7.9999 54.000045,7.9999 53.9999))'"
CASES: dict[str, tuple[str, Callable[[int], bool]]] = {
    "many": (f"st_within(Locations/location,{WEST})", lambda i: i % 3 == 0),
    "the last alone": (f"st_within(Locations/location,{NORTH})", lambda i: i >= 2_000),
    "all": (f"geo.intersects({EVERYWHERE},Locations/location)", lambda _: True),
    "few": (f"st_within(Locations/location,{FEW})", lambda i: i in {0, 3}),
    "none that meets the rest": (f"st_within(Locations/location,{WEST}) and name eq 'x'", lambda _: False),
    "many that meet the rest": (
        f"properties/no gt 1500 and st_within(Locations/location,{WEST})",
        lambda i: i > 1_500 and i % 3 == 0,
    ),
    "two of one place": (f"st_within(Locations/location,{WEST}) and Locations/name eq '30 1'", lambda i: i == 30),
    "two places": (
        f"st_within(Locations/location,{WEST}) and st_within(Locations/location,{NORTH})",
        lambda i: i % 3 == 0 and i >= 2_000,
    ),
    "not there": (f"not st_within(Locations/location,{NORTH})", lambda i: i < 2_000),
    "either": (f"st_within(Locations/location,{NORTH}) or name eq 'thing 1'", lambda i: i >= 2_000 or i == 1),
    "apart": (f"st_disjoint(Locations/location,{NORTH})", lambda i: i < 2_000),
}


@pytest.fixture(scope="module")
def places(servers: Any) -> Iterator[Asking]:
    with servers.database("local") as url:
        fill(url, FILL)
        with asking(url) as asked:
            yield asked


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_pages_give_every_thing_of_a_place_once_and_in_order(places: Asking, name: str, *, private: bool) -> None:
    condition, lies = CASES[name]
    expected = [f"thing {i}" for i in range(THINGS) if lies(i) and (private or i % 7 > 0)]
    url, found, pages = f"Things?$filter={condition}&$top=90&$count=true&$select=name", list[str](), 0
    page = places.json(url, private=private)
    assert page["@iot.count"] == len(expected)
    while True:
        pages += 1
        found.extend(thing["name"] for thing in page["value"])
        link = page.get("@iot.nextLink")
        if link is None:
            break
        page = places.json(link.removeprefix(ROOT + "/").replace("%20", " "), private=private)
    assert found == expected
    assert pages == max(1, -(-len(expected) // 90))


@pytest.mark.parametrize(("top", "skip"), [(0, 0), (1, 0), (1, 5), (5, 299), (1_000, 0)])
def test_any_page_holds_what_it_should(places: Asking, top: int, skip: int) -> None:
    names = [f"thing {i}" for i in range(0, THINGS, 3)]
    page = places.json(f"Things?$filter={CASES['many'][0]}&$top={top}&$skip={skip}&$select=name", private=True)
    assert [thing["name"] for thing in page["value"]] == names[skip : skip + top]
    assert ("@iot.nextLink" in page) == (0 < top < 1_000)


@pytest.mark.parametrize("order", ["id desc", "name", "name desc"])
def test_another_order_is_kept(places: Asking, order: str) -> None:
    names = [f"thing {i}" for i in range(0, THINGS, 3)]
    names = names[::-1] if order == "id desc" else sorted(names, reverse=order == "name desc")
    page = places.json(f"Things?$filter={CASES['many'][0]}&$orderby={order}&$top=50&$select=name", private=True)
    assert [thing["name"] for thing in page["value"]] == names[:50]


def test_a_page_walks_where_many_are_near_and_no_further_than_ten_times_its_rows(places: Asking) -> None:
    plan = places.plan(f"Things?$filter={CASES['many'][0]}&$top=20", generic=True)
    assert plan.count("Index Scan using location_shape") == 2, plan  # whether there are many, and what is behind the walk
    assert re.search(r"Limit[^\n]*rows=210.*\n(?:.*\n){0,4}.*One-Time Filter.*\n.*Index Scan using thing_pkey", plan), plan
    # But for what hides: so many are private here that all are looked through.
    assert not re.search(r"Seq Scan on (thing|location)(?: \1_\d+)?  ", plan), plan


def test_only_conditions_that_an_index_of_boxes_can_answer_walk(places: Asking) -> None:
    for name in ("two places", "two of one place", "not there", "either", "apart"):
        assert "CTE many" not in places.plan(f"Things?$filter={CASES[name][0]}"), name
    for name in ("many", "few", "all", "many that meet the rest"):
        assert "CTE many" in places.plan(f"Things?$filter={CASES[name][0]}"), name
    for option in ("$skip=1", "$orderby=name", "$orderby=id desc"):
        assert "CTE many" not in places.plan(f"Things?$filter={CASES['many'][0]}&{option}"), option
