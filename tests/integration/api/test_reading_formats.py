"""`$resultFormat`: data arrays, CSV of any length and GeoJSON, against a real database."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

import pytest
from reading import ROOT, Asking

from api.sensorthings.odata import formats
from api.sensorthings.odata.build import Access
from api.sensorthings.odata.errors import MalformedQueryError

pytestmark = [pytest.mark.integration, pytest.mark.parametrize("region_url", ["embedded"], indirect=True)]


def whole(region: Asking, url: str) -> str:
    """The answer with all its pieces."""
    path, _, query = url.partition("?")

    async def read() -> bytes:
        answer = await region.reader.read(path, quote(query, safe="$&=,()'"), Access(sees_private=False))
        pieces = [answer.body or b""]
        if answer.rest is not None:
            pieces.extend([piece async for piece in answer.rest])
        return b"".join(pieces)

    return region._runner.run(read()).decode()


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_data_array_has_the_components_of_the_standards_example(region: Asking) -> None:
    found = region.json("Datastreams(1)/Observations?$resultFormat=dataArray&$top=2&$count=true")
    assert found["@iot.count"] == 10
    (group,) = found["value"]
    assert group["Datastream@iot.navigationLink"] == f"{ROOT}/Datastreams(1)"
    assert group["components"] == ["id", "phenomenonTime", "resultTime", "result"]
    assert group["dataArray@iot.count"] == 2
    assert [row[1:] for row in group["dataArray"]] == [
        ["2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", 0.5],
        ["2026-03-01T00:10:00Z", "2026-03-01T00:10:00Z", 1.5],
    ]


def test_the_next_link_of_a_data_array_is_one_too(region: Asking) -> None:
    page = region.json("Datastreams(1)/Observations?$resultFormat=dataArray&$select=result&$top=4")
    results: list[Any] = []
    while True:
        results.extend(row[0] for group in page["value"] for row in group["dataArray"])
        if "@iot.nextLink" not in page:
            break
        page = region.follow(page["@iot.nextLink"])
    assert results == [k + 0.5 for k in range(10)]


def test_a_data_array_over_datastreams_has_a_group_for_each(region: Asking) -> None:
    found = region.json("Observations?$resultFormat=dataArray&$select=result,resultQuality&$top=20")["value"]
    assert [group["Datastream@iot.navigationLink"] for group in found] == [f"{ROOT}/Datastreams({n})" for n in (1, 2)]
    assert [row[0] for row in found[0]["dataArray"]] == [k + 0.5 for k in range(10)]
    assert [row[0] for row in found[1]["dataArray"]] == ["open", True, {"b": 1, "a": "z"}, None, "7"]
    assert found[1]["dataArray"][0][1] == [{"name": "mine"}]


def test_a_data_array_of_nothing_is_empty(region: Asking) -> None:
    assert region.json("Datastreams(3)/Observations?$resultFormat=dataArray") == {"value": []}
    assert region.json("Observations?$resultFormat=dataArray&$filter=result gt 1000") == {"value": []}


def test_csv_is_a_table_with_quoted_texts(region: Asking) -> None:
    head, *rows = table(whole(region, "Things?$resultFormat=CSV"))
    assert head == ["id", "name", "description", "properties"]
    assert rows[1] == ["2", 'O\'Neil "quoted" \\', "second; line", ""]
    assert json.loads(rows[0][3])["owner"] == "x"


def test_csv_without_top_comes_whole_in_pieces(region: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "CHUNK", 4)
    region.reader.forget()
    path, query = "Observations", quote("$resultFormat=csv&$select=phenomenonTime,result&$skip=1", safe="$&=,")
    answer = region._runner.run(region.reader.read(path, query, Access(sees_private=False)))
    assert answer.rest is not None
    head, *rows = table(whole(region, "Observations?$resultFormat=csv&$select=phenomenonTime,result&$skip=1"))
    region.reader.forget()
    assert head == ["phenomenonTime", "result"]
    assert len(rows) == 14
    assert {row[1] for row in rows} >= {"9.5", "true", '{"b": 1, "a": "z"}', "", "7"}


def test_csv_with_top_ends_there(region: Asking) -> None:
    assert len(table(whole(region, "Observations?$resultFormat=CSV&$top=3"))) == 4
    assert table(whole(region, "Datastreams(3)/Observations?$resultFormat=CSV&$select=id")) == [["id"]]


def test_geojson_has_the_place_as_geometry_and_the_rest_as_properties(region: Asking) -> None:
    answer = region.answer("Locations?$resultFormat=GeoJSON&$count=true")
    assert answer.media == "application/geo+json"
    found = json.loads(answer.body or b"")
    assert found["type"] == "FeatureCollection"
    assert found["@iot.count"] == 3
    quay, square, unused = found["features"]
    assert quay["geometry"] == {"type": "Point", "coordinates": [9.43, 54.79]}
    assert (quay["id"], quay["properties"]["name"], "location" in quay["properties"]) == (1, "Quay", False)
    assert square["geometry"] == {"type": "Point", "coordinates": [8.9, 54.5]}
    assert unused["geometry"] is None


@pytest.mark.parametrize(("name", "lon"), [("Things", 9.43), ("Observations", 9.43), ("FeaturesOfInterest", 9.43)])
def test_geojson_of_what_stands_at_a_place(region: Asking, name: str, lon: float) -> None:
    first = region.json(f"{name}?$resultFormat=GeoJSON&$top=1")["features"][0]
    assert first["geometry"]["coordinates"][0] == lon


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("Things?$resultFormat=dataArray", "Observations"),
        ("Sensors?$resultFormat=GeoJSON", "no place"),
        ("Observations?$resultFormat=CSV&$expand=Datastream", "$expand"),
        ("Observations?$resultFormat=XML", "dataArray"),
        ("Things(1)?$resultFormat=CSV", "collections"),
        ("Things/$ref?$resultFormat=CSV", "$ref"),
        ("Things?$expand=Datastreams($resultFormat=CSV)", "unknown option"),
        ("Observations?$resultFormat=CSV&$select=colour", "colour"),
    ],
)
def test_what_makes_no_sense_in_a_format_is_refused(region: Asking, url: str, part: str) -> None:
    with pytest.raises(MalformedQueryError, match=part.replace("$", r"\$")):
        region.answer(url)
