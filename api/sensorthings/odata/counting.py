"""Exact counts of Observations without counting them (decisions.md 16; 18-088, 9.3.3.4).

Without a condition on their own properties a count is a sum of summaries. Over a time window it is a sum of aggregates, as coarse
as they fit into it, and the rows at its two edges: quarters of an hour up to a full hour, hours up to a local midnight, days.
An aggregate holds the rows that start in it, so intervals that go on beyond the window's end are taken off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet, Forward
from api.sensorthings.odata.build import Build, column, conjunction, view
from api.sensorthings.odata.conditions import Conditions, Joined
from api.sensorthings.odata.names import paths_of, resolve
from api.sensorthings.odata.syntax import Call, Expression, Logic, Operation, Path
from api.sensorthings.odata.values import as_span

_SUMMARY = "datastream_summary"
_OF_DATASTREAM = Forward(column="datastream_id")
_OPERATORS = frozenset({"gt", "ge", "lt", "le"})
_MIRRORED = {"gt": "lt", "lt": "gt"}  # of intervals `a ge b` is not `b le a`
_FUNCTIONS = {"before": ("lt",), "after": ("gt",), "during": ("ge", "le")}
_NEVER, _ALWAYS = sql.SQL("timestamptz '-infinity'"), sql.SQL("timestamptz 'infinity'")

Scope = Callable[[str], list[Composable]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What is to be counted: rows within `scope` that meet `condition`; `where` names the option that it came from.

    `apart`: the scope asks for nothing but the rows' Datastream.
    """

    entity: EntitySet
    scope: Scope
    condition: Expression | None
    where: str
    apart: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A condition taken apart: bounds of the phenomenon time as (operator, start, end), and what is asked of the Datastream."""

    bounds: tuple[tuple[str, Composable, Composable], ...]
    datastream: Expression | None

    def edge(self, *operators: str) -> list[Composable]:
        """Give the bounds by these operators: an instant in each case."""
        return [end if operator in ("gt", "le") else start for operator, start, end in self.bounds if operator in operators]


def count(build: Build, counted: Counted) -> Composable:
    """Give the number of rows as text."""
    if counted.apart and counted.entity.day_column is not None:
        window = _window(build, counted)
        if window is not None:
            found = _windowed(build, counted, window) if window.bounds else _summed(build, counted)
            return sql.SQL("({})::text").format(found)
    alias = build.alias()
    template = sql.SQL("(SELECT count(*) FROM {} {} WHERE {})::text")
    return template.format(view(counted.entity.table), sql.Identifier(alias), _all(build, counted, alias))


def _all(build: Build, counted: Counted, alias: str) -> Composable:
    return conjunction([*counted.scope(alias), *_met(build, counted, alias, counted.condition)])


def _met(build: Build, counted: Counted, alias: str, condition: Expression | None) -> list[Composable]:
    return [] if condition is None else [Conditions(build, counted.entity, alias, counted.where).condition(condition)]


def _summed(build: Build, counted: Counted) -> Composable:
    alias = build.alias()
    summary = replace(counted, entity=replace(counted.entity, table=_SUMMARY))
    template = sql.SQL("SELECT coalesce(sum({}), 0) FROM {} {} WHERE {}")
    return template.format(column(alias, "n"), view(_SUMMARY), sql.Identifier(alias), _all(build, summary, alias))


def _window(build: Build, counted: Counted) -> Window | None:
    """Take a condition apart; None where it asks for anything else."""
    condition = counted.condition
    operands = condition.operands if isinstance(condition, Logic) and condition.operator == "and" else (condition,)
    bounds: list[tuple[str, Composable, Composable]] = []
    datastream: list[Expression] = []
    for operand in operands:
        if operand is None:
            continue
        if _of_datastream(build, counted, operand):
            datastream.append(operand)
            continue
        found = _bounds(build, counted, operand)
        if found is None:
            return None
        bounds.extend(found)
    both = datastream[0] if len(datastream) == 1 else None
    if len(datastream) > 1:
        # Together, as they were: conditions on the same relation are about one entity.
        both = Logic(operator="and", operands=tuple(datastream), position=datastream[0].position)
    return Window(bounds=tuple(bounds), datastream=both)


def _of_datastream(build: Build, counted: Counted, operand: Expression) -> bool:
    named = [resolve(path, counted.entity, build.wire.id_names, counted.where) for path in paths_of(operand)]
    return all(n.navigations and n.navigations[0].join == _OF_DATASTREAM for n in named)


def _bounds(build: Build, counted: Counted, operand: Expression) -> list[tuple[str, Composable, Composable]] | None:
    match operand:
        case Operation(operator=operator, left=Path() as path, right=other) if operator in _OPERATORS:
            operators = (operator,)
        case Operation(operator=operator, left=other, right=Path() as path) if operator in _MIRRORED:
            operators = (_MIRRORED[operator],)
        case Call(name=name, arguments=(Path() as path, other)) if name in _FUNCTIONS:
            operators = _FUNCTIONS[name]
        case _:
            return None
    named = resolve(path, counted.entity, build.wire.id_names, counted.where)
    if named.navigations or named.property is None or named.property.columns[0] != counted.entity.day_column:
        return None
    if paths_of(other):
        return None
    span = as_span(Joined(build, counted.entity, "", counted.where).value(other))
    return None if span is None else [(operator, *span) for operator in operators]


# Bounds of coarser and coarser aggregates: from `q1` to `q2` there are full quarters of an hour, from `h1` to `h2` full hours, from
# `d1` to `d2` full days of a time zone. The days of a zone are left alone (`d1` = `d2`) where a bound is no full hour, or is a
# midnight that comes twice.
_CUTS = sql.SQL("""
WITH quarter AS (
    SELECT q1, greatest(q1, date_bin('15 min', hi, '2000-01-01Z')) AS q2, hi FROM (SELECT {q1} AS q1, {hi} AS hi) AS asked
), hour AS (
    SELECT h1, greatest(h1, date_bin('1 hour', q2, '2000-01-01Z')) AS h2, q1, q2
      FROM (SELECT q1, q2, date_bin('1 hour', q1 - interval '1 us', '2000-01-01Z') + interval '1 hour' AS h1 FROM quarter) AS first
), midnight AS (
    SELECT timezone, h1, h2, CASE WHEN clear THEN d1 ELSE h1 END AS d1, CASE WHEN clear THEN d2 ELSE h1 END AS d2
      FROM (SELECT DISTINCT timezone FROM {thing}) AS zones, hour,
           LATERAL (SELECT date_trunc('day', (h1 - interval '1 us') AT TIME ZONE timezone) + interval '1 day' AS local) AS next,
           LATERAL (SELECT local AT TIME ZONE timezone AS d1, date_trunc('day', h2, timezone) AS d2) AS found,
           LATERAL (SELECT d1 < d2 AND bool_and(NOT isfinite(d) OR date_bin('1 hour', d, '2000-01-01Z') = d
                                                AND date_trunc('day', d - interval '1 us', timezone) < d) AS clear
                      FROM (VALUES (d1), (d2)) AS cuts (d)) AS checked
), zone AS MATERIALIZED (
    SELECT array_agg(timezone) AS timezones, h1, h2, d1, d2, count(*) OVER () = 1 AS alone FROM midnight GROUP BY h1, h2, d1, d2
)
SELECT (SELECT count(*) FROM {rows} {first} WHERE {first_rows} AND {first_time} < (SELECT q1 FROM quarter))
     + (SELECT count(*) FROM {rows} {last} WHERE {last_rows} AND {last_time} >= (SELECT q2 FROM quarter))
     + (SELECT coalesce(sum(n), 0) FROM {quarters} {early} WHERE {early_rows}
           AND bucket >= (SELECT q1 FROM quarter) AND bucket < (SELECT least(h1, q2) FROM hour))
     + (SELECT coalesce(sum(n), 0) FROM {quarters} {late} WHERE {late_rows}
           AND bucket >= (SELECT h2 FROM hour) AND bucket < (SELECT q2 FROM quarter))
     + (SELECT coalesce(sum(part.n), 0) FROM zone, LATERAL (
            SELECT sum(n) AS n FROM {hours} {morning} WHERE {morning_rows} AND bucket >= h1 AND bucket < d1
            UNION ALL SELECT sum(n) FROM {hours} {evening} WHERE {evening_rows} AND bucket >= d2 AND bucket < h2
            UNION ALL SELECT sum(n) FROM {days} {day} WHERE {day_rows} AND bucket >= d1 AND bucket < d2) AS part)""")
# Time zones with the same midnights are one, and in most regions there is but that one: no row need be asked for its own.
_OF_ZONE = sql.SQL("""(zone.alone OR EXISTS (SELECT FROM {datastream} d JOIN {thing} t ON t.id = d.thing_id
                                 WHERE d.id = {own} AND t.timezone = ANY (zone.timezones)))""")
# Not to be mixed with the bounds inside: their index would be read instead, over the whole window.
_BEYOND = sql.SQL("""
     - (SELECT count(*) FROM (SELECT {start} FROM {rows} {alias}
                               WHERE {rows_there} AND {end} IS NOT NULL
                                 AND tstzrange({start}, greatest({end}, {start}), '()') @> (SELECT hi FROM quarter)
                              OFFSET 0) AS beyond
         WHERE {inner_start} >= (SELECT q1 FROM quarter) AND {inner_start} < (SELECT q2 FROM quarter))""")
_GREATEST, _LEAST = sql.SQL("greatest({})"), sql.SQL("least({})")
_FULL = sql.SQL("date_bin('15 min', {} - interval '1 us', '2000-01-01Z') + interval '15 min'")
_BEHIND = sql.SQL("date_bin('15 min', {}, '2000-01-01Z') + interval '15 min'")


def _windowed(build: Build, counted: Counted, window: Window) -> Composable:
    time = counted.entity.day_column or ""
    zoned = {name: build.alias() for name in ("morning", "evening", "day")}
    plain = {name: build.alias() for name in ("early", "late")}
    edges = {name: build.alias() for name in ("first", "last")}
    parts: dict[str, Composable] = {
        "q1": _bound(_GREATEST, [*map(_FULL.format, window.edge("ge")), *map(_BEHIND.format, window.edge("gt"))]) or _NEVER,
        "hi": _bound(_LEAST, window.edge("lt", "le")) or _ALWAYS,
        "thing": view("thing"),
        "rows": view(counted.entity.table),
        "quarters": view("aggregate_quarter_hour"),
        "hours": view("aggregate_hour"),
        "days": view("aggregate_day"),
    }
    for name, alias in edges.items():
        parts |= {f"{name}_rows": _all(build, counted, alias), f"{name}_time": column(alias, time)}
    for name, alias in (plain | zoned).items():
        met = [*counted.scope(alias), *_met(build, counted, alias, window.datastream)]
        if name in zoned:
            met.append(_OF_ZONE.format(own=column(alias, "datastream_id"), datastream=view("datastream"), thing=view("thing")))
        parts[f"{name}_rows"] = conjunction(met)
    parts |= {name: sql.Identifier(alias) for name, alias in (edges | plain | zoned).items()}
    total = _CUTS.format(**parts)
    return sql.Composed([total, _beyond(build, counted, window)]) if window.edge("lt", "le") else total


def _beyond(build: Build, counted: Counted, window: Window) -> Composable:
    """Give what is to be taken off: intervals that start in full quarters of the window and end behind it."""
    alias = build.alias()
    start, end = next(p.columns for p in counted.entity.properties if p.columns[0] == counted.entity.day_column)
    return _BEYOND.format(
        start=column(alias, start),
        end=column(alias, end),
        rows=view(counted.entity.table),
        alias=sql.Identifier(alias),
        rows_there=conjunction([*counted.scope(alias), *_met(build, counted, alias, window.datastream)]),
        inner_start=column("beyond", start),
    )


def _bound(which: sql.SQL, bounds: list[Composable]) -> Composable | None:
    return which.format(sql.SQL(", ").join(bounds)) if bounds else None
