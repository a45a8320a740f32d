"""Many requests in one: `$batch` as multipart/mixed (OData 4.01, 11.7; 18-088, 10.3) and as JSON (OData JSON format 4.01, 19).

Each request goes through the whole application, rights and limits included, one after the other. `$<contentId>` stands for an
entity that an earlier request created, in an address or as an `@iot.id`. A change set is one transaction: when one of its requests
fails, nothing of it was done.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message

from api.access import Guard
from api.body import parse_json
from api.database import PATIENCE_S, Pool
from api.errors import ApiError, InvalidEntityError, MediaTypeError, respond
from api.sensorthings.multipart import Part, boundary_of, read_parts
from api.unit import unit

_MOST = 1_000
_ATTEMPTS = 8
_PAUSE_S = 0.05
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
_SCOPE = frozenset({"type", "asgi", "http_version", "scheme", "server", "client", "extensions"})
_PASSED_ON = ("authorization", "accept-language")
_REFERENCE = re.compile(r"^/?\$([\w.~-]+)(?=/|\?|$)")
_BODY_REFERENCE = re.compile(rb'("@iot\.id"\s*:\s*)"\$([\w.~-]+)"')
_LOCATION = re.compile(r"([A-Za-z]+)\(([0-9]+)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """One request of a batch. `group` is its change set, None: it stands alone."""

    id: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of it."""

    inner: Inner
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class Batch:
    """Runs requests against `app`; `prefix` is the path of the service root, `root` its absolute URL."""

    app: ASGIApp
    pool: Pool
    prefix: str
    root: str
    scope: Mapping[str, Any]
    headers: Mapping[str, str]
    made: dict[str, str] = field(default_factory=dict[str, str])  # Things(1) by content id

    async def run(self, requests: Sequence[Inner]) -> list[Answered]:
        """Answer in order; of a change set that failed all answers say so."""
        answers: list[Answered] = []
        for group, members in itertools.groupby(requests, key=lambda inner: inner.group):
            if group is None:
                answers += [await self._one(inner) for inner in members]
            else:
                answers += await self._change_set(list(members))
        return answers

    async def _change_set(self, members: Sequence[Inner]) -> list[Answered]:
        before = dict(self.made)
        answers: list[Answered] = []
        for attempt in range(1, _ATTEMPTS + 1):
            async with unit(self.pool, PATIENCE_S) as opened:
                answers = await self._together(members)
                if answers[-1].status >= HTTPStatus.BAD_REQUEST:
                    opened.give_up()
            if not opened.is_given_up:
                break
            self.made = dict(before)
            gave_way = opened.again or answers[-1].status == HTTPStatus.SERVICE_UNAVAILABLE
            if not gave_way or attempt == _ATTEMPTS:
                failed = len(answers) - 1
                return [answers[-1] if place == failed else _dependent(inner) for place, inner in enumerate(members)]
            await asyncio.sleep(_PAUSE_S * attempt * random.random())  # noqa: S311 -- no secret
        return answers

    async def _together(self, members: Sequence[Inner]) -> list[Answered]:
        """Answer up to the first that fails."""
        answers: list[Answered] = []
        for inner in members:
            answers.append(await self._one(inner))
            if answers[-1].status >= HTTPStatus.BAD_REQUEST:
                break
        return answers

    async def _one(self, inner: Inner) -> Answered:
        try:
            url, body = self._resolve(inner)
        except ApiError as error:
            response = respond(error)
            return Answered(inner=inner, status=response.status_code, headers={}, body=bytes(response.body))
        answer = await self._call(inner, url, body)
        created = _LOCATION.search(answer.headers.get("location", ""))
        if inner.id and created is not None:
            self.made[inner.id] = created[0]
        return answer

    def _resolve(self, inner: Inner) -> tuple[str, bytes]:
        url = inner.url.removeprefix(self.root).removeprefix(self.prefix)
        if inner.method not in _METHODS:
            raise InvalidEntityError(f"{inner.method!r} is no method of a batch", field="method")
        if "://" in url or url.lstrip("/").lower().startswith("$batch"):
            raise InvalidEntityError(f"{inner.url!r} is no address below the service root", field="url")
        found = _REFERENCE.match(url)
        if found is not None:
            url = self._named(found[1]) + url[found.end() :]

        def number(match: re.Match[bytes]) -> bytes:
            created = _LOCATION.search(self._named(match[2].decode()))
            return match[1] + (created[2].encode() if created else b"null")

        return url, _BODY_REFERENCE.sub(number, inner.body)

    def _named(self, name: str) -> str:
        if name not in self.made:
            raise InvalidEntityError(f"${name}: no earlier request of this batch created an entity under this name")
        return self.made[name]

    async def _call(self, inner: Inner, url: str, body: bytes) -> Answered:
        path, _, query = url.partition("?")
        raw_path = f"{self.prefix}/{path.lstrip('/')}".rstrip("/")
        named = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        named |= {name.lower(): value for name, value in inner.headers.items()}
        named["content-length"] = str(len(body))
        headers = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in named.items()]
        scope = dict(self.scope) | {
            "method": inner.method,
            "path": unquote(raw_path),
            "raw_path": raw_path.encode("utf-8", "replace"),
            "query_string": query.replace(" ", "%20").encode("utf-8", "replace"),
            "headers": headers,
        }
        status, found, chunks = 500, dict[str, str](), list[bytes]()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                found.update((name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"])
            else:
                chunks.append(message.get("body", b""))

        await self.app(scope, receive, send)
        return Answered(inner=inner, status=status, headers=found, body=b"".join(chunks))


def _dependent(inner: Inner) -> Answered:
    message = "another request of this change set failed: nothing of it was kept"
    body = msgspec.json.encode({"code": 424, "type": "error", "message": message})
    return Answered(inner=inner, status=424, headers={"content-type": "application/json"}, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Answers `POST $batch`; only for those who may write."""

    guard: Guard
    pool: Pool
    prefix: str
    root: str

    async def answer(self, request: Request) -> Response:
        """Answer in the form in which was asked; raises `ApiError`s for what is no batch."""
        self.guard.require_writer(request.headers)
        media_type = request.headers.get("content-type", "")
        raw = await request.body()
        scope = {name: value for name, value in request.scope.items() if name in _SCOPE}
        scope |= {"root_path": request.scope.get("root_path", ""), "state": request.scope.get("state", {})}
        batch = Batch(app=request.app, pool=self.pool, prefix=self.prefix, root=self.root, scope=scope, headers=request.headers)
        if media_type.lower().startswith("multipart/mixed"):
            parts = read_parts(raw, boundary_of(media_type))
            inners = [inner for index, part in enumerate(parts) for inner in _of_part(part, index)]
            answers = await batch.run(_few(inners))
            boundary = f"batch_{secrets.token_hex(8)}"
            return Response(_multipart(answers, boundary), media_type=f"multipart/mixed; boundary={boundary}")
        if media_type.lower().startswith("application/json"):
            answers = await batch.run(_few(_of_json(parse_json(raw))))
            return Response(msgspec.json.encode({"responses": [_json_answer(a) for a in answers]}), media_type="application/json")
        raise MediaTypeError("a batch is multipart/mixed or application/json")


def _few(inners: list[Inner]) -> list[Inner]:
    if len(inners) > _MOST:
        raise InvalidEntityError(f"a batch has at most {_MOST} requests")
    return inners


def _of_json(body: Any) -> list[Inner]:
    requests = cast("dict[str, Any]", body).get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list):
        raise InvalidEntityError("requests must be an array", field="requests")
    inners = [_of_object(item, f"requests[{index}]") for index, item in enumerate(cast("list[Any]", requests))]
    groups = [group for group, _ in itertools.groupby(inner.group for inner in inners) if group is not None]
    if len(set(groups)) != len(groups):
        raise InvalidEntityError("requests of one atomicityGroup must stand together", field="requests")
    return inners


def _of_object(item: Any, path: str) -> Inner:
    given = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    for name in ("id", "method", "url"):
        if not isinstance(given.get(name), str):
            raise InvalidEntityError(f"{path}.{name} must be a string", field=f"{path}.{name}")
    headers: Any = given.get("headers") or {}
    group: Any = given.get("atomicityGroup")
    if not isinstance(headers, dict) or not isinstance(group, str | None):
        raise InvalidEntityError(f"{path} has wrong headers or atomicityGroup", field=path)
    body = msgspec.json.encode(given["body"]) if "body" in given else b""
    named = {name: str(value) for name, value in cast("dict[str, Any]", headers).items()}
    return Inner(id=given["id"], method=given["method"].upper(), url=given["url"], headers=named, body=body, group=group)


def _of_part(part: Part, index: int) -> list[Inner]:
    media_type = part.headers.get("content-type", "")
    if media_type.lower().startswith("multipart/mixed"):
        return [_of_http(inner, f"changeset {index}") for inner in read_parts(part.body, boundary_of(media_type))]
    return [_of_http(part, None)]


def _of_http(part: Part, group: str | None) -> Inner:
    head, _, body = part.body.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n\n")
    line, *lines = head.decode("utf-8", "replace").split("\n")
    method, _, rest = line.strip().partition(" ")
    url = rest.rpartition(" HTTP/")[0] or rest
    headers = {name.strip(): value.strip() for name, _, value in (text.partition(":") for text in lines) if value}
    return Inner(
        id=part.headers.get("content-id", ""),
        method=method.upper(),
        url=url.strip(),
        headers=headers,
        body=body.strip(),
        group=group,
    )


def _json_answer(answer: Answered) -> dict[str, Any]:
    found: dict[str, Any] = {"id": answer.inner.id, "status": answer.status}
    if "location" in answer.headers:
        found["location"] = answer.headers["location"]
    if answer.inner.group is not None:
        found["atomicityGroup"] = answer.inner.group
    if answer.body:
        is_json = answer.headers.get("content-type", "application/json").startswith("application/json")
        found["body"] = msgspec.Raw(answer.body) if is_json else answer.body.decode("utf-8", "replace")
    return found


def _multipart(answers: Sequence[Answered], boundary: str) -> bytes:
    parts: list[bytes] = []
    group: str | None = None
    members: list[bytes] = []
    for answer in [*answers, None]:
        if members and (answer is None or answer.inner.group != group):
            inner = f"changeset_{secrets.token_hex(8)}"
            parts.append(f"Content-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode() + _joined(members, inner))
            members = []
        if answer is None:
            break
        group = answer.inner.group
        (parts if group is None else members).append(_part(answer))
    return _joined(parts, boundary)


def _joined(parts: Sequence[bytes], boundary: str) -> bytes:
    mark = boundary.encode()
    return b"".join(b"--" + mark + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + mark + b"--\r\n"


def _part(answer: Answered) -> bytes:
    content_id = f"Content-ID: {answer.inner.id}\r\n" if answer.inner.id else ""
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name.title()}: {answer.headers[name]}" for name in ("content-type", "location", "etag") if name in answer.headers]
    head = f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{content_id}\r\n" + "\r\n".join(lines)
    return head.encode("latin-1", "replace") + b"\r\n\r\n" + answer.body
