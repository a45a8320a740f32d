"""What readers see of private Things, and of rows that were moved, deleted or are no JSON."""

from __future__ import annotations

import pytest
from reading import Asking, fill

from api.sensorthings.odata.errors import UnknownResourceError

pytestmark = pytest.mark.integration


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
