"""The page's files: found, cached as they may be, and nothing from outside in them."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from starlette.applications import Starlette

from api.page.routes import STATIC, page_routes

OWN = [path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts]
WORDS = {path.stem: json.loads(path.read_text()) for path in (STATIC / "words").glob("*.json")}
# What a link may name; the browser test proves that nothing is loaded from there.
LINKS = ("https://www.openstreetmap.org/copyright", "http://www.w3.org/")


async def get(path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=Starlette(routes=page_routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
        return await client.get(path, headers=headers)


async def test_the_page_forbids_all_that_is_not_its_own() -> None:
    answer = await get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


async def test_every_file_that_the_page_names_is_there() -> None:
    page = (await get("/")).text
    named = re.findall(r'(?:href|src)="(static/[^"]+)"', page)
    assert len(named) >= 4
    for path in named:
        assert (await get(f"/{path}")).status_code == 200


async def test_vendored_files_are_kept_for_ever_and_others_asked_for_again() -> None:
    vendored = next((STATIC / "vendor").rglob("maplibre-gl.js")).relative_to(STATIC)
    assert "immutable" in (await get(f"/static/{vendored}")).headers["cache-control"]
    first = await get("/static/app.js")
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["x-content-type-options"] == "nosniff"
    again = await get("/static/app.js", **{"if-none-match": first.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/static/no-such-file.js", "/static/", "/static/%2e%2e/routes.py", "/static/../routes.py"])
async def test_nothing_else_is_served(path: str) -> None:
    assert (await get(path)).status_code == 404


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_own_files_name_no_address_outside(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    found = re.findall(r"https?://[^\s\"'<>)`]+", text)
    assert [one for one in found if not one.startswith(LINKS)] == []


def _paths(words: dict[str, object], above: str = "") -> set[str]:
    paths: set[str] = set()
    for key, value in words.items():
        paths |= _paths(value, f"{above}{key}.") if isinstance(value, dict) else {above + key}
    return paths


def test_all_languages_have_the_same_words() -> None:
    assert set(WORDS) == {"de", "da", "en"}
    assert _paths(WORDS["de"]) == _paths(WORDS["en"]) == _paths(WORDS["da"])


@pytest.mark.parametrize("language", ["de", "da"])
def test_placeholders_are_the_same_in_all_languages(language: str) -> None:
    def holes(words: dict[str, object]) -> dict[str, object]:
        return {
            key: holes(value) if isinstance(value, dict) else sorted(re.findall(r"\{\w+\}", str(value)))
            for key, value in words.items()
        }

    assert holes(WORDS[language]) == holes(WORDS["en"])


def test_every_word_that_the_page_asks_for_exists() -> None:
    sources = "".join(path.read_text() for path in OWN if path.suffix in {".js", ".html"})
    asked = set(re.findall(r'word\("(\w+)"', sources)) | set(re.findall(r'data-word(?:-\w+)?="(\w+)"', sources))
    assert len(asked) > 30
    assert asked <= set(WORDS["en"])


def test_the_outline_is_small_and_names_its_source() -> None:
    path = STATIC / "map" / "outline.geojson"
    assert path.stat().st_size < 1_000_000
    outline = json.loads(path.read_text())
    assert "OpenStreetMap" in outline["attribution"]
    assert {feature["properties"]["kind"] for feature in outline["features"]} == {"land", "coast", "border"}
