"""The address of a create: a collection, and the entity whose collection it is (18-088, 9.2 and 10.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from psycopg.sql import SQL, Composed, Identifier

from api.database import Pool
from api.errors import InvalidQueryError, NotAllowedError, UnknownEntityError
from api.sensorthings.entities.model import Backward, EntitySet, Forward, Navigation, Through
from api.sensorthings.entities.schema import entity_set, target_of
from api.sensorthings.writer.plan import Existing
from api.sensorthings.writer.planner import LARGEST_ID, inverse_of

_KEPT = 10_000  # addresses
_SEGMENT = re.compile(r"([A-Za-z]+)(?:\(([0-9]{1,19})\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of an address: a set or relation, and the id in its parentheses."""

    name: str
    id: int | None
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """How `parent` leads to a new entity; `inverse` is the relation's name as seen from there, empty where it has none."""

    parent: Existing
    navigation: Navigation
    inverse: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Where a new entity goes: its set, and the relation that leads there; None: the set itself."""

    entity_set: EntitySet
    relation: Relation | None = None


def read_steps(path: str) -> list[Step]:
    """Take a path below the service root apart; raises `InvalidQueryError` with the position."""
    steps: list[Step] = []
    position = 1
    for part in path.strip("/").split("/"):
        found = _SEGMENT.fullmatch(part)
        if found is None:
            raise InvalidQueryError(
                f"path, character {position}: an entity set or relation is expected, as Things(1)", position=position
            )
        steps.append(Step(name=found[1], id=None if found[2] is None else int(found[2]), position=position))
        position += len(part) + 1
    return steps


async def collection_at(path: str, pool: Pool) -> Collection:
    """Find the collection that a path names; raises `UnknownEntityError`, `NotAllowedError` or `InvalidQueryError`."""
    near = near_collection(path)
    if near is not None:
        return near
    first, steps = _from_a_set(path)
    return _below(await _follow(first, steps[:-1], pool), path, steps[-1])


@lru_cache(maxsize=_KEPT)
def near_collection(path: str) -> Collection | None:
    """Find a collection that needs no look at the database: None, where relations on the way must hold.

    Kept, since devices send to the same few addresses again and again.
    """
    if not path.strip("/"):
        raise NotAllowedError("a new entity is posted to an entity set, as /Things", allowed=("GET", "HEAD"))
    first, steps = _from_a_set(path)
    if len(steps) == 1:
        if steps[0].id is not None:
            raise _no_create(path)
        return Collection(entity_set=first)
    if len(steps) > 2:  # noqa: PLR2004 -- Things(1)/Datastreams
        return None
    return _below(Existing(entity_set=first.name, id=_identifier(steps[0], first.singular)), path, steps[1])


def _below(parent: Existing, path: str, step: Step) -> Collection:
    navigation = _navigation(parent.entity_set, step)
    if not navigation.many or step.id is not None:
        raise _no_create(path)
    owner, target = entity_set(parent.entity_set), target_of(navigation)
    assert owner is not None  # of an entity that is there
    inverse = inverse_of(owner, navigation, target)
    return Collection(entity_set=target, relation=Relation(parent=parent, navigation=navigation, inverse=inverse))


def _from_a_set(path: str) -> tuple[EntitySet, list[Step]]:
    steps = read_steps(path)
    first = entity_set(steps[0].name)
    if first is None:
        raise UnknownEntityError(f"there is no entity set {steps[0].name!r}")
    return first, steps


async def entity_at(path: str, pool: Pool) -> Existing:
    """Find the entity that a path names, as `Things(1)` or `Observations(1)/Datastream`; raises as `collection_at`."""
    if not path.strip("/"):
        raise NotAllowedError("the service root can't be changed", allowed=("GET", "HEAD"))
    first, steps = _from_a_set(path)
    if steps[-1].id is None and (len(steps) == 1 or _leads_to_many(steps)):
        raise NotAllowedError(f"{path!r} is a collection: name one entity by its id", allowed=("GET", "HEAD", "POST"))
    return await _follow(first, steps, pool)


def _leads_to_many(steps: list[Step]) -> bool:
    here = entity_set(steps[0].name)
    for step in steps[1:]:
        navigation = _navigation(here.name if here else "", step)
        if step is steps[-1]:
            return navigation.many
        here = target_of(navigation)
    return False


def _no_create(path: str) -> NotAllowedError:
    return NotAllowedError(
        f"a new entity is posted to a collection, and {path!r} is one entity", allowed=("GET", "HEAD", "PATCH", "DELETE")
    )


def _navigation(set_name: str, step: Step) -> Navigation:
    owner = entity_set(set_name)
    navigation = owner.navigation(step.name) if owner else None
    if navigation is None:
        raise UnknownEntityError(f"{set_name} has no relation {step.name!r}")
    return navigation


def _identifier(step: Step, singular: str) -> int:
    if step.id is None:
        raise UnknownEntityError(f"{step.name} is a collection: name one {singular} by its id, as {step.name}(1)")
    if step.id > LARGEST_ID:
        raise UnknownEntityError(f"there is no {singular} {step.id}")
    return step.id


async def _follow(first: EntitySet, steps: list[Step], pool: Pool) -> Existing:
    """Follow an address from entity to entity; each relation on the way must hold."""
    here = Existing(entity_set=first.name, id=_identifier(steps[0], first.singular))
    owner = first
    for step in steps[1:]:
        navigation = _navigation(owner.name, step)
        target = target_of(navigation)
        wanted = _identifier(step, target.singular) if navigation.many else None
        question = _question(owner, navigation, target)
        async with pool.connection() as connection:
            row = await (await connection.execute(question, {"own": here.id, "other": wanted})).fetchone()
        if row is None or row[0] is None:
            raise UnknownEntityError(f"{owner.singular} {here.id} has no {step.name}" + (f"({wanted})" if wanted else ""))
        here, owner = Existing(entity_set=target.name, id=row[0]), target
    return here


def _question(owner: EntitySet, navigation: Navigation, target: EntitySet) -> Composed:
    match navigation.join:
        case Forward(column=column):
            return SQL("SELECT {} FROM {} WHERE id = %(own)s").format(Identifier(column), Identifier(owner.table))
        case Backward(column=column):
            return SQL("SELECT id FROM {} WHERE {} = %(own)s AND id = %(other)s").format(
                Identifier(target.table), Identifier(column)
            )
        case Through(table=table, own=own, other=other):
            return SQL("SELECT {other} FROM {table} WHERE {own} = %(own)s AND {other} = %(other)s").format(
                table=Identifier(table), own=Identifier(own), other=Identifier(other)
            )
