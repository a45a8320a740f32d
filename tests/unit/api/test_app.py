from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from api.access import OpenToTheWorldError
from api.app import create_app, public_url_of
from api.errors import STATUS
from infra.settings import ApiSettings


def test_authentication_off_is_refused_beyond_loopback(settings: ApiSettings) -> None:
    with pytest.raises(OpenToTheWorldError):
        create_app(settings.model_copy(update={"auth": False, "host": "0.0.0.0"}))
    create_app(settings.model_copy(update={"auth": False, "host": "127.0.0.1"}))


def test_the_public_url_has_a_default(settings: ApiSettings) -> None:
    assert public_url_of(settings) == "https://region.example/sta"
    here = settings.model_copy(update={"public_url": ""})
    assert public_url_of(here) == "http://127.0.0.1:8080"
    assert public_url_of(here.model_copy(update={"host": "::1"})) == "http://[::1]:8080"


async def test_live_while_the_database_is_away(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "alive"}


async def test_not_ready_while_the_database_is_away(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/ready")
    assert response.status_code == 503
    assert "retry-after" in response.headers
    report = response.json()
    assert report["status"] == "not ready"
    assert {name: found["ok"] for name, found in report["dependencies"].items()} == {
        "database": False,
        "kafka": False,
        "mqtt": False,
    }
    assert "127.0.0.1" not in response.text


async def test_what_needs_the_database_says_that_it_is_away(client: httpx.AsyncClient) -> None:
    response = await client.get("/planning/v1/stations")
    assert response.status_code == 503
    assert response.json()["message"].startswith("the database is away")
    assert response.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/v1.1/Things?$filter=%zz", "percent"),
        ("/v1.1/Things?$filter=%", "percent"),
        ("/v1.1/Things?$filter=%ff", "UTF-8"),
        ("/v1.1/Things?$filter=%00", "NUL"),
        ("/v1.1/%ffThings", "UTF-8"),
        ("/v1.1/Thi%00ngs", "NUL"),
        ("/v1.1/Thi%gngs", "percent"),
    ],
)
async def test_bytes_that_are_no_text_are_refused(client: httpx.AsyncClient, path: str, problem: str) -> None:
    url = httpx.URL("http://test").copy_with(raw_path=path.encode())
    response = await client.get(url)
    assert response.status_code == 400
    assert problem in response.json()["message"]
    assert response.json()["position"] > 0


async def test_the_querys_limit_holds_on_both_sides(client: httpx.AsyncClient, settings: ApiSettings) -> None:
    fits = await client.get("/health/live?" + "a" * settings.query_bytes)
    assert fits.status_code == 200
    long = await client.get("/health/live?" + "a" * (settings.query_bytes + 1))
    assert long.status_code == 414
    assert str(settings.query_bytes) in long.json()["message"]
    assert (await client.get("/" + "a" * 9_000)).status_code == 414


async def test_no_such_path_and_no_such_method(client: httpx.AsyncClient) -> None:
    missing = await client.get("/nothing/here")
    assert (missing.status_code, missing.json()["type"]) == (404, "error")
    wrong = await client.post("/health/live")
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["allow"]
    assert wrong.json()["code"] == 405


async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient) -> None:
    response = await client.get("/planning/v1/series?datastream=x")
    assert response.status_code == 400
    assert response.json()["field"] == "datastream"


async def test_reading_is_open_to_pages_of_other_origins(client: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/nothing?%zz"):
        response = await client.get(path, headers={"Origin": "https://elsewhere.example"})
        assert response.headers["access-control-allow-origin"] == "*"


async def test_metrics_count_requests(client: httpx.AsyncClient) -> None:
    await client.get("/health/live")
    page = (await client.get("/metrics")).text
    assert 'grenzregion_api_requests_total{method="GET",route="health",status="200"} 1.0' in page
    assert 'grenzregion_api_request_seconds_count{method="GET",route="health"} 1.0' in page
    assert 'grenzregion_api_pool_size{pool="reading"}' in page


async def test_strange_methods_do_not_make_metrics_grow(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await client.request(f"STRANGE{number}", "/health/live")
    assert 'method="other"' in (page := (await client.get("/metrics")).text)
    assert "STRANGE" not in page


async def test_the_docs_load_nothing_from_outside(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert re.findall(r"https?://[^\s\"'<]+", page.text) == []
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        if not address.startswith("data:"):
            file = await client.get("/" + address)
            assert (file.status_code, len(file.content) > 10_000) == (200, True), address
    assert (await client.get("/docs/../app.py")).status_code == 404
    plain = await client.get("/docs/swagger-ui.css", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert ".swagger-ui" in plain.text


async def test_openapi_describes_planning_and_sensorthings(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["servers"] == [{"url": "https://region.example/sta"}]
    assert {"/planning/v1/stations", "/v1.1/Things", "/v1.1/Observations({id})", "/health/ready"} <= set(document["paths"])
    assert document["components"]["schemas"]["Observation"]["required"] == ["result"]


async def test_every_metric_and_every_error_has_its_line_in_the_docs(client: httpx.AsyncClient) -> None:
    docs = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    page = (await client.get("/metrics")).text
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE") and "_created " not in line}
    assert names
    for name in (*names, *(kind.__name__ for kind in STATUS)):
        assert f"`{name}`" in docs, name
