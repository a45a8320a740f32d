"""Names in a query → what they stand for in the description of an entity set."""

from __future__ import annotations

from dataclasses import dataclass

from api.sensorthings.entities.model import EntitySet, Navigation, Property
from api.sensorthings.entities.schema import target_of
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.syntax import Call, Expression, Lambda, Logic, Membership, Operation, Path, Unary

JSON_KINDS = frozenset({"object", "json", "geometry", "result", "quality"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A path resolved: over `navigations` to `entity`, there its property (None: its id), there into JSON."""

    navigations: tuple[Navigation, ...]
    entity: EntitySet
    property: Property | None
    inside: tuple[str, ...]


def resolve(path: Path, entity: EntitySet, id_names: frozenset[str], where: str) -> Named:
    """Resolve a path from an entity; raises `MalformedQueryError` naming what is unknown."""
    navigations: list[Navigation] = []
    here = entity
    for index, segment in enumerate(path.segments):
        inside = path.segments[index + 1 :]
        if segment.lower() in id_names:
            if inside:
                raise MalformedQueryError(where, path.position, f"an id has no part {inside[0]}")
            return Named(navigations=tuple(navigations), entity=here, property=None, inside=())
        found = here.property(segment)
        if found is not None:
            if inside and found.kind.value not in JSON_KINDS:
                raise MalformedQueryError(where, path.position, f"{found.name} of {here.singular} has no part {inside[0]}")
            return Named(navigations=tuple(navigations), entity=here, property=found, inside=inside)
        navigation = here.navigation(segment)
        if navigation is None:
            raise MalformedQueryError(where, path.position, unknown(here, segment))
        navigations.append(navigation)
        here = target_of(navigation)
    raise MalformedQueryError(where, path.position, f"expected a property of {here.singular} after {'/'.join(path.segments)}")


def unknown(entity: EntitySet, name: str) -> str:
    """Say that an entity has no such property or relation, and which it has."""
    names = ", ".join(["id", *(p.name for p in entity.properties), *(n.name for n in entity.navigations)])
    return f"{entity.singular} has no {name}; it has {names}"


def paths_of(expression: Expression) -> list[Path]:
    """Give every path in an expression."""
    match expression:
        case Path():
            return [expression]
        case Operation(left=left, right=right):
            return paths_of(left) + paths_of(right)
        case Logic(operands=parts) | Call(arguments=parts):
            return [path for part in parts for path in paths_of(part)]
        case Unary(operand=operand):
            return paths_of(operand)
        case Membership(left=left, items=items):
            return [path for part in (left, *items) for path in paths_of(part)]
        case _:  # literals, and lambdas, which look after their paths themselves
            return []


def has_lambda(expression: Expression) -> bool:
    """Whether there is an `any` or `all` in an expression."""
    match expression:
        case Lambda():
            return True
        case Operation(left=left, right=right):
            return has_lambda(left) or has_lambda(right)
        case Logic(operands=parts) | Call(arguments=parts):
            return any(has_lambda(part) for part in parts)
        case Unary(operand=operand):
            return has_lambda(operand)
        case Membership(left=left, items=items):
            return any(has_lambda(part) for part in (left, *items))
        case _:
            return False


def negates(expression: Expression) -> bool:
    """Whether there is a `not` in an expression."""
    match expression:
        case Unary(operator="not"):
            return True
        case Logic(operands=parts):
            return any(negates(part) for part in parts)
        case _:
            return False
