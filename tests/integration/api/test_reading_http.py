"""Reading over HTTP: the service root, media types, statuses and errors of the application as it runs."""

from __future__ import annotations

import httpx
import pytest
from reading import fill
from writing import ROOT

from api.sensorthings.odata import formats

pytestmark = pytest.mark.integration

SETS = [
    "Things",
    "Locations",
    "HistoricalLocations",
    "Datastreams",
    "MultiDatastreams",
    "Sensors",
    "ObservedProperties",
    "Observations",
    "FeaturesOfInterest",
]

WRONG = [
    ("Things?$filter=name eq 'x", 400, "$filter, character 9"),
    ("Things?$filter=colour eq 1", 400, "colour"),
    ("Things?$filter=name eq %27%00%27", 400, "NUL"),
    ("Things?$top=99999", 400, "$top"),
    ("Observations?$filter=result mul 1e308 mul 1e308 gt 1", 400, ""),
    ("Things(99)", 404, "Things(99)"),
    ("Colours", 404, "Colours"),
    ("Locations?$filter=st_within(location,geography'POINT(1 1)')", 501, "PostGIS"),
]


@pytest.fixture(autouse=True)
def region(database: str) -> None:
    fill(database)


async def test_the_service_root_lists_exactly_the_entity_sets(client: httpx.AsyncClient) -> None:
    for url in ("http://test/v1.1", "http://test/v1.1/"):
        answer = await client.get(url)
        assert answer.status_code == 200
        root = answer.json()
        assert root["value"] == [{"name": name, "url": f"{ROOT}/{name}"} for name in SETS]
        classes = {name.partition("/req/")[2] for name in root["serverSettings"]["conformance"]}
        assert {"datamodel", "resource-path/resource-path-to-entities", "multi-datastream", "data-array/data-array"} <= classes
        # `embedded` has no PostGIS, which the geospatial functions of this class need.
        assert "request-data" not in classes


async def test_every_set_answers_with_links_below_the_public_url(client: httpx.AsyncClient) -> None:
    for name in SETS:
        answer = await client.get(f"{name}?$top=1", headers={"Host": "somebody.else"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        for entity in answer.json()["value"]:
            assert entity["@iot.selfLink"].startswith(f"{ROOT}/{name}(")


async def test_a_value_is_plain_text_and_no_value_is_204(client: httpx.AsyncClient) -> None:
    value = await client.get("Things(1)/name/$value")
    assert (value.status_code, value.text, value.headers["content-type"]) == (200, "Bridge", "text/plain; charset=utf-8")
    empty = await client.get("Things(2)/properties")
    assert (empty.status_code, empty.content) == (204, b"")


async def test_head_is_get_without_body(client: httpx.AsyncClient) -> None:
    head, get = await client.head("Things(1)"), await client.get("Things(1)")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_pages_of_other_origins_read_the_same(client: httpx.AsyncClient) -> None:
    own, other = await client.get("Things(1)"), await client.get("Things(1)", headers={"Origin": "https://elsewhere.example"})
    assert other.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in own.headers
    assert other.content == own.content
    assert other.headers["etag"] == own.headers["etag"]
    assert {answer.headers["vary"] for answer in (own, other)} == {"Authorization, Accept-Encoding, Accept-Language, Origin"}
    wrong = await client.get("Colours", headers={"Origin": "https://elsewhere.example"})
    assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (404, "*")


async def test_the_service_root_is_only_read(client: httpx.AsyncClient) -> None:
    refused = await client.post("http://test/v1.1", json={})
    assert (refused.status_code, refused.json()["code"]) == (405, 405)
    assert set(refused.headers["allow"].split(", ")) >= {"GET", "HEAD"}


async def test_errors_are_json_and_say_what_is_wrong(client: httpx.AsyncClient) -> None:
    for url, status, part in WRONG:
        answer = await client.get(url)
        assert answer.status_code == status, answer.text
        assert answer.json()["code"] == status
        assert part in answer.json()["message"]
    assert (await client.get(WRONG[0][0])).json()["position"] == 9


async def test_without_the_token_private_things_are_hidden(client: httpx.AsyncClient) -> None:
    assert (await client.get("Things(3)")).status_code == 200
    del client.headers["Authorization"]
    assert (await client.get("Things(3)")).status_code == 404
    assert (await client.get("Things?$count=true")).json()["@iot.count"] == 2


async def test_a_path_is_taken_as_it_was_sent(client: httpx.AsyncClient) -> None:
    assert (await client.get("Things%281%29/properties/a-b")).json() == {"a-b": "dash"}
    assert (await client.get("things(1)/?$Select=NAME")).json() == {"name": "Bridge"}
    encoded = httpx.URL("http://test").copy_with(raw_path=b"/v1%2E1/Things(1)/name/$value")
    assert (await client.get(encoded)).text == "Bridge"


async def test_who_has_the_answer_already_gets_304(client: httpx.AsyncClient) -> None:
    first = await client.get("Things?$top=1")
    tag = first.headers["etag"]
    again = await client.get("Things?$top=1", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await client.get("Things?$top=2", headers={"If-None-Match": tag})).status_code == 200


async def test_large_answers_are_packed_for_those_who_ask(client: httpx.AsyncClient) -> None:
    url = "Observations?$top=100"
    plain = await client.get(url, headers={"Accept-Encoding": "identity"})
    packed = await client.get(url, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.json() == plain.json()
    assert "Accept-Encoding" in packed.headers["vary"]


async def test_a_table_of_any_length_is_streamed_packed_too(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "CHUNK", 4)
    for coding in ("identity", "gzip"):
        answer = await client.get("Observations?$resultFormat=CSV&$select=result", headers={"Accept-Encoding": coding})
        assert answer.headers["content-type"].startswith("text/csv")
        assert len(answer.text.splitlines()) == 18
        assert answer.headers.get("content-encoding", "identity") == coding
