"""From a body to a plan: every property checked, every related entity planned or referred to (18-088, 10.2.1).

Names are those of the standard, exactly. `@iot.id` in a new entity is refused, for ids are the platform's; in place of a
related entity, `{"@iot.id": n}` refers to one that exists. Control information that a server adds when it is read
(`@iot.selfLink`, `…@iot.navigationLink`) is ignored, so that what was read can be written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from api.errors import InvalidEntityError
from api.sensorthings.entities.model import Backward, EntitySet, Forward, Navigation, Through
from api.sensorthings.entities.schema import target_of
from api.sensorthings.writer import times
from api.sensorthings.writer.multi_datastream import check_lengths
from api.sensorthings.writer.plan import Existing, Move, Plan, Row, Target
from api.sensorthings.writer.values import column_values

ID = "@iot.id"
LARGEST_ID = 2**53 - 1
IGNORED = ("@iot.selfLink", "@iot.navigationLink", "@iot.count", "@iot.nextLink", "@iot.associationLink")

Given = Mapping[str, Target]
_NOTHING: Given = MappingProxyType({})


def plan_entity(plan: Plan, entity_set: EntitySet, body: Any, *, path: str = "", given: Given = _NOTHING) -> Target:
    """Plan a new entity with all that its body brings along; raises `InvalidEntityError` naming the field.

    `given` are relations that the entity's place already says: the address of the request, or the entity around it.
    """
    return _Entity(plan=plan, entity_set=entity_set, body=_object(body, path, entity_set), path=path, given=given).planned()


def reference(value: Any, entity_set: EntitySet, path: str) -> Existing | None:
    """Read `{"@iot.id": n}`; None: it is no reference.

    What else stands there is not read: FROST's Python client sends the whole entity that it has at hand, as it was when read.
    """
    if not isinstance(value, dict) or ID not in value:
        return None
    number = cast("dict[str, Any]", value)[ID]
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidEntityError(f"{path}.{ID} must be an integer", field=f"{path}.{ID}")
    if not 0 < number <= LARGEST_ID:
        raise InvalidEntityError(f"{path}: there is no {entity_set.singular} {number}", field=f"{path}.{ID}")
    return Existing(entity_set=entity_set.name, id=number, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entity:
    plan: Plan
    entity_set: EntitySet
    body: Mapping[str, Any]
    path: str
    given: Given

    def planned(self) -> Target:
        self._check_names()
        place = self.plan.reserve(self.entity_set.name)
        values = self._values()
        links: dict[str, Target] = {}
        for navigation in self.entity_set.navigations:
            self._relate(navigation, place, links)
        self._check_whole(place, values)
        self.plan.fill(place, Row(path=self.path, values=values, links=links))
        return place

    def _field(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _check_names(self) -> None:
        if ID in self.body:
            raise InvalidEntityError(f"{self._field(ID)}: ids are given by the server; leave it out", field=self._field(ID))
        for name in self.body:
            if name not in self.entity_set.names and not name.endswith(IGNORED):
                raise InvalidEntityError(self._unknown(name), field=self._field(name))

    def _unknown(self, name: str) -> str:
        known = self.entity_set.names
        meant = next((k for k in known if k.lower() == name.lower()), None)
        hint = f"; did you mean {meant}?" if meant else f"; {self.entity_set.singular} has {', '.join(sorted(known))}"
        return f"{self._field(name)} is unknown{hint}"

    def _values(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for described in self.entity_set.properties:
            name, value = described.name, self.body.get(described.name)
            is_there = name in self.body if name == "result" else value is not None
            if not is_there:
                if described.default:
                    found[described.columns[0]] = described.default
                elif described.mandatory:
                    raise self._missing(name)
                continue
            if name == "validTime":
                times.interval(value, self._field(name))
            columns = column_values(self.entity_set, described, value, field=self._field(name), body=self.body)
            if described.writable:
                found |= columns
        return found

    def _check_whole(self, place: Target, values: Mapping[str, Any]) -> None:
        """Check what no property and no relation shows alone."""
        said = {name for name, value in self.body.items() if value is not None} | self.given.keys()
        either = [n.name for n in self.entity_set.navigations if n.alternative is not None]
        if either and len([name for name in either if name in said]) != 1:
            raise InvalidEntityError(
                f"{self._field(either[0])} is missing: one of {' and '.join(either)} is mandatory", field=either[0]
            )
        if self.entity_set.name == "MultiDatastreams":
            pairs = self.plan.pairs.get("multi_datastream_observed_property", [])
            mine = [pair for pair in pairs if pair.columns["multi_datastream_id"] == place]
            check_lengths(values, len(mine) + ("ObservedProperties" in self.given), self.path)

    def _missing(self, name: str) -> InvalidEntityError:
        return InvalidEntityError(f"{self._field(name)} is missing: it is mandatory", field=self._field(name))

    def _relate(self, navigation: Navigation, place: Target, links: dict[str, Target]) -> None:
        name, value = navigation.name, self.body.get(navigation.name)
        placed = self.given.get(name)
        if isinstance(navigation.join, Forward) and placed is not None:
            self._check_agrees(navigation, placed, value)
            links[navigation.join.column] = placed
        elif navigation.many:
            items = self._items(name, value)
            if navigation.mandatory and not items and placed is None:
                raise self._missing(name)
            for index, item in enumerate(items):
                self._relate_one(navigation, item, f"{self._field(name)}[{index}]", place, links)
        elif value is not None:
            self._relate_one(navigation, value, self._field(name), place, links)
        elif navigation.mandatory:
            raise self._missing(name)

    def _items(self, name: str, value: Any) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise InvalidEntityError(f"{self._field(name)} must be an array", field=self._field(name))
        return cast("list[Any]", value)

    def _check_agrees(self, navigation: Navigation, placed: Target, value: Any) -> None:
        if value is None:
            return
        said = reference(value, target_of(navigation), self._field(navigation.name))
        if said is None or not isinstance(placed, Existing) or said.id != placed.id:
            raise InvalidEntityError(
                f"{self._field(navigation.name)} is already said by where this {self.entity_set.singular} stands; leave it out",
                field=self._field(navigation.name),
            )

    def _relate_one(self, navigation: Navigation, item: Any, path: str, place: Target, links: dict[str, Target]) -> None:
        target = target_of(navigation)
        there = reference(_object(item, path, target), target, path)
        inverse = inverse_of(self.entity_set, navigation, target)
        match navigation.join:
            case Forward(column=column):
                links[column] = self._target(there, target, item, path, {})
            case Backward(column=column) if there is not None:
                self._move(self.plan.refer(there), column, place)
            case Backward():
                plan_entity(self.plan, target, item, path=path, given={inverse: place})
            case Through() if there is not None and target.name == "MultiDatastreams":
                raise InvalidEntityError(f"{path}: a MultiDatastream keeps the ObservedProperties it was made with", field=path)
            case Through(table=table, own=own, other=other):
                self.plan.pair(table, {own: place, other: self._target(there, target, item, path, {inverse: place})})

    def _target(self, there: Existing | None, target: EntitySet, item: Any, path: str, given: Given) -> Target:
        if there is not None:
            return self.plan.refer(there)
        return plan_entity(self.plan, target, item, path=path, given=given)

    def _move(self, entity: Existing, column: str, place: Target) -> None:
        if entity.entity_set not in {"Datastreams", "MultiDatastreams"}:
            raise InvalidEntityError(
                f"{entity.path}: an existing entity of {entity.entity_set} can't be moved; create new ones here",
                field=entity.path,
            )
        self.plan.moves.append(Move(entity=entity, column=column, target=place))


def inverse_of(owner: EntitySet, navigation: Navigation, target: EntitySet) -> str:
    """Name the same relation as seen from the target; empty where the target has none."""
    join = navigation.join
    for other in (n for n in target.navigations if n.target == owner.name):
        match join, other.join:
            case (Backward(column=one), Forward(column=two)) | (Forward(column=one), Backward(column=two)) if one == two:
                return other.name
            case Through(table=one), Through(table=two) if one == two:
                return other.name
            case _:
                pass
    return ""


def _object(value: Any, path: str, entity_set: EntitySet) -> dict[str, Any]:
    if not isinstance(value, dict):
        where = path or "the body"
        raise InvalidEntityError(f"{where} must be an object, a {entity_set.singular}", field=path or None)
    return cast("dict[str, Any]", value)
