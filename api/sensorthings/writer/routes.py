"""Writing over HTTP (18-088, 10.2): `POST` creates with all that a body brings along, `PATCH` and `PUT` change, `DELETE` deletes.

A create is answered with 201, the absolute address in `Location` and the entity as the body; `Prefer: return=minimal` leaves
the body out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import Guard
from api.body import read_json
from api.errors import EXPECTED, InvalidEntityError, InvalidQueryError, answer_to
from api.etag import etag_of
from api.metrics import Metrics
from api.sensorthings.entities.model import EntitySet, Ranked, Through
from api.sensorthings.wire.v1_1 import PREFIX
from api.sensorthings.writer.address import Collection, collection_at, entity_at
from api.sensorthings.writer.arrays import read_arrays, store_arrays
from api.sensorthings.writer.asked import Asked, Manner, ReadEntity
from api.sensorthings.writer.creator import Created, Creator
from api.sensorthings.writer.editor import Editor
from api.sensorthings.writer.filtered import Filtered
from api.sensorthings.writer.links import Links, is_reference
from api.sensorthings.writer.plan import Plan, Target
from api.sensorthings.writer.planner import plan_entity
from api.sensorthings.writer.rows import set_of

_BELOW = PREFIX + "/"
_MANY = "CreateObservations"
_BATCH = _BELOW + "$batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Answers writing requests. `root` is the absolute URL of the service root, without a slash at its end."""

    creator: Creator
    editor: Editor
    guard: Guard
    metrics: Metrics
    root: str
    read: ReadEntity
    links: Links
    filtered: Filtered

    async def create_many(self, request: Request) -> Response:
        """Answer CreateObservations: for each row its address or why it is none (18-088, 13.2); raises `ApiError`s."""
        self.guard.require_writer(request.headers)
        rows = read_arrays(await read_json(request), self.creator.clock())
        answers, created = await store_arrays(rows, self.creator.store(), f"{self.root}/Observations")
        self.metrics.created("Observations").inc(created)
        self.metrics.batch.observe(len(rows))
        return Response(msgspec.json.encode(answers), status_code=201, media_type="application/json")

    async def create(self, request: Request) -> Response:
        """Answer a POST; raises `ApiError`s."""
        self.guard.require_writer(request.headers)
        if is_reference(request):
            await self.links.add(_path(request), await read_json(request))
            return Response(status_code=200)
        collection = await collection_at(_path(request), self.creator.pool)
        entity_set = collection.entity_set
        plan = Plan()
        created = await self.creator.create(plan, plan_at(plan, collection, await read_json(request)))
        for name, rows in plan.rows.items():
            self.metrics.created(name).inc(len(rows))
        if "Observations" in plan.rows:
            self.metrics.batch.observe(len(plan.rows["Observations"]))
        return await self._created(entity_set, created, minimal="return=minimal" in request.headers.get("prefer", ""))

    async def change(self, request: Request) -> Response:
        """Answer a PATCH, merging or by RFC 6902, with the changed entity; raises `ApiError`s."""
        is_operations = request.headers.get("content-type", "").lower().startswith("application/json-patch+json")
        return await self._change(request, Manner.JSON_PATCH if is_operations else Manner.MERGE)

    async def replace(self, request: Request) -> Response:
        """Answer a PUT with the changed entity, or set a link; raises `ApiError`s."""
        if is_reference(request):
            self.guard.require_writer(request.headers)
            await self.links.set(_path(request), await read_json(request))
            return Response(status_code=200)
        return await self._change(request, Manner.WHOLE)

    async def _change(self, request: Request, manner: Manner) -> Response:
        self.guard.require_writer(request.headers)
        entity = await entity_at(_path(request), self.editor.pool)
        await self.editor.change(entity, await self._asked(request, await read_json(request), manner))
        body = await self.read(set_of(entity.entity_set), entity.id) or b"{}"
        return Response(body, media_type="application/json", headers={"ETag": etag_of(body)})

    async def _asked(self, request: Request, body: Any = None, manner: Manner = Manner.MERGE) -> Asked:
        return Asked(read=self.read, body=body, manner=manner, if_match=request.headers.get("if-match"))

    async def delete(self, request: Request) -> Response:
        """Answer a DELETE of an entity, a link, or what a filter finds; raises `ApiError`s."""
        self.guard.require_writer(request.headers)
        path, query = request.path_params.get("path", ""), request.scope["query_string"].decode("ascii", "replace")
        if is_reference(request):
            await self.links.remove(path, parse_qs(query))
        elif "filter" in {name.lower().lstrip("$") for name in parse_qs(query)}:
            await self.filtered.delete(path, query)
        else:
            await self.editor.delete(await entity_at(_path(request), self.editor.pool), await self._asked(request))
        return Response(status_code=200)

    async def _created(self, entity_set: EntitySet, created: Created, *, minimal: bool) -> Response:
        address = f"{self.root}/{entity_set.name}({created.id})"
        headers = {"Location": address}
        if minimal:
            return Response(status_code=201, headers=headers | {"Preference-Applied": "return=minimal"})
        body = created.shown or await self.read(entity_set, created.id)
        if body is None:
            body = msgspec.json.encode({"@iot.id": created.id, "@iot.selfLink": address})
        return Response(body, status_code=201, headers=headers | {"ETag": etag_of(body)}, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Posting:
    """Answers POST below the service root, without a router; not `$batch`, which needs the whole application."""

    writing: Writing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"][len(_BELOW) :]
        scope["path_params"] = {"path": path}
        request = Request(scope, receive)
        try:
            response = await (self.writing.create_many(request) if path == _MANY else self.writing.create(request))
        except EXPECTED as error:
            response = answer_to(error)
        await response(scope, receive, send)


@dataclass(frozen=True, slots=True)
class PostingFirst:
    """ASGI middleware: what `posting` answers needs no router. A page of another origin goes the long way, where CORS is."""

    app: ASGIApp
    posting: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `posting` answer, or pass the request on."""
        posts = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(_BELOW)
        if posts and scope["path"] != _BATCH and not any(name == b"origin" for name, _ in scope["headers"]):
            await self.posting(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _path(request: Request) -> str:
    if request.scope["query_string"]:
        raise InvalidQueryError("writing takes no query options")
    return request.path_params.get("path", "")


def writing_routes(writing: Writing, prefix: str) -> list[Route]:
    """Make the routes of writing below the service root `prefix`."""
    return [
        Route(f"{prefix}/{_MANY}", writing.create_many, methods=["POST"]),
        Route(f"{prefix}/{{path:path}}", writing.create, methods=["POST"]),
        Route(f"{prefix}/{{path:path}}", writing.change, methods=["PATCH"]),
        Route(f"{prefix}/{{path:path}}", writing.replace, methods=["PUT"]),
        Route(f"{prefix}/{{path:path}}", writing.delete, methods=["DELETE"]),
    ]


def plan_at(plan: Plan, collection: Collection, body: Any) -> Target:
    """Plan a new entity for a collection: what its address says needs not stand in its body."""
    relation = collection.relation
    if relation is None:
        return plan_entity(plan, collection.entity_set, body)
    parent, join = plan.refer(relation.parent), relation.navigation.join
    if isinstance(join, Ranked):
        raise InvalidEntityError("a MultiDatastream keeps the ObservedProperties it was made with")
    root = plan_entity(plan, collection.entity_set, body, given={relation.inverse: parent})
    if isinstance(join, Through):
        plan.pair(join.table, {join.own: parent, join.other: root})
    return root
