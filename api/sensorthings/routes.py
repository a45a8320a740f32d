"""SensorThings over HTTP, reading: an ASGI application, which `api.app` asks before FastAPI looks for a route (docs/adr).

A small answer costs more in layers that look at a request than in the database, so these look once and make few objects.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import Guard
from api.errors import EXPECTED, answer_to
from api.etag import etag_of, matches
from api.sensorthings.entities.schema import ENTITY_SETS
from api.sensorthings.languages import preferred
from api.sensorthings.odata.build import Access
from api.sensorthings.reader import Answer, Reader
from api.sensorthings.wire.v1_1 import PREFIX

_LEVEL = 1  # of gzip: a higher one costs more than the network saves
_WORTH_PACKING = 1_400  # bytes; less fits a packet as it is
_LONG_PACKING = 50_000
_GZIP = zlib.MAX_WBITS | 16  # a gzip stream
_SEES_ALL = Access(sees_private=True)
_SEES_PUBLIC = Access(sees_private=False)
# The same address shows more with the token, may come packed, and has names in several languages.
_VARY = b"Authorization, Accept-Encoding, Accept-Language"
_VARY_ALONE = _VARY + b", Origin"  # where no CORS middleware adds it
_ASKED = frozenset({b"authorization", b"accept-encoding", b"accept-language", b"if-none-match", b"origin"})
_READS = frozenset({"GET", "HEAD"})
_BELOW = PREFIX + "/"

_CLASSES = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
# Only what holds (18-088, 9.2.1); a class joins the list when its tests pass.
CONFORMANCE = (
    "datamodel",
    "resource-path/resource-path-to-entities",
    "create-update-delete",
    "batch-request/batch-request",
    "multi-datastream",
    "data-array/data-array",
)
# Its geospatial functions need PostGIS.
WITH_POSTGIS = ("request-data",)
RECEIVE = "receive-updates-via-mqtt/receive-updates"
CREATE = "create-observations-via-mqtt/observations-creation"


def service_root(public_url: str, *, postgis: bool, mqtt: tuple[str, ...] = (), tells: bool = False) -> bytes:
    """Give the service root: the entity sets, what of the standard holds, and the endpoints `mqtt` of the broker.

    `tells`: subscribers there are told of whatever they subscribed to.
    """
    root = public_url + PREFIX
    value = [{"name": s.name, "url": f"{root}/{s.name}"} for s in ENTITY_SETS]
    held = (*CONFORMANCE, *(WITH_POSTGIS if postgis else ()), *((CREATE,) if mqtt else ()), *((RECEIVE,) if mqtt and tells else ()))
    endpoints = {_CLASSES + name: {"endpoints": mqtt} for name in (CREATE, RECEIVE) if mqtt}
    settings = {"conformance": [_CLASSES + name for name in held], **endpoints}
    return msgspec.json.encode({"value": value, "serverSettings": settings})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Answers GET and HEAD below the service root; a HEAD like its GET, whose body the server leaves out."""

    reader: Reader
    guard: Guard
    public_url: str
    mqtt_endpoints: tuple[str, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = {name.decode(): value.decode("latin-1") for name, value in reversed(scope["headers"]) if name in _ASKED}
        try:
            response = await _response(await self._answer(scope, asked), asked)
        except EXPECTED as error:
            response = answer_to(error)
        if isinstance(response, Plain):
            await response.send(send)
        else:
            await response(scope, receive, send)

    async def _answer(self, scope: Scope, asked: Mapping[str, str]) -> Answer:
        path, query = _address(scope)
        if not path:
            abilities, tells = await self.reader.abilities(), await self.reader.tells_subscribers()
            root = service_root(self.public_url, postgis=abilities.postgis, mqtt=self.mqtt_endpoints, tells=tells)
            return Answer(body=root, media="application/json")
        access = _SEES_ALL if self.guard.sees_private(asked) else _SEES_PUBLIC
        languages = _languages(asked)
        if languages:
            access = replace(access, languages=languages)
        return await self.reader.read(path, query, access)

    def routes(self) -> list[Route]:
        """Give the routes for whoever comes by the router: it tells other methods what is allowed here."""
        return [Route(path, self, methods=["GET"]) for path in (PREFIX, PREFIX + "/{path:path}")]


@dataclass(frozen=True, slots=True)
class ReadingFirst:
    """ASGI middleware: what `reading` answers needs no router, whose work costs as much as a small answer.

    A page of another origin goes the long way, where CORS is.
    """

    app: ASGIApp
    reading: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `reading` answer, or pass the request on."""
        reads = scope["type"] == "http" and scope["method"] in _READS and scope["path"].startswith(_BELOW)
        if reads and not any(name == b"origin" for name, _ in scope["headers"]):
            await self.reading(scope, receive, send)
        else:
            await self.app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Plain:
    """A response that is there as a whole; Starlette's own would encode each header anew."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    async def send(self, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def _address(scope: Scope) -> tuple[str, str]:
    """Give the path below the service root and the query string as they were sent."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("ascii", "replace").partition("?")[0]
    if PREFIX not in path:  # some of its characters were encoded
        path = quote(scope["path"])
    return path[path.index(PREFIX) + len(PREFIX) :].strip("/"), scope["query_string"].decode("ascii", "replace")


def _languages(asked: Mapping[str, str]) -> tuple[str, ...]:
    header = asked.get("accept-language")
    return () if header is None else preferred(header)


async def _response(answer: Answer, asked: Mapping[str, str]) -> Response | Plain:
    """Give the response to an answer; a property without value is 204 (18-088, 9.2.4)."""
    if answer.body is None:
        return Response(status_code=204)
    vary, languages = _VARY if "origin" in asked else _VARY_ALONE, _languages(asked)
    packs = "gzip" in asked.get("accept-encoding", "")
    if answer.rest is not None:
        pieces = _pieces(answer.body, answer.rest)
        headers = {"Vary": vary.decode()} | ({"Content-Encoding": "gzip"} if packs else {})
        headers |= {"Content-Language": languages[0]} if languages else {}
        return StreamingResponse(_packed(pieces) if packs else pieces, media_type=answer.media, headers=headers)
    tag = etag_of(answer.body if answer.brief is None else answer.brief)
    own = [(b"vary", vary), (b"etag", tag.encode())]
    if languages:
        own.append((b"content-language", languages[0].encode()))
    known = asked.get("if-none-match")
    if known is not None and matches(known, tag):
        return Plain(304, own, b"")
    body = answer.body
    if packs and len(body) >= _WORTH_PACKING:
        body = await _pack(body)
        own.append((b"content-encoding", b"gzip"))
    own.append((b"content-length", b"%d" % len(body)))
    own.append((b"content-type", content_type(answer.media)))
    return Plain(200, own, body)


def content_type(media: str) -> bytes:
    """Give the header; texts are UTF-8."""
    return (media + "; charset=utf-8" if media.startswith("text/") else media).encode()


async def _pack(body: bytes) -> bytes:
    # zlib lets other threads run, and a large page would hold up every other request.
    if len(body) < _LONG_PACKING:
        return gzip.compress(body, _LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)


async def _packed(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    async for piece in pieces:
        yield await asyncio.to_thread(packer.compress, piece)
    yield packer.flush()


async def _pieces(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
