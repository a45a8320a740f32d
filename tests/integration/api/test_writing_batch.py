"""`$batch` in both forms."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from writing import DATASTREAM, OBSERVED_PROPERTY, ROOT, SENSOR, THING, counts, having

pytestmark = pytest.mark.integration

STREAM = having(DATASTREAM, Sensor={"@iot.id": "$s"}, ObservedProperty={"@iot.id": "$p"}, Thing={"@iot.id": "$t"})


def one(number: str, method: str, url: str, body: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": number, "method": method, "url": url, **({} if body is None else {"body": body}), **more}


async def test_json_requests_refer_to_what_earlier_ones_created(client: httpx.AsyncClient, database: str) -> None:
    requests = [
        one("t", "post", "Things", having(THING, Datastreams=None)),
        one("s", "post", "Sensors", SENSOR),
        one("p", "post", "/v1.1/ObservedProperties", OBSERVED_PROPERTY),
        one("bad", "post", "Things", {"name": "x"}),
        one("lost", "post", "$nobody/Datastreams", {}),
        one("d", "post", f"{ROOT}/Datastreams", STREAM),
        one("o", "post", "$d/Observations", {"result": 7}),
        one("get", "get", "$d/Observations?$filter=result gt 3&$select=result"),
        one("patch", "patch", "$t", {"name": "new"}),
        one("away", "get", "http://elsewhere.example/Things"),
    ]
    answer = await client.post("$batch", json={"requests": requests})
    assert answer.status_code == 200
    found = {r["id"]: r for r in answer.json()["responses"]}
    assert [found[r["id"]]["status"] for r in requests] == [201, 201, 201, 400, 400, 201, 201, 200, 200, 400]
    assert found["get"]["body"]["value"] == [{"result": 7}]
    assert found["patch"]["body"]["name"] == "new"
    assert (counts(database)["thing"], found["bad"]["body"]["field"]) == (1, "description")


async def test_a_change_set_that_fails_leaves_nothing_behind(client: httpx.AsyncClient, database: str) -> None:
    requests = [
        one("alone", "post", "Sensors", SENSOR),
        one("a", "post", "Things", THING, atomicityGroup="g"),
        one("b", "post", "Things", {"name": "x"}, atomicityGroup="g"),
        one("c", "post", "Things", THING, atomicityGroup="g"),
        one("after", "post", "Sensors", SENSOR),
    ]
    answer = await client.post("$batch", json={"requests": requests})
    assert [r["status"] for r in answer.json()["responses"]] == [201, 424, 400, 424, 201]
    found = counts(database)
    assert (found["thing"], found["datastream"]) == (0, 0)


def multipart(boundary: str, *parts: str) -> str:
    return "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"


def http(method: str, url: str, body: Any = None, content_id: str = "") -> str:
    name = f"Content-ID: {content_id}\r\n" if content_id else ""
    text = "" if body is None else json.dumps(body)
    return f"Content-Type: application/http\r\n{name}\r\n{method} {url} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{text}"


async def test_multipart_with_a_change_set_and_an_error_in_the_middle(client: httpx.AsyncClient, database: str) -> None:
    changes = multipart(
        "inner", http("POST", "Things", having(THING, Datastreams=None), "t"), http("PATCH", "$t", {"description": "changed"})
    )
    body = multipart(
        "outer",
        http("GET", "Things?$count=true"),
        f"Content-Type: multipart/mixed; boundary=inner\r\n\r\n{changes}",
        http("POST", "Things", {"name": "x"}),
        http("GET", "$t/description/$value"),
    )
    answer = await client.post("$batch", content=body, headers={"Content-Type": 'multipart/mixed; boundary="outer"'})
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "multipart/mixed")
    lines = [line for line in answer.text.split("\r\n") if line.startswith("HTTP/1.1")]
    assert [int(line.split()[1]) for line in lines] == [200, 201, 200, 400, 200]
    assert answer.text.rstrip().endswith("--")
    assert "changed" in answer.text.rpartition("HTTP/1.1 200")[2]
    assert counts(database)["thing"] == 1


async def test_what_is_no_batch_is_refused(client: httpx.AsyncClient) -> None:
    for content, media_type, status in [
        ("{}", "application/json", 400),
        ('{"requests": [{"id": "1"}]}', "application/json", 400),
        ("x", "multipart/mixed", 400),
        ("--a\r\n", "multipart/mixed; boundary=a", 400),
        ("x", "text/plain", 415),
    ]:
        answer = await client.post("$batch", content=content, headers={"Content-Type": media_type})
        assert answer.status_code == status, answer.text
    anonymous = await client.post("$batch", json={"requests": []}, headers={"Authorization": ""})
    assert anonymous.status_code == 401
