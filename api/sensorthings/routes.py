"""SensorThings over HTTP, reading: plain Starlette routes (docs/adr), mounted by `api.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.access import Guard
from api.sensorthings.entities.schema import ENTITY_SETS
from api.sensorthings.odata.build import Access
from api.sensorthings.reader import Answer, Reader
from api.sensorthings.wire.v1_1 import PREFIX

_SEES_ALL = Access(sees_private=True)
_SEES_PUBLIC = Access(sees_private=False)

# Only what holds (18-088, 9.2.1); a class joins the list when its tests pass.
CONFORMANCE = (
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/resource-path",
)


def service_root(public_url: str) -> bytes:
    """Give the service root: the entity sets and what of the standard holds."""
    root = public_url + PREFIX
    value = [{"name": s.name, "url": f"{root}/{s.name}"} for s in ENTITY_SETS]
    return msgspec.json.encode({"value": value, "serverSettings": {"conformance": CONFORMANCE}})


def sensorthings_routes(reader: Reader, guard: Guard, public_url: str) -> list[Route]:
    """Make the reading routes. A HEAD is answered like its GET, without the body."""
    root = service_root(public_url)

    async def show_root(_request: Request) -> Response:
        return Response(root, media_type="application/json")

    async def read(request: Request) -> Response:
        path, query = address(request)
        if not path:
            return await show_root(request)
        access = _SEES_ALL if guard.sees_private(request.headers) else _SEES_PUBLIC
        return response(await reader.read(path, query, access))

    return [
        Route(PREFIX, show_root, methods=["GET"]),
        Route(PREFIX + "/{path:path}", read, methods=["GET"]),
    ]


def address(request: Request) -> tuple[str, str]:
    """Give the path below the service root and the query string as they were sent."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.decode("ascii", "replace").partition("?")[0]
    return path[path.index(PREFIX) + len(PREFIX) :].strip("/"), request.scope["query_string"].decode("ascii", "replace")


def response(answer: Answer) -> Response:
    """Give the response to an answer; a property without value is 204 (18-088, 9.2.4)."""
    if answer.body is None:
        return Response(status_code=204)
    if answer.rest is not None:
        return StreamingResponse(_pieces(answer.body, answer.rest), media_type=answer.media)
    return Response(answer.body, media_type=answer.media)


async def _pieces(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
