"""What a PATCH changes: the properties and references that its body names (18-088, 10.2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from api.errors import InvalidEntityError
from api.sensorthings.entities.model import EntitySet, Forward, Kind, Property
from api.sensorthings.entities.schema import target_of
from api.sensorthings.entities.thing import THING
from api.sensorthings.writer.multi_datastream import check_changed
from api.sensorthings.writer.plan import Existing
from api.sensorthings.writer.planner import ID, IGNORED, reference
from api.sensorthings.writer.values import column_values

_KEPT = frozenset({"observedArea", "phenomenonTime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """New values by column, and columns that get another target's id. `names` are those of the body.

    `locations` are a Thing's new Locations, None: they stay.
    """

    values: Mapping[str, Any]
    links: Mapping[str, Existing]
    names: frozenset[str]
    locations: tuple[Existing, ...] | None = None


def read_change(entity_set: EntitySet, body: Any, *, number: int, stored: Mapping[str, Any], whole: bool = False) -> Change:
    """Check a PATCH's body; raises `InvalidEntityError` naming the field. `stored` are the entity's columns.

    `whole`: the body of a PUT, which takes away the properties that it does not name.
    """
    if not isinstance(body, dict):
        raise InvalidEntityError("the body must be an object with what is to change")
    given = cast("dict[str, Any]", body)
    values: dict[str, Any] = _left_out(entity_set, given) if whole else {}
    links: dict[str, Existing] = {}
    locations: tuple[Existing, ...] | None = None
    encoding = {"encodingType": given.get("encodingType", stored.get("encoding_type"))}
    for name, value in given.items():
        described = next((p for p in entity_set.properties if p.name == name), None)
        if described is not None:
            values |= _columns(entity_set, described, value, encoding)
        elif name == ID:
            _check_same(value, number)
        elif entity_set.name == "Things" and name == "Locations":
            locations = _locations(value)
        elif not name.endswith(IGNORED):
            links |= _link(entity_set, name, value)
    check_changed(entity_set, values, stored)
    # Another encodingType must suit the place that stays.
    for prop in entity_set.properties:
        if "encodingType" in given and prop.name in {"location", "feature"} and prop.name not in given:
            column_values(entity_set, prop, stored[prop.columns[0]], field=prop.name, body=encoding)
    return Change(values=values, links=links, names=frozenset(given), locations=locations)


def _left_out(entity_set: EntitySet, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the columns of what a PUT takes away; what the platform derives or fills in stays."""
    values: dict[str, Any] = {}
    for prop in entity_set.properties:
        if prop.name in given or not prop.writable or prop.name in _KEPT:
            continue
        if prop.mandatory:
            raise InvalidEntityError(f"{prop.name} is missing: it is mandatory", field=prop.name)
        values |= dict.fromkeys(prop.columns)
    return values


def _locations(value: Any) -> tuple[Existing, ...]:
    described = next(n for n in THING.navigations if n.name == "Locations")
    items = cast("list[Any]", value) if isinstance(value, list) else []
    found = [reference(item, target_of(described), f"Locations[{index}]") for index, item in enumerate(items)]
    if not items or None in found:
        message = f'Locations must be an array of references to existing Locations: [{{"{ID}": n}}]'
        raise InvalidEntityError(message, field="Locations")
    return tuple(target for target in found if target is not None)


def _columns(entity_set: EntitySet, described: Property, value: Any, encoding: Mapping[str, Any]) -> dict[str, Any]:
    if not described.writable:
        return {}
    if value is None and described.kind is not Kind.RESULT:
        if described.mandatory:
            raise InvalidEntityError(f"{described.name} is mandatory", field=described.name)
        return dict.fromkeys(described.columns)
    return column_values(entity_set, described, value, field=described.name, body=encoding)


def _check_same(value: Any, number: int) -> None:
    if isinstance(value, bool) or value != number:
        raise InvalidEntityError(f"{ID}: an entity keeps its id, {number}", field=ID)


def _link(entity_set: EntitySet, name: str, value: Any) -> dict[str, Existing]:
    navigation = next((n for n in entity_set.navigations if n.name == name), None)
    if navigation is None:
        raise InvalidEntityError(f"{name} is unknown to a {entity_set.singular}", field=name)
    if not isinstance(navigation.join, Forward):
        raise InvalidEntityError(f"{name} can't be changed here: post to this relation", field=name)
    target = reference(value, target_of(navigation), name)
    if target is None:
        raise InvalidEntityError(f'{name} must refer to an existing {target_of(navigation).singular}: {{"{ID}": n}}', field=name)
    return {navigation.join.column: target}
