"""`$select` → what of an entity is shown: whole properties, parts of JSON, links."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet
from api.sensorthings.odata.build import Build
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.names import JSON_KINDS, unknown
from api.sensorthings.odata.syntax import Path
from api.sensorthings.wire.model import Selection

_TEXT = sql.SQL("{}::text")


def selected(build: Build, entity: EntitySet, paths: tuple[Path, ...]) -> Selection | None:
    """Give what is asked for; None: everything."""
    if not paths:
        return None
    wire = build.wire
    for path in paths:
        _check(build, entity, path)
    names = {path.segments[0].lower() for path in paths}
    whole = {path.segments[0].lower() for path in paths if len(path.segments) == 1}
    inside: dict[str, Callable[[Composable], Composable]] = {}
    for found in entity.properties:
        parts = [path.segments[1:] for path in paths if path.segments[0].lower() == found.name.lower()]
        if parts and found.name.lower() not in whole:
            inside[found.name] = partial(_parts, build, parts)
    return Selection(
        id=bool(names & wire.id_names),
        self_link=wire.self_link_name in names,
        properties=frozenset(p.name for p in entity.properties if p.name.lower() in names),
        navigations=frozenset(n.name for n in entity.navigations if n.name.lower() in names),
        inside=inside,
    )


def _check(build: Build, entity: EntitySet, path: Path) -> None:
    name, *inside = path.segments
    found = entity.property(name)
    known = found or entity.navigation(name) or name.lower() in build.wire.id_names | {build.wire.self_link_name}
    if not known:
        raise MalformedQueryError("$select", path.position, unknown(entity, name))
    if inside and (found is None or found.kind.value not in JSON_KINDS):
        raise MalformedQueryError("$select", path.position, f"{name} of {entity.singular} has no part {inside[0]}")


def _parts(build: Build, paths: Iterable[tuple[str, ...]], document: Composable) -> Composable:
    """Give a JSON object with these parts of a document alone, NULL where it has none of them."""
    children: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in paths:
        children.setdefault(first, []).append(tuple(rest))
    rows: list[Composable] = []
    for key, rests in children.items():
        name = build.constant(key, _TEXT)
        value = sql.SQL("({} -> {})").format(document, name)
        rows.append(sql.SQL("({}, {})").format(name, value if () in rests else _parts(build, rests, value)))
    template = sql.SQL("(SELECT jsonb_object_agg(key, value) FROM (VALUES {}) AS part (key, value) WHERE value IS NOT NULL)")
    return template.format(sql.SQL(", ").join(rows))
