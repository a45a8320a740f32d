"""Parts of an entity's JSON text: what `$select` in a topic asks for, and single properties."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from api.sensorthings.entities.model import EntitySet, Property

_SELECTIONS_KNOWN = 1_000

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL = msgspec.Raw(b"null")


class Picker:
    """Takes members out of entities' texts as they stand there."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[list[str]] | None] = {}

    def pick(self, entity: EntitySet, select: str, whole: bytes) -> bytes | None:
        """Give the selected members; None when the selection names what the entity set has not."""
        key = (entity.name, select)
        if key not in self._known:
            if len(self._known) >= _SELECTIONS_KNOWN:
                self._known.clear()
            self._known[key] = _paths(entity, select)
        paths = self._known[key]
        return None if paths is None else _picked(whole, paths)

    def property(self, found: Property, whole: bytes) -> bytes:
        """Give one property as an object (18-088, 9.2.4), null where it has no value."""
        return msgspec.json.encode({found.name: _members.decode(whole).get(found.name, _NULL)})


def _paths(entity: EntitySet, select: str) -> list[list[str]] | None:
    """Give where the selected members stand; the names' first parts are meant in any case, as in queries over HTTP."""
    paths: list[list[str]] = []
    for name in select.split(","):
        first, *inside = name.strip().split("/")
        found, relation = entity.property(first), entity.navigation(first)
        if first.lower() in {"id", "@iot.id"} and not inside:
            paths.append(["@iot.id"])
        elif first.lower() == "@iot.selflink" and not inside:
            paths.append(["@iot.selfLink"])
        elif found is not None:
            paths.append([found.name, *inside])
        elif relation is not None and not inside:
            paths.append([f"{relation.name}@iot.navigationLink"])
        else:
            return None
    return paths


def _picked(whole: bytes, paths: list[list[str]]) -> bytes:
    members = _members.decode(whole)
    inner: dict[str, list[list[str]]] = {}
    for first, *rest in paths:
        inner.setdefault(first, []).append(rest)
    taken = {name: _inside(members[name], inner[name]) for name in members if name in inner}
    return msgspec.json.encode({name: value for name, value in taken.items() if value is not None})


def _inside(value: msgspec.Raw, paths: list[list[str]]) -> Any:
    """Give the value whole, or the parts of it that the paths lead to; None where they lead nowhere."""
    return value if [] in paths else _parts(msgspec.json.decode(value), paths)


def _parts(document: Any, paths: list[list[str]]) -> Any:
    if [] in paths:
        return document
    if not isinstance(document, dict):
        return None
    inner: dict[str, list[list[str]]] = {}
    for first, *rest in paths:
        inner.setdefault(first, []).append(rest)
    members = cast("dict[str, Any]", document)
    taken = {name: _parts(members[name], rests) for name, rests in inner.items() if name in members}
    return {name: value for name, value in taken.items() if value is not None} or None
