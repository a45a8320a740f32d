"""The path of a request → which rows it means.

A row of stage n is bound by its key, by the relation from stage n−1 and by what the asking person may see.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import Backward, EntitySet, Forward, Navigation, Property, Through
from api.sensorthings.entities.schema import entity_set, target_of
from api.sensorthings.odata.build import Build, column, conjunction, follows, related, view
from api.sensorthings.odata.errors import MalformedQueryError, UnknownResourceError
from api.sensorthings.odata.names import JSON_KINDS
from api.sensorthings.odata.statement import DayOf, Parameter
from api.sensorthings.odata.syntax import Step

_BIGINT = sql.SQL("{}::bigint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step along entities: reached by `navigation` (None: from the root), with the key's slot if one was given."""

    entity: EntitySet
    navigation: Navigation | None
    key: int | None

    @property
    def single(self) -> bool:
        """Whether it is one entity."""
        return self.key is not None or (self.navigation is not None and not self.navigation.many)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A path resolved: its stages, and the property of the last one that is asked for (`inside` JSON), or its id."""

    stages: tuple[Stage, ...]
    property: Property | None = None
    inside: tuple[str, ...] = ()
    only_id: bool = False


def resource(steps: tuple[Step, ...], id_names: frozenset[str]) -> Resource:
    """Resolve a path; raises `UnknownResourceError` naming what is unknown."""
    first = entity_set(steps[0].name)
    if first is None:
        raise UnknownResourceError(f"there is no entity set {steps[0].name}")
    stages = [Stage(entity=first, navigation=None, key=steps[0].key)]
    for index, step in enumerate(steps[1:], start=1):
        last = stages[-1]
        if not last.single:
            raise UnknownResourceError(
                f"{last.entity.name} is a collection: {step.name} is a part of one entity, such as {last.entity.name}(1)"
            )
        navigation = last.entity.navigation(step.name)
        if navigation is None:
            return _property(tuple(stages), steps[index:], id_names)
        if step.key is not None and not navigation.many:
            raise MalformedQueryError("path", step.position, f"{navigation.name} is one entity and takes no id")
        stages.append(Stage(entity=target_of(navigation), navigation=navigation, key=step.key))
    return Resource(stages=tuple(stages))


def _property(stages: tuple[Stage, ...], steps: tuple[Step, ...], id_names: frozenset[str]) -> Resource:
    entity = stages[-1].entity
    names = tuple(step.name for step in steps)
    keyed = next((step for step in steps if step.key is not None), None)
    if names[0].lower() in id_names and len(names) == 1 and keyed is None:
        return Resource(stages=stages, only_id=True)
    found = entity.property(names[0])
    if found is None or keyed is not None or (names[1:] and found.kind.value not in JSON_KINDS):
        raise UnknownResourceError(f"{entity.singular} has no {(keyed or steps[0]).name if found is None else '/'.join(names)}")
    return Resource(stages=stages, property=found, inside=names[1:])


def meant(build: Build, stages: tuple[Stage, ...], alias: str) -> list[Composable]:
    """Give the conditions under which `alias` is a row of the last stage."""
    *before, last = stages
    conditions = _keyed(build, last, alias)
    if before:
        conditions.extend(_reached(build, tuple(before), last, alias))
    # The entity before it is asked for too, by `exists`, or is on the way to this one.
    if last.navigation is None or not follows(before[-1].entity, last.navigation, last.entity):
        conditions.extend(build.visible(last.entity, alias))
    return conditions


def exists(build: Build, stages: tuple[Stage, ...]) -> Composable:
    """Give the condition that the entity of the last stage is there."""
    alias = build.alias()
    found = sql.SQL("EXISTS (SELECT FROM {} {} WHERE {})")
    return found.format(view(stages[-1].entity.table), sql.Identifier(alias), conjunction(meant(build, stages, alias)))


def id_of(build: Build, stages: tuple[Stage, ...]) -> Composable:
    """Give the id of the single entity of the last stage."""
    last = stages[-1]
    if last.key is not None:
        return build.slot(last.key, _BIGINT)
    alias = build.alias()
    found = sql.SQL("(SELECT {} FROM {} {} WHERE {})")
    return found.format(
        column(alias, "id"), view(last.entity.table), sql.Identifier(alias), conjunction(meant(build, stages, alias))
    )


def _keyed(build: Build, stage: Stage, alias: str) -> list[Composable]:
    if stage.key is None:
        return []
    conditions: list[Composable] = [sql.SQL("{} = {}").format(column(alias, "id"), build.slot(stage.key, _BIGINT))]
    day = stage.entity.day_column
    if day is None or build.unbounded:
        return conditions
    build.bounded = True
    template = sql.SQL("{day} >= {start}::timestamptz AND {day} < {end}::timestamptz")
    start, end = Parameter(DayOf(stage.key, 0)), Parameter(DayOf(stage.key, 1))
    return [*conditions, template.format(day=column(alias, day), start=start, end=end)]


def _reached(build: Build, before: tuple[Stage, ...], last: Stage, alias: str) -> list[Composable]:
    match last.navigation:
        case Navigation(join=Forward(column=name)):
            parent = build.alias()
            found = sql.SQL("{} = (SELECT {} FROM {} {} WHERE {})").format(
                column(alias, "id"),
                column(parent, name),
                view(before[-1].entity.table),
                sql.Identifier(parent),
                conjunction(meant(build, before, parent)),
            )
            return [found]
        case Navigation(join=Backward() | Through()) as navigation:
            conditions = [related(navigation, alias, id_of(build, before), None)]
            if last.key is not None:
                conditions.append(exists(build, before))
            return conditions
        case _:
            return []
