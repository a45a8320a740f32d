"""Links between entities as resources of their own: `…/$ref` (18-088, 9.2.7; OData 4.01, 11.4.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request

from api.errors import InvalidEntityError, InvalidQueryError, NotAllowedError, UnknownEntityError
from api.sensorthings.entities.model import Backward, EntitySet, Forward, Navigation, Ranked, Through
from api.sensorthings.entities.schema import entity_set, target_of
from api.sensorthings.writer.address import entity_at, read_steps
from api.sensorthings.writer.asked import Asked, ReadEntity
from api.sensorthings.writer.editor import Editor
from api.sensorthings.writer.plan import Existing
from api.sensorthings.writer.planner import ID, LARGEST_ID

_END = "/$ref"
_URL = re.compile(r"(?:.*/)?([A-Za-z]+)\(([0-9]{1,19})\)")
_NAMES = ("@odata.id", "@iot.selfLink", "url")


def is_reference(request: Request) -> bool:
    """Tell whether a request is about a link and not about what it leads to."""
    path: str = request.path_params.get("path", "")
    return path.rstrip("/").lower().endswith(_END)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    owner: Existing
    entity_set: EntitySet
    navigation: Navigation
    named: int | None

    @property
    def target(self) -> EntitySet:
        return target_of(self.navigation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Sets and removes links; raises `ApiError`s."""

    editor: Editor
    read: ReadEntity

    async def add(self, path: str, body: Any) -> None:
        """Add a link to a collection: `POST Things(1)/Locations/$ref`."""
        place = await self._place(path)
        if not place.navigation.many:
            raise NotAllowedError("a single link is set by PUT", allowed=("GET", "PUT", "DELETE"))
        await self._link(place, _target(body, place.target))

    async def set(self, path: str, body: Any) -> None:
        """Set a single link: `PUT Datastreams(1)/Sensor/$ref`."""
        place = await self._place(path)
        if place.navigation.many:
            raise NotAllowedError("a link is added to a collection by POST", allowed=("GET", "POST", "DELETE"))
        await self._link(place, _target(body, place.target))

    async def remove(self, path: str, query: Mapping[str, list[str]]) -> None:
        """Remove a link: `DELETE Things(1)/Locations(2)/$ref`, or `…/Locations/$ref?$id=Locations(2)`."""
        place = await self._place(path)
        number = place.named
        if set(query) - {"$id"}:
            raise InvalidQueryError("unlinking takes $id alone")
        if number is None and "$id" in query:
            number = _number(query["$id"][0], place.target, "$id")
        join = place.navigation.join
        if not isinstance(join, Through) or isinstance(join, Ranked):
            raise NotAllowedError(
                f"a {place.entity_set.singular} can't be without {place.navigation.name} that it has: link another one instead",
                allowed=("GET", "PUT") if isinstance(join, Forward) else ("GET", "POST"),
            )
        if number is None:
            raise InvalidQueryError(f"say which link: {place.navigation.name}(1)/$ref or $ref?$id={place.target.name}(1)")
        if not await self.editor.unlink(join.table, {join.own: place.owner.id, join.other: number}):
            raise UnknownEntityError(f"{place.entity_set.singular} {place.owner.id} has no {place.navigation.name}({number})")

    async def _place(self, path: str) -> _Place:
        base = path.strip("/")[: -len(_END)]
        steps = read_steps(base)
        if len(steps) == 1:
            raise NotAllowedError("a link belongs to a relation, as Things(1)/Locations/$ref", allowed=("GET",))
        owner = await entity_at(base.rpartition("/")[0], self.editor.pool)
        described = entity_set(owner.entity_set)
        navigation = described.navigation(steps[-1].name) if described else None
        if described is None or navigation is None:
            raise UnknownEntityError(f"{owner.entity_set} has no relation {steps[-1].name!r}")
        return _Place(owner=owner, entity_set=described, navigation=navigation, named=steps[-1].id)

    async def _link(self, place: _Place, number: int) -> None:
        match place.navigation.join:
            case Forward():
                await self._change(place.owner, place.navigation.name, number)
            case Backward(column=column):
                inverse = next(
                    n.name
                    for n in place.target.navigations
                    if isinstance(n.join, Forward) and n.join.column == column and n.target == place.entity_set.name
                )
                await self._change(Existing(entity_set=place.target.name, id=number), inverse, place.owner.id)
            case Ranked():
                raise NotAllowedError("this relation keeps the entities it was made with", allowed=("GET",))
            case Through(table=table, own=own, other=other):
                await self.editor.link(table, {own: place.owner.id, other: number})

    async def _change(self, entity: Existing, name: str, number: int) -> None:
        await self.editor.change(entity, Asked(read=self.read, body={name: {ID: number}}))


def _target(body: Any, target: EntitySet) -> int:
    given = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    number = given.get(ID)
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number <= LARGEST_ID:
        return number
    for name in _NAMES:
        if isinstance(given.get(name), str):
            return _number(given[name], target, name)
    raise InvalidEntityError(f'a link is {{"{ID}": n}} or {{"@odata.id": "{target.name}(n)"}}', field=ID)


def _number(url: str, target: EntitySet, field: str) -> int:
    found = _URL.fullmatch(url)
    if found is None or entity_set(found[1]) is not target or not 0 < int(found[2]) <= LARGEST_ID:
        raise InvalidEntityError(f"{field} must name one of {target.name}, as {target.name}(1)", field=field)
    return int(found[2])
