"""The OpenAPI description, SensorThings' routes included, and its page at `/docs`, which loads nothing from outside."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.sensorthings.entities.model import EntitySet, Kind, Property
from api.sensorthings.entities.schema import ENTITY_SETS

_ASSETS = Path(__file__).parent / "docs_assets"
_MEDIA = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_OPTIONS = ("$filter", "$orderby", "$top", "$skip", "$count", "$select", "$expand", "$resultFormat")
_OF_OBSERVATIONS = ("$apply", "as_of")

_TYPES: dict[Kind, dict[str, Any]] = {
    Kind.STRING: {"type": "string"},
    Kind.OBJECT: {"type": "object"},
    Kind.JSON: {},
    Kind.GEOMETRY: {"type": "object", "description": "GeoJSON, for encodingType application/geo+json"},
    Kind.INSTANT: {"type": "string", "format": "date-time"},
    Kind.INTERVAL: {"type": "string", "description": "ISO 8601 instant with zone, or interval a/b"},
    Kind.NUMBER: {"type": "number"},
    Kind.RESULT: {"description": "any JSON value"},
    Kind.QUALITY: {"description": "any JSON value"},
}


def docs_router() -> APIRouter:
    """Make the routes of the page and of its files, which stand in the package."""
    router = APIRouter(include_in_schema=False)

    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",  # relative: a proxy may put the API below a prefix
            title="Smarte Grenzregion: API",
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="data:,",
            swagger_ui_parameters={"validatorUrl": None},
        )

    async def asset(name: str, request: Request) -> Response:
        if name not in _MEDIA:
            raise HTTPException(404, f"no file {name!r}")
        packed = (_ASSETS / f"{name}.gz").read_bytes()
        headers = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, media_type=_MEDIA[name], headers=headers | {"Content-Encoding": "gzip"})
        return Response(gzip.decompress(packed), media_type=_MEDIA[name], headers=headers)

    router.add_api_route("/docs", docs, methods=["GET"])
    router.add_api_route("/docs/{name}", asset, methods=["GET"])
    return router


def describe(app: FastAPI, *, public_url: str) -> dict[str, Any]:
    """Give the OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, servers=[{"url": public_url}]
        )
        paths: dict[str, Any] = document.setdefault("paths", {})
        components: dict[str, Any] = document.setdefault("components", {})
        components.setdefault("schemas", {}).update(
            {s.singular: _schema(s) for s in ENTITY_SETS} | {"Error": _error_schema()},
        )
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        paths["/v1.1"] = {"get": _operation("The service root: what there is", "SensorThings")}
        for entity_set in ENTITY_SETS:
            paths |= _paths(entity_set)
        app.openapi_schema = document
    return app.openapi_schema


def _paths(entity_set: EntitySet) -> dict[str, Any]:
    collection, single = f"/v1.1/{entity_set.name}", f"/v1.1/{entity_set.name}({{id}})"
    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    options = (*_OPTIONS, *(_OF_OBSERVATIONS if entity_set.day_column else ()))
    query = [{"name": option, "in": "query", "schema": {"type": "string"}} for option in options]
    create: dict[str, Any] = _operation(f"Create a {entity_set.singular}, related entities included", entity_set.name) | {
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": _json(f"#/components/schemas/{entity_set.singular}")},
    }
    create["responses"] = {
        "201": {"description": "created; Location is its address", "content": _json(f"#/components/schemas/{entity_set.singular}")}
    } | _failures("400", "401", "404", "409", "413", "415", "503")
    return {
        collection: {"get": _operation(f"List {entity_set.name}", entity_set.name) | {"parameters": query}, "post": create},
        single: {
            "get": _operation(f"Read one {entity_set.singular}", entity_set.name)
            | {"parameters": [identifier, *(p for p in query if p["name"] in {"$select", "$expand", "as_of"})]},
            "patch": _operation(f"Change a {entity_set.singular}: what the body names", entity_set.name)
            | {
                "parameters": [identifier],
                "security": [{"token": []}],
                "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            },
            "delete": _operation(f"Delete a {entity_set.singular} with all that can't be without it", entity_set.name)
            | {"parameters": [identifier], "security": [{"token": []}]},
        },
    }


def _operation(summary: str, tag: str) -> dict[str, Any]:
    return {"summary": summary, "tags": [tag], "responses": {"200": {"description": "JSON"}} | _failures("400", "404", "503")}


def _failures(*statuses: str) -> dict[str, Any]:
    return {status: {"description": "refused, and why", "content": _json("#/components/schemas/Error")} for status in statuses}


def _json(reference: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": reference}}}


def _schema(entity_set: EntitySet) -> dict[str, Any]:
    properties = {p.name: _type(p) for p in entity_set.properties}
    for navigation in entity_set.navigations:
        target = {"description": f"{navigation.target}: a new entity, or {{'@iot.id': n}} of one that exists"}
        properties[navigation.name] = {"type": "array", "items": target} if navigation.many else target
    mandatory = [p.name for p in entity_set.properties if p.mandatory] + [n.name for n in entity_set.navigations if n.mandatory]
    return {"type": "object", "properties": properties, "required": mandatory}


def _type(described: Property) -> dict[str, Any]:
    return _TYPES[described.kind] | ({} if described.writable else {"readOnly": True})


def _error_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "code": {"type": "integer"},
            "type": {"type": "string"},
            "message": {"type": "string"},
            "position": {"type": "integer", "description": "character of the path or query, from 1"},
            "field": {"type": "string", "description": "path in the body"},
        },
        "required": ["code", "type", "message"],
    }
