"""What the parts of the compiler share while they build one statement."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import Backward, EntitySet, Forward, Hidden, Navigation, Ranked, Through
from api.sensorthings.odata.limits import Limits
from api.sensorthings.odata.statement import Parameter
from api.sensorthings.wire.model import Row, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who asks: what they may see (decisions.md 8), and which languages they read, the dearest first; none: as it is stored."""

    sees_private: bool
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What the database can do, as it said itself."""

    postgis: bool


@dataclass(slots=True, kw_only=True)
class Build:
    """One statement under construction. `bounded`: an id's day was used as a bound, which `unbounded` forbids.

    `as_of` is the slot of the instant whose knowledge is asked for.
    """

    wire: Wire
    limits: Limits
    access: Access
    abilities: Abilities
    unbounded: bool = False
    as_of: int | None = None
    bounded: bool = False
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def alias(self) -> str:
        """Give a new name for a row."""
        return f"t{next(self._numbers)}"

    def row(self, owner: str | None = None) -> Row:
        """Give a new row of a page, see `Row`."""
        return Row(self.alias(), owner=owner, languages=self.access.languages)

    def slot(self, slot: int, cast: sql.SQL) -> Composable:
        """Give the value of a slot, cast."""
        return cast.format(Parameter(slot))

    def constant(self, text: str, cast: sql.SQL) -> Composable:
        """Give a value that belongs to the request's shape, bound like any other."""
        return cast.format(Parameter(text))

    def rows(self, entity: EntitySet) -> Composable:
        """Give where the rows of the collection or entity that is asked for come from."""
        if self.as_of is None or entity.day_column is None:
            return view(entity.table)
        known = sql.Identifier("read", f"known_{entity.table}")
        return sql.SQL("{}({}::timestamptz)").format(known, Parameter(self.as_of))

    def visible(self, entity: EntitySet, alias: str) -> list[Composable]:
        """Give the condition under which the asking person may see a row, if there is one."""
        if self.access.sees_private or entity.hidden is None:
            return []
        return [sql.SQL("{} NOT IN (SELECT id FROM {})").format(column(alias, entity.hidden.column), view(entity.hidden.view))]


def follows(entity: EntitySet, navigation: Navigation, target: EntitySet) -> bool:
    """Whether what a relation leads to from a visible entity is visible: what it points at, and what hides with it.

    The Observations of a Datastream do; the Datastreams of a Sensor don't, since a private Thing may use it too.
    """
    match navigation.join, entity.hidden, target.hidden:
        case Forward(), _, _:
            return True
        case Backward(column=name), Hidden(view=own), Hidden(view=theirs, column=by):
            return own == theirs and name == by
        case _:
            return False


def view(name: str) -> Composable:
    """Give a reading view."""
    return sql.Identifier("read", name)


def column(alias: str, name: str) -> Composable:
    """Give a column of a row."""
    return sql.Identifier(alias, name)


def conjunction(conditions: list[Composable]) -> Composable:
    """Join conditions by AND; of none: true."""
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")


def related(navigation: Navigation, target: str, own_id: Composable, own: str | None) -> Composable:
    """Give the condition that row `target` is reached by the relation from the entity with id `own_id`.

    A to-one relation reads its column from row `own`.
    """
    match navigation.join:
        case Forward(column=name):
            return sql.SQL("{} = {}").format(column(target, "id"), column(own or "", name))
        case Backward(column=name):
            return sql.SQL("{} = {}").format(column(target, name), own_id)
        case Ranked(own=mine):
            return sql.SQL("{} = {}").format(column(target, mine), own_id)
        case Through(table=table, own=mine, other=other):
            pairs = sql.SQL("SELECT {} FROM {} WHERE {} = {}")
            found = pairs.format(sql.Identifier(other), view(table), sql.Identifier(mine), own_id)
            return sql.SQL("{} IN ({})").format(column(target, "id"), found)


def linked(join: Through, pair: str, target: str, own_id: Composable) -> list[Composable]:
    """Give the conditions under which row `pair` of the link table connects the entity with id `own_id` to row `target`."""
    return [
        sql.SQL("{} = {}").format(column(pair, join.own), own_id),
        sql.SQL("{} = {}").format(column(target, "id"), column(pair, join.other)),
    ]
