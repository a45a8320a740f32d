"""Pages in order of id of entities whose place lies within a geometry: Things by their Locations.

Few places the index of geometries finds, and their Things are sorted. Among many, the page is full after a few Things in order of
id, which each are asked for their place. So where there are many a page walks, but no further than as many rows as there are such
places at least: then the index finds what is behind them. Thus it never costs more than about twice what the better way does.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet
from api.sensorthings.odata.build import Build, column, conjunction, view
from api.sensorthings.odata.conditions import Conditions, Joined
from api.sensorthings.odata.functions import FUNCTIONS
from api.sensorthings.odata.names import paths_of, resolve
from api.sensorthings.odata.syntax import Call, Expression, Literal, Logic, Path
from api.sensorthings.odata.values import as_geometry

_WHERE = "$filter"
_STEPS = 10  # rows to walk for one of the page; to ask a row for its place costs as much as to come to it by the index
_MANY = sql.SQL("EXISTS (SELECT FROM {places} {place} WHERE {overlaps} OFFSET {steps} - 1)")
# No ORDER BY around both: it would run them to their ends. What is walked comes first, and its ids are lower.
_PAGE = sql.SQL("""
WITH many AS MATERIALIZED (SELECT {many} AS there)
SELECT {names} FROM (
    SELECT {row}.* FROM (SELECT * FROM {rows} {row} WHERE {ahead} ORDER BY {id} LIMIT {steps}) {row} WHERE {met_by_row}
    UNION ALL
    (SELECT {row}.* FROM {rows} {row} WHERE {met} AND {id} > coalesce(
            (SELECT max(id) FROM (SELECT {id} FROM {rows} {row} WHERE {ahead} ORDER BY {id} LIMIT {steps}) walked), 0)
      ORDER BY {id} LIMIT {fetched})
) {row} LIMIT {fetched}""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A condition of a page in order of id: `many` places are near, and `met`, looked up row by row."""

    many: Composable
    met: Composable
    steps: Composable

    def page(
        self, names: Composable, rows: Composable, row: str, conditions: list[Composable], behind: list[Composable], fetched: int
    ) -> Composable:
        """Give the query for the first rows: `conditions` are all, `behind` those for where the page starts."""
        there = sql.SQL("(SELECT there FROM many)")
        return _PAGE.format(
            many=self.many, names=names, rows=rows, row=sql.Identifier(row), id=column(row, "id"), met_by_row=self.met,
            met=conjunction(conditions), ahead=conjunction([there, *behind]), steps=self.steps, fetched=sql.Literal(fetched),
        )  # fmt: skip


def walk(
    build: Build, entity: EntitySet, alias: str, condition: Expression | None, beside: list[Composable], fetched: int
) -> Walk | None:
    """Give the walk for a page of so many rows where its filter names one place; `beside` are its other conditions on a row."""
    operands = condition.operands if isinstance(condition, Logic) and condition.operator == "and" else (condition,)
    placed = [(o, place) for o in operands if isinstance(o, Call) and (place := _place(build, entity, o)) is not None]
    if len(placed) != 1:
        return None
    call, place = placed[0]
    rest = [operand for operand in operands if operand is not None and operand is not call]
    if any(path.segments[0].lower() == place.relation for operand in rest for path in paths_of(operand)):
        return None  # conditions over one relation are about one entity
    rows, steps, near = Conditions(build, entity, alias, _WHERE), sql.Literal(_STEPS * fetched), build.alias()
    overlaps = sql.SQL("{} && {}").format(column(near, place.shape), place.geometry)
    many = _MANY.format(places=view(place.entity.table), place=sql.Identifier(near), overlaps=overlaps, steps=steps)
    met = [*beside, rows.row_by_row(call), *[rows.condition(operand) for operand in rest]]
    return Walk(many=many, met=conjunction(met), steps=steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a function compares with a geometry: column `shape` of the entities of a relation (in lower case)."""

    relation: str
    entity: EntitySet
    shape: str
    geometry: Composable


def _place(build: Build, entity: EntitySet, call: Call) -> _Place | None:
    if not any(function.overlapping for function in FUNCTIONS.get(call.name, ())):
        return None
    match call.arguments:
        case (Path() as path, Literal() as literal) | (Literal() as literal, Path() as path):
            named = resolve(path, entity, build.wire.id_names, _WHERE)
            geometry = as_geometry(Joined(build, entity, "", _WHERE).value(literal))
        case _:
            return None
    if len(named.navigations) != 1 or named.property is None or not named.property.shape or named.inside or geometry is None:
        return None
    relation = path.segments[0].lower()
    return _Place(relation=relation, entity=named.entity, shape=named.property.shape, geometry=geometry)
