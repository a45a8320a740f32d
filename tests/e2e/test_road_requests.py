"""Malformed HTTP requests to a running platform: 4xx with a reason, no stack trace, and no trace in the database."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest
from road import Platform, thing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

JSON = "application/json"
GOOD = thing("malformed", ("t",))
OFF_EARTH = {"type": "Point", "coordinates": [9, 91]}


def text(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


def observation(time: str) -> bytes:
    return json.dumps({"result": 5, "phenomenonTime": time, "Datastream": {"@iot.id": 1}}).encode()


BODIES: list[tuple[str, str, bytes, int]] = [
    ("nothing", "Things", b"", 400),
    ("no JSON", "Things", b"name=x", 400),
    ("cut off", "Things", text()[:-5], 400),
    ("two values", "Things", text() + b"{}", 400),
    ("an array", "Things", b"[]", 400),
    ("a number", "Things", b"5", 400),
    ("null", "Things", b"null", 400),
    ("not UTF-8", "Things", b'{"name": "\xff\xfe", "description": "x"}', 400),
    ("UTF-16", "Things", text().decode().encode("utf-16"), 400),
    ("NUL in a text", "Things", text(name="a\0b"), 400),
    ("NUL in a name", "Things", text(properties={"a\0b": 1}), 400),
    ("a lone surrogate", "Things", b'{"name": "\\ud800", "description": "x"}', 400),
    ("NaN", "Things", b'{"name": "x", "description": "x", "properties": {"a": NaN}}', 400),
    ("1e400", "Things", b'{"name": "x", "description": "x", "properties": {"a": 1e400}}', 400),
    ("5,000 digits", "Things", b'{"name": "x", "description": "x", "properties": {"a": %s}}' % (b"9" * 5_000), 400),
    ("200,000 levels", "Things", b'{"name": "x", "description": "x", "properties": {"a": ' + b"[" * 200_000, 400),
    ("100,000 levels, closed", "Things", b"[" * 100_000 + b"]" * 100_000, 400),
    ("a key twice", "Things", b'{"name": "x", "name": "y", "description": "x"}', 400),
    ("a wrong type", "Things", text(name=5), 400),
    ("an unknown field", "Things", text(colour="red"), 400),
    ("SQL as a field", "Things", text(**{"name'; DROP TABLE thing; --": 1}), 400),
    ("an id", "Things", text(**{"@iot.id": 1}), 400),
    ("a missing field", "Things", b'{"name": "x"}', 400),
    ("a bad device", "Things", text(properties={"device": "../etc"}), 400),
    ("a bad time zone", "Things", text(properties={"timezone": "Mars/Olympus"}), 400),
    ("a bad neighbour", "Things", text(Datastreams=[*GOOD["Datastreams"], {"name": "half"}]), 400),
    ("a place off Earth", "Things", text(Locations=[GOOD["Locations"][0] | {"location": OFF_EARTH}]), 400),
    ("a result without Datastream", "Observations", b'{"result": 5}', 400),
    ("a Datastream that is not there", "Observations", b'{"result": 5, "Datastream": {"@iot.id": 999999}}', 400),
    ("year 10000", "Observations", observation("10000-01-01T00:00:00Z"), 400),
    ("a time without zone", "Observations", observation("2026-01-01T00:00:00"), 400),
    ("an id beyond 64 bits", "Observations", b'{"result": 5, "Datastream": {"@iot.id": %s}}' % (b"9" * 30), 400),
    ("a body above the limit", "Things", b'{"name": "' + b"x" * 11_000_000 + b'", "description": "x"}', 413),
]  # fmt: skip

QUERIES: list[tuple[str, int]] = [
    ("/v1.1/Things?$filter=name eq", 400),
    ("/v1.1/Things?$filter=name eq 'x", 400),
    ("/v1.1/Things?$filter=colour eq 'x'", 400),
    ("/v1.1/Things?$filter=" + "(" * 500 + "1 eq 1" + ")" * 500, 400),
    ("/v1.1/Things?$filter=name eq '';DROP TABLE thing;--", 400),
    ("/v1.1/Observations?$filter=phenomenonTime gt 10000-01-01T00:00:00Z", 400),
    ("/v1.1/Observations?$filter=result gt 1e400", 400),
    ("/v1.1/Observations?$filter=result gt " + "9" * 3_000, 400),
    ("/v1.1/Observations?$filter=id eq " + "9" * 40 + "x", 400),
    ("/v1.1/Things?$top=-1", 400),
    ("/v1.1/Things?$top=x", 400),
    ("/v1.1/Things?$top=" + "9" * 5_000, 414),
    ("/v1.1/Things?$skip=" + "9" * 50, 400),
    ("/v1.1/Things?$count=maybe", 400),
    ("/v1.1/Things?$orderby=colour", 400),
    ("/v1.1/Things?$select=colour", 400),
    ("/v1.1/Things?$expand=Colours", 400),
    ("/v1.1/Things?$expand=Datastreams($expand=Thing($expand=Datastreams($expand=Thing)))", 400),
    ("/v1.1/Things?$colour=red", 400),
    ("/v1.1/Things?$top=1&$top=2", 400),
    ("/v1.1/Colours", 404),
    ("/v1.1/Things(999999999)", 404),
    ("/v1.1/Things(" + "9" * 40 + ")", 404),
    ("/v1.1/Things(x)", 400),
    ("/v1.1/Things('1')", 400),
    ("/v1.1/Things(1", 400),
    ("/v1.1/Things(-1)", 404),
    ("/v1.1/Things?$filter=name eq '%00'", 400),
    ("/v1.1/Things%00", 400),
    ("/v1.1/Things?$filter=name eq '%ff'", 400),
    ("/v1.1/Things?$filter=name eq '%zz'", 400),
    ("/v1.1/Things%c0%ae%c0%ae/", 400),
    ("/v1.1/../../etc/passwd", 404),
    ("/static/../../../etc/passwd", 404),
    ("/static/%2e%2e/%2e%2e/app.py", 404),
    ("/planning/v1/series", 400),
    ("/planning/v1/series?datastream=x", 400),
    ("/planning/v1/series?datastream=1&hours=nan", 400),
    ("/planning/v1/series?datastream=1&hours=1e400", 400),
    ("/planning/v1/series?datastream=999999", 404),
    ("/planning/v1/series?datastream=" + "9" * 40, 400),
    ("/planning/v1/series?datastream=1&until=yesterday", 400),
    ("/nothing", 404),
]  # fmt: skip

METHODS: list[tuple[str, str, bytes, int]] = [
    ("DELETE", "/v1.1/Things", b"", 405),
    ("PUT", "/v1.1/Things(1)", b"{}", 400),
    ("POST", "/v1.1/Things(1)", b"{}", 405),
    ("PATCH", "/v1.1/Things(999999999)", b'{"name": "x"}', 404),
    ("PATCH", "/v1.1/Things(1)", b'{"name": 5}', 400),
    ("PATCH", "/v1.1/Things(1)", b'{"colour": 5}', 400),
    ("PATCH", "/v1.1/Things(1)", b"[", 400),
    ("DELETE", "/v1.1/Things(999999999)", b"", 404),
    ("BREW", "/v1.1/Things", b"", 400),
    ("POST", "/planning/v1/stations", b"{}", 405),
]

AUTHORIZATIONS = ("", "Bearer", "Bearer ", "Bearer wrong", "Bearer " + "x" * 5_000, "Basic eDp5", "Bearer \xff\xfe", "Token x")

BROKEN: list[tuple[str, bytes]] = [
    ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
    ("no version", b"GET\r\n\r\n"),
    ("a bad length", b"POST /v1.1/Things HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"),
    ("a length that is no number", b"POST /v1.1/Things HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n"),
    ("a bad chunk", b"POST /v1.1/Things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
    ("NUL in a header", b"GET /v1.1/Things HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n"),
    ("NUL in the path", b"GET /v1.1/Th\0ings HTTP/1.1\r\nHost: x\r\n\r\n"),
]


def ask(up: Platform, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """Send exactly these bytes; no client tidies them up."""
    fields = {
        "Host": f"127.0.0.1:{up.http_port}",
        "Connection": "close",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    if body or method == "POST":
        fields["Content-Length"] = str(len(body))
    head = f"{method} {path.replace(' ', '%20')} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return _exchange(up, head.encode("latin-1") + b"\r\n" + body)


def _exchange(up: Platform, request: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", up.http_port), timeout=30) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent; the answer is there
            connection.sendall(request)
        answer = b"".join(_pieces(connection))
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), content


def _pieces(connection: socket.socket) -> Iterator[bytes]:
    try:
        while piece := connection.recv(65_536):
            yield piece
    except ConnectionResetError:
        return


def complaints(name: str, status: int, content: bytes, expected: int) -> list[str]:
    found: list[str] = []
    if status != expected:
        found.append(f"{name}: {status} instead of {expected}: {content[:200]!r}")
    if not content.strip() or any(word in content for word in (b"Traceback", b"psycopg", b"SQLSTATE", b'File "')):
        found.append(f"{name}: the reason is {content[:200]!r}")
    return found


@pytest.fixture
def token(up: Platform) -> str:
    return f"Bearer {(up.data_dir / 'token').read_text().strip()}"


def test_malformed_bodies_are_refused_and_leave_no_trace(up: Platform, token: str) -> None:
    before, api = up.counts(), up.pid("api")
    wrong: list[str] = []
    for name, entity_set, body, expected in BODIES:
        status, content = ask(up, "POST", f"/v1.1/{entity_set}", body, Content_Type=JSON, Authorization=token)
        wrong += complaints(name, status, content, expected)
        if not wrong and json.loads(content)["message"] == "":
            wrong.append(f"{name}: no reason")
        if up.counts() != before:
            wrong.append(f"{name}: left a trace")
            before = up.counts()
    status, content = ask(up, "POST", "/v1.1/Things", text(), Content_Type="text/xml", Authorization=token)
    wrong += complaints("a media type", status, content, 415)
    assert not wrong, "\n".join(wrong)
    assert (up.counts(), up.pid("api")) == (before, api)


def test_malformed_addresses_and_methods_are_refused_and_leave_no_trace(up: Platform, token: str) -> None:
    before, api = up.counts(), up.pid("api")
    wrong: list[str] = []
    for path, expected in QUERIES:
        wrong += complaints(path[:80], *ask(up, "GET", path), expected)
    for method, path, body, expected in METHODS:
        status, content = ask(up, method, path, body, Content_Type=JSON, Authorization=token)
        wrong += complaints(f"{method} {path}", status, content, expected)
    assert not wrong, "\n".join(wrong)
    assert (up.counts(), up.pid("api")) == (before, api)


def test_writing_without_the_token_is_refused_and_leaves_no_trace(up: Platform) -> None:
    before = up.counts()
    wrong: list[str] = []
    for value in AUTHORIZATIONS:
        for method, path in (("POST", "/v1.1/Things"), ("PATCH", "/v1.1/Things(1)"), ("DELETE", "/v1.1/Things(1)")):
            status, content = ask(up, method, path, text(), Content_Type=JSON, Authorization=value)
            wrong += complaints(f"{method} {value[:20]!r}", status, content, 401)
    wrong += complaints("no header", *ask(up, "POST", "/v1.1/Things", text(), Content_Type=JSON), 401)
    assert not wrong, "\n".join(wrong)
    assert up.counts() == before


@pytest.mark.parametrize(("name", "request_bytes"), BROKEN, ids=[name for name, _ in BROKEN])
def test_what_is_no_http_is_refused(up: Platform, name: str, request_bytes: bytes) -> None:
    before, api = up.counts(), up.pid("api")
    status, _ = _exchange(up, request_bytes.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
    assert 400 <= status < 500, name
    assert (up.counts(), up.pid("api")) == (before, api)
