"""JSON Patch (RFC 6902) with JSON Pointer (RFC 6901), on values as `json.loads` gives them."""

from __future__ import annotations

import copy
from typing import Any, cast

from api.errors import ConflictError, InvalidEntityError

_WITH_VALUE = frozenset({"add", "replace", "test"})
_WITH_FROM = frozenset({"move", "copy"})
_MOST = 1_000


def apply_patch(document: Any, patch: Any) -> Any:
    """Give a changed copy; raises `InvalidEntityError`, and `ConflictError` where a `test` fails."""
    if not isinstance(patch, list):
        raise InvalidEntityError("a JSON Patch is an array of operations (RFC 6902)")
    operations = cast("list[Any]", patch)
    if len(operations) > _MOST:
        raise InvalidEntityError(f"a JSON Patch has at most {_MOST} operations")
    changed = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        changed = _apply(changed, operation, f"[{index}]")
    return changed


def _apply(document: Any, operation: Any, where: str) -> Any:
    if not isinstance(operation, dict):
        raise InvalidEntityError(f"{where} must be an object", field=where)
    given = cast("dict[str, Any]", operation)
    op = given.get("op")
    if op not in _WITH_VALUE | _WITH_FROM | {"remove"}:
        raise InvalidEntityError(f"{where}.op must be add, remove, replace, move, copy or test", field=f"{where}.op")
    path = _pointer(given, "path", where)
    if op in _WITH_VALUE:
        if "value" not in given:
            raise InvalidEntityError(f"{where}.value is missing", field=f"{where}.value")
        return _set(document, str(op), path, given["value"], where)
    if op == "remove":
        return _remove(document, path, where)
    source = _pointer(given, "from", where)
    value = copy.deepcopy(_get(document, source, where))
    if op == "move":
        if path[: len(source)] == source and len(path) > len(source):
            raise InvalidEntityError(f"{where}: nothing moves into itself", field=f"{where}.path")
        document = _remove(document, source, where)
    return _add(document, path, value, where)


def _set(document: Any, op: str, path: list[str], value: Any, where: str) -> Any:
    if op == "add":
        return _add(document, path, value, where)
    found = _get(document, path, where)
    if op == "test":
        if not _same(found, value):
            raise ConflictError(f"{where}: the value is another one", field=where)
        return document
    if not path:
        return value
    holder = _get(document, path[:-1], where)
    holder[_index(holder, path[-1], where) if isinstance(holder, list) else path[-1]] = value
    return document


def _same(one: Any, other: Any) -> bool:
    # In Python true is 1.
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        ours, theirs = cast("list[Any]", one), cast("list[Any]", other)
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if isinstance(one, dict) and isinstance(other, dict):
        mine, yours = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return mine.keys() == yours.keys() and all(_same(mine[name], yours[name]) for name in mine)
    return bool(one == other)


def _add(document: Any, path: list[str], value: Any, where: str) -> Any:
    if not path:
        return value
    holder = _get(document, path[:-1], where)
    if isinstance(holder, list):
        items = cast("list[Any]", holder)
        place = len(items) if path[-1] == "-" else _index(items, path[-1], where, most=len(items))
        items.insert(place, value)
    elif isinstance(holder, dict):
        holder[path[-1]] = value
    else:
        raise _nowhere(path, where)
    return document


def _remove(document: Any, path: list[str], where: str) -> Any:
    if not path:
        raise InvalidEntityError(f"{where}: the whole entity can't be removed: use DELETE", field=f"{where}.path")
    _get(document, path, where)
    holder = _get(document, path[:-1], where)
    del holder[_index(holder, path[-1], where) if isinstance(holder, list) else path[-1]]
    return document


def _get(document: Any, path: list[str], where: str) -> Any:
    here = document
    for step in path:
        if isinstance(here, dict) and step in here:
            here = cast("dict[str, Any]", here)[step]
        elif isinstance(here, list):
            items = cast("list[Any]", here)
            here = items[_index(items, step, where)]
        else:
            raise _nowhere(path, where)
    return here


def _index(items: Any, step: str, where: str, *, most: int | None = None) -> int:
    last = len(items) - 1 if most is None else most
    if not (step.isascii() and step.isdigit()) or (len(step) > 1 and step[0] == "0") or int(step[:9]) > last:
        raise InvalidEntityError(f"{where}: {step!r} is no index of the array", field=f"{where}.path")
    return int(step)


def _pointer(given: dict[str, Any], name: str, where: str) -> list[str]:
    value = given.get(name)
    if not isinstance(value, str) or (value and not value.startswith("/")):
        raise InvalidEntityError(f"{where}.{name} must be a JSON Pointer, as /properties/name", field=f"{where}.{name}")
    return [part.replace("~1", "/").replace("~0", "~") for part in value.split("/")[1:]]


def _nowhere(path: list[str], where: str) -> InvalidEntityError:
    return InvalidEntityError(f"{where}: there is nothing at /{'/'.join(path)}", field=f"{where}.path")
