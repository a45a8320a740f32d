"""SensorThings over HTTP, reading: plain Starlette routes (docs/adr), mounted by `api.app`."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.access import Guard
from api.etag import etag_of, matches
from api.sensorthings.entities.schema import ENTITY_SETS
from api.sensorthings.odata.build import Access
from api.sensorthings.reader import Answer, Reader
from api.sensorthings.wire.v1_1 import PREFIX

_LEVEL = 1  # of gzip: a higher one costs more than the network saves
_WORTH_PACKING = 1_400  # bytes; less fits a packet as it is
_LONG_PACKING = 50_000
_GZIP = zlib.MAX_WBITS | 16  # a gzip stream
_SEES_ALL = Access(sees_private=True)
_SEES_PUBLIC = Access(sees_private=False)

_CLASSES = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
# Only what holds (18-088, 9.2.1); a class joins the list when its tests pass.
CONFORMANCE = (
    "datamodel",
    "resource-path",
    "create-update-delete",
    "batch-request/batch-request",
    "data-array/data-array",
)
# Its geospatial functions need PostGIS.
WITH_POSTGIS = ("request-data",)


def service_root(public_url: str, *, postgis: bool) -> bytes:
    """Give the service root: the entity sets and what of the standard holds."""
    root = public_url + PREFIX
    value = [{"name": s.name, "url": f"{root}/{s.name}"} for s in ENTITY_SETS]
    conformance = [_CLASSES + name for name in (*CONFORMANCE, *(WITH_POSTGIS if postgis else ()))]
    return msgspec.json.encode({"value": value, "serverSettings": {"conformance": conformance}})


def sensorthings_routes(reader: Reader, guard: Guard, public_url: str) -> list[Route]:
    """Make the reading routes. A HEAD is answered like its GET, without the body."""

    async def show_root(_request: Request) -> Response:
        abilities = await reader.abilities()
        return Response(service_root(public_url, postgis=abilities.postgis), media_type="application/json")

    async def read(request: Request) -> Response:
        path, query = address(request)
        if not path:
            return await show_root(request)
        access = _SEES_ALL if guard.sees_private(request.headers) else _SEES_PUBLIC
        return await response(await reader.read(path, query, access), request)

    return [
        Route(PREFIX, show_root, methods=["GET"]),
        Route(PREFIX + "/{path:path}", read, methods=["GET"]),
    ]


def address(request: Request) -> tuple[str, str]:
    """Give the path below the service root and the query string as they were sent."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.decode("ascii", "replace").partition("?")[0]
    return path[path.index(PREFIX) + len(PREFIX) :].strip("/"), request.scope["query_string"].decode("ascii", "replace")


async def response(answer: Answer, request: Request) -> Response:
    """Give the response to an answer; a property without value is 204 (18-088, 9.2.4)."""
    if answer.body is None:
        return Response(status_code=204)
    # The same address shows more with the token, and may come packed.
    headers = {"Vary": "Authorization, Accept-Encoding"}
    packs = "gzip" in request.headers.get("accept-encoding", "")
    if answer.rest is not None:
        pieces = _pieces(answer.body, answer.rest)
        if packs:
            pieces, headers["Content-Encoding"] = _packed(pieces), "gzip"
        return StreamingResponse(pieces, media_type=answer.media, headers=headers)
    headers["ETag"] = etag_of(answer.body)
    known = request.headers.get("if-none-match")
    if known is not None and matches(known, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    body = answer.body
    if packs and len(body) >= _WORTH_PACKING:
        body, headers["Content-Encoding"] = await _pack(body), "gzip"
    return Response(body, media_type=answer.media, headers=headers)


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
