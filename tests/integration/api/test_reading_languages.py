"""Names in the reader's language; clients of other origins, and behind a proxy with a prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from reading import fill
from starlette.types import ASGIApp, Receive, Scope, Send
from writing import ROOT, TOKEN, settings_for

from api.app import create_app

pytestmark = pytest.mark.integration

NAMES = """
UPDATE thing SET properties = '{"names": {"da": "Broen", "de": "Brücke \\"am\\" Fjord"}, "descriptions": {"da": "over fjorden"}}'
 WHERE id = 1;
UPDATE thing SET properties = '{"names": "none", "descriptions": {"da": null}}' WHERE id = 2;
UPDATE datastream SET properties = properties || '{"names": {"da": "Luft"}}' WHERE id = 1;
"""


@pytest.fixture(autouse=True)
def region(database: str) -> None:
    fill(database)
    fill(database, NAMES)


async def get(client: httpx.AsyncClient, url: str, languages: str | None = None, **headers: str) -> httpx.Response:
    asked = headers | ({} if languages is None else {"Accept-Language": languages})
    answer = await client.get(url, headers=asked)
    assert answer.status_code in {200, 304}, answer.text
    return answer


async def test_names_come_in_the_first_language_that_there_is(client: httpx.AsyncClient) -> None:
    for languages, name, description in (
        ("da", "Broen", "over fjorden"),
        ("de, da;q=0.5", 'Brücke "am" Fjord', "over fjorden"),
        ("en, de;q=0.5", 'Brücke "am" Fjord', "over the fjord"),
        ("en", "Bridge", "over the fjord"),
        ("fr", "Bridge", "over the fjord"),
        (None, "Bridge", "over the fjord"),
    ):
        thing = (await get(client, "Things(1)", languages)).json()
        assert (thing["name"], thing["description"]) == (name, description)
        assert "names" in thing["properties"]


async def test_without_a_translation_the_stored_name_stands(client: httpx.AsyncClient) -> None:
    thing = (await get(client, "Things(2)", "da")).json()
    assert (thing["name"], thing["description"]) == ('O\'Neil "quoted" \\', "second; line")


async def test_every_form_has_them(client: httpx.AsyncClient) -> None:
    things = (await get(client, "Things?$expand=Datastreams($select=name)&$select=name", "da")).json()["value"]
    assert things[0] == {"name": "Broen", "Datastreams": [{"name": "Luft"}, {"name": "Door"}]}
    assert (await get(client, "Things(1)/name/$value", "da")).text == "Broen"
    assert (await get(client, "Things?$resultFormat=CSV&$select=name&$top=1", "da")).text == 'name\r\n"Broen"\r\n'
    assert (await get(client, "Things?$resultFormat=GeoJSON&$top=1", "da")).json()["features"][0]["properties"]["name"] == "Broen"
    assert (await get(client, "Observations(1000)?$expand=Datastream/Thing", "da")).json()["Datastream"]["Thing"]["name"] == "Broen"
    # Filters are about what is stored: links lead on in any language.
    assert len((await get(client, "Things?$filter=name eq 'Bridge'", "da")).json()["value"]) == 1


async def test_caches_tell_languages_apart(client: httpx.AsyncClient) -> None:
    danish, stored, german = [await get(client, "Things(1)", asked) for asked in ("da", None, "de")]
    tags = [one.headers["etag"] for one in (danish, stored, german)]
    assert len(set(tags)) == 3
    assert danish.headers["content-language"] == "da"
    assert "content-language" not in stored.headers
    assert all("Accept-Language" in one.headers["vary"] for one in (danish, stored, german))
    assert (await get(client, "Things(1)", "da", **{"If-None-Match": tags[0]})).status_code == 304
    assert (await get(client, "Things(1)", "de", **{"If-None-Match": tags[0]})).status_code == 200


async def test_what_a_writer_gets_back_is_what_is_stored(client: httpx.AsyncClient) -> None:
    answer = await client.patch("Things(1)", json={"description": "changed"}, headers={"Accept-Language": "da"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["description"]) == ("Bridge", "changed")


async def test_pages_of_other_origins_may_do_everything(client: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization, content-type, if-match"}
        allowed = await client.options("Things(1)", headers=origin | asked)
        assert allowed.status_code == 200, allowed.text
        assert method in allowed.headers["access-control-allow-methods"]
        assert "if-match" in allowed.headers["access-control-allow-headers"].lower()
    shown = {
        name.strip() for name in (await get(client, "Things(1)", **origin)).headers["access-control-expose-headers"].split(",")
    }
    assert {"ETag", "Location", "Link", "Content-Language", "Retry-After"} <= {name.strip() for name in shown}


class Proxy:
    """A proxy that takes `/sta` off, as nginx does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"].startswith("/sta/"), scope["path"]
        inner = {"path": scope["path"].removeprefix("/sta"), "raw_path": scope["raw_path"].removeprefix(b"/sta")}
        await self._app({**scope, **inner}, receive, send)


async def test_behind_a_proxy_with_a_prefix_every_link_leads_back(database: str, tmp_path: Path) -> None:
    app = create_app(settings_for(database, tmp_path))
    async with app.router.lifespan_context(app):
        headers = {"Authorization": f"Bearer {TOKEN}", "Host": "inside.example"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(Proxy(app)), headers=headers) as client:
            root = (await client.get(ROOT)).json()
            for entity_set in root["value"]:
                assert (await client.get(entity_set["url"])).status_code == 200
            page: Any = (await client.get(ROOT + "/Observations?$top=6&$expand=Datastream")).json()
            seen = len(page["value"])
            while "@iot.nextLink" in page:
                page = (await client.get(page["@iot.nextLink"])).json()
                seen += len(page["value"])
            assert seen == 17
            links = [link for name, link in page["value"][0].items() if name.endswith("Link")]
            for link in links:
                assert (await client.get(link)).status_code == 200, link
            made = await client.post(
                ROOT + "/Sensors", json={"name": "s", "description": "d", "encodingType": "x", "metadata": "m"}
            )
            assert (await client.get(made.headers["location"])).json()["name"] == "s"
            docs = await client.get("https://region.example/sta/docs")
            assert 'url: "openapi.json"' in docs.text.replace("'", '"')
