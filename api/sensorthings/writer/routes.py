"""Writing over HTTP (18-088, 10.2): `POST` creates an entity with all that it brings along, `PATCH` changes, `DELETE` deletes.

A create is answered with 201, the absolute address in `Location` and the entity as the body; `Prefer: return=minimal` leaves
the body out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.access import Guard
from api.body import read_json
from api.errors import InvalidEntityError, InvalidQueryError, NotAllowedError
from api.metrics import Metrics
from api.sensorthings.entities.model import Backward, EntitySet, Ranked, Through
from api.sensorthings.writer.address import Collection, collection_at, entity_at
from api.sensorthings.writer.creator import Creator
from api.sensorthings.writer.editor import Editor
from api.sensorthings.writer.plan import Plan, Target
from api.sensorthings.writer.planner import plan_entity
from api.sensorthings.writer.rows import set_of

# Gives an entity as the wire shows it, or None where it is gone again.
ReadEntity = Callable[[EntitySet, int], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Answers writing requests. `root` is the absolute URL of the service root, without a slash at its end."""

    creator: Creator
    editor: Editor
    guard: Guard
    metrics: Metrics
    root: str
    read: ReadEntity

    async def create(self, request: Request) -> Response:
        """Answer a POST; raises `ApiError`s."""
        self.guard.require_writer(request.headers)
        collection = await collection_at(_path(request), self.creator.pool)
        entity_set = collection.entity_set
        plan = Plan()
        number = await self.creator.create(plan, plan_at(plan, collection, await read_json(request)))
        for name, rows in plan.rows.items():
            self.metrics.written.labels(name).inc(len(rows))
        if "Observations" in plan.rows:
            self.metrics.batch.observe(len(plan.rows["Observations"]))
        return await self._created(entity_set, number, minimal="return=minimal" in request.headers.get("prefer", ""))

    async def change(self, request: Request) -> Response:
        """Answer a PATCH with the changed entity; raises `ApiError`s."""
        self.guard.require_writer(request.headers)
        entity = await entity_at(_path(request), self.editor.pool)
        await self.editor.change(entity, await read_json(request))
        return Response(await self.read(set_of(entity.entity_set), entity.id), media_type="application/json")

    async def delete(self, request: Request) -> Response:
        """Answer a DELETE; raises `ApiError`s."""
        self.guard.require_writer(request.headers)
        await self.editor.delete(await entity_at(_path(request), self.editor.pool))
        return Response(status_code=200)

    async def _created(self, entity_set: EntitySet, number: int, *, minimal: bool) -> Response:
        address = f"{self.root}/{entity_set.name}({number})"
        headers = {"Location": address}
        if minimal:
            return Response(status_code=201, headers=headers | {"Preference-Applied": "return=minimal"})
        body = await self.read(entity_set, number)
        if body is None:
            body = msgspec.json.encode({"@iot.id": number, "@iot.selfLink": address})
        return Response(body, status_code=201, headers=headers, media_type="application/json")


def _path(request: Request) -> str:
    if request.scope["query_string"]:
        raise InvalidQueryError("writing takes no query options")
    return request.path_params.get("path", "")


def writing_routes(writing: Writing, prefix: str) -> list[Route]:
    """Make the routes of writing below the service root `prefix`; other methods are told what there is."""

    async def refuse(request: Request) -> Response:
        raise NotAllowedError(f"{request.method} is not served here", allowed=("GET", "HEAD", "POST", "PATCH", "DELETE"))

    return [
        Route(f"{prefix}/{{path:path}}", writing.create, methods=["POST"]),
        Route(f"{prefix}/{{path:path}}", writing.change, methods=["PATCH"]),
        Route(f"{prefix}/{{path:path}}", writing.delete, methods=["DELETE"]),
        Route(f"{prefix}/{{path:path}}", refuse, methods=["PUT"]),
    ]


def plan_at(plan: Plan, collection: Collection, body: Any) -> Target:
    """Plan a new entity for a collection: what its address says needs not stand in its body."""
    parent, navigation = collection.parent, collection.navigation
    if parent is None or navigation is None:
        return plan_entity(plan, collection.entity_set, body)
    plan.refer(parent)
    if isinstance(navigation.join, Ranked):
        raise InvalidEntityError("a MultiDatastream keeps the ObservedProperties it was made with")
    inverse = next(
        (
            n.name
            for n in collection.entity_set.navigations
            if n.target == parent.entity_set and _leads_back(n.join, navigation.join)
        ),
        "",
    )
    root = plan_entity(plan, collection.entity_set, body, given={inverse: parent})
    if isinstance(navigation.join, Through):
        join = navigation.join
        plan.pair(join.table, {join.own: parent, join.other: root})
    return root


def _leads_back(back: object, join: object) -> bool:
    if isinstance(join, Backward):
        return getattr(back, "column", None) == join.column and not isinstance(back, Backward)
    return isinstance(join, Through) and isinstance(back, Through) and back.table == join.table
