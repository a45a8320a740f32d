"""What QGIS asks of a service, as its provider of SensorThings makes it (qgssensorthingsshareddata and -utils, 3.36 and later)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from clients_serving import TOKEN, Served, serving

if TYPE_CHECKING:
    from conftest import Servers

pytestmark = [pytest.mark.integration, pytest.mark.e2e]

POINTS = {"Flensburg": [9.43, 54.79], "Padborg": [9.36, 54.82], "Sonderborg": [9.79, 54.91]}
VIEW = "geography'Polygon ((9 54.7, 9.5 54.7, 9.5 54.85, 9 54.85, 9 54.7))'"
FAR = "geography'Polygon ((1 0, 10 0, 10 8, 1 8, 1 0))'"
IS_POINT = "location/type eq 'Point' or location/geometry/type eq 'Point'"
IS_POLYGON = IS_POINT.replace("Point", "Polygon")
STREAMS = 12


def station(name: str, point: list[float]) -> dict[str, Any]:
    unit = {"name": "degree Celsius", "symbol": "°C", "definition": "Cel"}
    streams = [
        {
            "name": f"{name} {number}", "description": "air", "unitOfMeasurement": unit,
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "Sensor": {"name": "PT100", "description": "p", "encodingType": "text/html", "metadata": "https://example.org"},
            "ObservedProperty": {"name": "air temperature", "description": "of the air", "definition": "https://example.org/t"},
            "Observations": [{"phenomenonTime": f"2026-01-01T0{hour}:00:00Z", "result": hour} for hour in range(3)],
        }
        for number in range(STREAMS)
    ]  # fmt: skip
    place = {
        "name": name,
        "description": "place",
        "encodingType": "application/geo+json",
        "location": {"type": "Point", "coordinates": point},
    }
    return {"name": name, "description": "station", "properties": {"owner": name}, "Locations": [place], "Datastreams": streams}


@pytest.fixture(scope="module")
def served(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with servers.database("local") as database, serving(database, tmp_path_factory.mktemp("qgis")) as api:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for name, point in POINTS.items():
            httpx.post(f"{api.root}/Things", json=station(name, point), headers=headers, timeout=30).raise_for_status()
        area = {"type": "Polygon", "coordinates": [[[9, 54], [10, 54], [10, 55], [9, 55], [9, 54]]]}
        place = {
            "name": "area",
            "description": "p",
            "encodingType": "application/geo+json",
            "location": {"type": "Feature", "geometry": area},
        }
        httpx.post(f"{api.root}/Locations", json=place, headers=headers, timeout=30).raise_for_status()
        yield api


def ask(url: str) -> dict[str, Any]:
    """As Qt sends it: blanks and what is not ASCII escaped, the rest as it stands."""
    answer = httpx.get(quote(url, safe="/:?&=$()',;%+"), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(url: str) -> list[dict[str, Any]]:
    """The links are followed as they are, until an answer is empty or has none."""
    found: list[dict[str, Any]] = []
    answer = ask(url)
    while answer["value"]:
        found += answer["value"]
        if "@iot.nextLink" not in answer:
            break
        following = httpx.get(answer["@iot.nextLink"], timeout=30)
        assert following.status_code == 200, following.text
        answer = following.json()
    return found


def test_the_root_names_the_sets_and_their_addresses(served: Served) -> None:
    sets = {each["name"]: each["url"] for each in ask(served.root)["value"]}
    assert sets["Locations"] == f"{served.root}/Locations"
    assert set(sets) >= {
        "Things",
        "Locations",
        "HistoricalLocations",
        "Datastreams",
        "Sensors",
        "ObservedProperties",
        "Observations",
    }
    assert set(sets) >= {"FeaturesOfInterest", "MultiDatastreams"}


@pytest.mark.parametrize(
    ("name", "condition", "count"),
    [
        ("Things", "", 3),
        ("Datastreams", "", 3 * STREAMS),
        ("Locations", IS_POINT, 3),
        ("Locations", IS_POLYGON, 1),
        ("Locations", IS_POINT.replace("Point", "LineString"), 0),
        ("FeaturesOfInterest", IS_POINT.replace("location", "feature"), 3),
        ("MultiDatastreams", IS_POINT.replace("location", "observedArea"), 0),
        ("Locations", f"({IS_POINT}) and (name eq 'Padborg')", 1),
        ("Locations", f"({IS_POINT}) and (geo.intersects(location, {VIEW}))", 2),
    ],
)
def test_features_are_counted_without_being_fetched(served: Served, name: str, condition: str, count: int) -> None:
    answer = ask(f"{served.root}/{name}?$top=0&$count=true" + (f"&$filter={condition}" if condition else ""))
    assert answer["@iot.count"] == count
    assert answer["value"] == []


def test_features_come_in_pages_of_the_layers_size(served: Served) -> None:
    answer = ask(f"{served.root}/Locations?$top=2&$count=false&$filter={IS_POINT}")
    assert len(answer["value"]) == 2
    assert "@iot.count" not in answer
    found = pages(f"{served.root}/Locations?$top=2&$count=false&$filter={IS_POINT}")
    assert [each["name"] for each in found] == list(POINTS)
    assert all(each["location"]["type"] == "Point" for each in found)


@pytest.mark.parametrize(("view", "names"), [(VIEW, {"Flensburg", "Padborg"}), (FAR, set())])
def test_features_in_view_are_asked_for_alone(served: Served, view: str, names: set[str]) -> None:
    asked = f"{served.root}/Locations?$top=1&$count=false&$filter=(geo.intersects(location, {view})) and ({IS_POINT})"
    assert {each["name"] for each in pages(asked)} == names
    asked = f"{served.root}/Locations?$top=1&$count=false&$filter=geo.intersects(location, {view})"
    assert {each["name"] for each in pages(asked)} - {"area"} == names


def test_layers_expand_relations_down_to_observations(served: Served) -> None:
    inner = "$expand=Datastreams($top=10;$expand=Observations($orderby=phenomenonTime desc;$top=2))"
    asked = f"{served.root}/Locations?$top=2&$count=false&$expand=Things($orderby=name;$top=100;{inner})&$filter={IS_POINT}"
    found = pages(asked)
    assert [each["name"] for each in found] == list(POINTS)
    for place in found:
        (thing,) = place["Things"]
        assert len(thing["Datastreams"]) == 10
        assert "Datastreams@iot.nextLink" in thing
        for stream in thing["Datastreams"]:
            assert [each["result"] for each in stream["Observations"]] == [2, 1]
            assert "Observations@iot.nextLink" in stream
    rest = pages(found[0]["Things"][0]["Datastreams@iot.nextLink"])
    assert len(rest) == STREAMS - 10
    assert all(len(stream["Observations"]) == 2 for stream in rest)


def test_what_is_expanded_has_a_filter_of_its_own(served: Served) -> None:
    inner = "$orderby=phenomenonTime;$top=5;$filter=result gt 0 and phenomenonTime gt 2026-01-01T00:30:00Z"
    found = pages(f"{served.root}/Datastreams?$top=20&$count=false&$expand=Observations({inner})")
    assert len(found) == 3 * STREAMS
    assert all([each["result"] for each in stream["Observations"]] == [1, 2] for stream in found)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("Things", "$expand=Datastreams/Observations"),
        ("Things", "$expand=Datastreams/Observations,Locations"),
        (
            "Things",
            "$expand=Locations,Datastreams($select=name;$expand=Observations($top=1;$orderby=phenomenonTime desc))",
        ),
        (
            "Datastreams",
            "$expand=Observations($select=@iot.id;$orderby=phenomenonTime desc),Observations/FeatureOfInterest($select=feature)",
        ),
        ("Datastreams", "$expand=Observations/FeatureOfInterest($select=feature),Observations($top=2)"),
    ],
)
def test_paths_and_options_of_one_relation_are_one_expansion(served: Served, path: str, options: str) -> None:
    first = ask(f"{served.root}/{path}?{options}&$top=1")
    second = httpx.get(f"{first['@iot.nextLink']}&{quote(options, safe='$=')}", timeout=30)
    assert second.status_code == 200, second.text
    assert set(second.json()["value"][0]) == set(first["value"][0])
    whole = [first["value"][0], second.json()["value"][0]]
    streams = [stream for each in whole for stream in each["Datastreams"]] if path == "Things" else whole
    assert all(stream["Observations"] for stream in streams)
    if "FeatureOfInterest" in options:
        assert all(set(each["FeatureOfInterest"]) == {"feature"} for stream in streams for each in stream["Observations"])


def test_features_are_geojson_too(served: Served) -> None:
    asked = f"{served.root}/Things?$resultFormat=GeoJSON&$expand=Locations,Datastreams($select=name)&$filter=name eq 'Padborg'"
    answer = httpx.get(quote(asked, safe="/:?&=$()',;%+"), timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/geo+json")
    (feature,) = answer.json()["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": POINTS["Padborg"]}


@pytest.mark.parametrize(
    "options", ["$top=1&$top=1", "$expand=Locations&$expand=Datastreams", "$expand=Locations($top=1),Locations($top=2)"]
)
def test_what_contradicts_itself_is_refused(served: Served, options: str) -> None:
    answer = httpx.get(f"{served.root}/Things?{options}", timeout=30)
    assert answer.status_code == 400
    assert "twice" in answer.json()["message"]
