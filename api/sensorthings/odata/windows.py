"""Time windows over Observations that aggregates answer: which conditions are such, and where which aggregates fit in.

From inside: days, local to the time zone of the Thing; hours up to the first midnight and from the last; quarters of an hour up to
the first full hour and from the last; rows at the two edges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet, Forward
from api.sensorthings.odata.build import Build, column, view
from api.sensorthings.odata.conditions import Conditions, Joined
from api.sensorthings.odata.names import Named, has_lambda, paths_of, resolve
from api.sensorthings.odata.syntax import Call, Expression, Logic, Operation, Path
from api.sensorthings.odata.values import as_span

_OF_DATASTREAM = Forward(column="datastream_id")
_FLAG = "flag"
_OPERATORS = frozenset({"gt", "ge", "lt", "le"})
_MIRRORED = {"gt": "lt", "lt": "gt"}  # of intervals `a ge b` is not `b le a`
_FUNCTIONS = {"before": ("lt",), "after": ("gt",), "during": ("ge", "le")}
_NEVER, _ALWAYS = sql.SQL("timestamptz '-infinity'"), sql.SQL("timestamptz 'infinity'")
_GREATEST, _LEAST = sql.SQL("greatest({})"), sql.SQL("least({})")
_FULL = sql.SQL("date_bin('15 min', {} - interval '1 us', '2000-01-01Z') + interval '15 min'")
_BEHIND = sql.SQL("date_bin('15 min', {}, '2000-01-01Z') + interval '15 min'")
_SIGNS = {"gt": sql.SQL("{} > {}"), "ge": sql.SQL("{} >= {}"), "lt": sql.SQL("{} < {}"), "le": sql.SQL("{} <= {}")}
# What comparing intervals asks of the start of the first one (odata/comparisons.py).
_STARTS = {
    "gt": sql.SQL("({0} >= {last} AND {0} > {first})"),
    "ge": sql.SQL("{0} >= {first}"),
    "lt": sql.SQL("{0} < {first}"),
    "le": sql.SQL("{0} <= {last}"),
}

Scope = Callable[[str], list[Composable]]
Bound = tuple[str, Composable, Composable]  # operator, and the interval (an instant twice) that it is applied to


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A condition taken apart: bounds of the phenomenon time, and what is asked of what aggregates are keyed by.

    `flagged`: that is the quality flag too, not the Datastream alone.
    """

    bounds: tuple[Bound, ...]
    rest: Expression | None
    flagged: bool

    @property
    def ends(self) -> bool:
        """Whether it has an end."""
        return any(operator in ("lt", "le") for operator, _, _ in self.bounds)

    @property
    def ends_with_its_last(self) -> bool:
        """Whether its end is within."""
        return any(operator == "le" for operator, _, _ in self.bounds)

    def started(self, start: Composable) -> list[Composable]:
        """Give the conditions on where an interval starts."""
        return [_STARTS[operator].format(start, first=first, last=last) for operator, first, last in self.bounds]

    def starting(self, start: Composable) -> list[Composable]:
        """Give the conditions that an instant, such as the start of an interval, is within."""
        return [_SIGNS[bound[0]].format(start, _instant(bound)) for bound in self.bounds]

    def cuts(self) -> Composable:
        """Give the WITH clause that says where which aggregates fit in: `quarter` (q1, q2, hi), `hour` (h1, h2) and `zone`."""
        full = [_FULL.format(_instant(bound)) for bound in self.bounds if bound[0] == "ge"]
        behind = [_BEHIND.format(_instant(bound)) for bound in self.bounds if bound[0] == "gt"]
        ends = [_instant(bound) for bound in self.bounds if bound[0] in ("lt", "le")]
        joined = sql.SQL(", ").join
        return _CUTS.format(
            q1=_GREATEST.format(joined([*full, *behind])) if full or behind else _NEVER,
            hi=_LEAST.format(joined(ends)) if ends else _ALWAYS,
            thing=view("thing"),
        )


def _instant(bound: Bound) -> Composable:
    operator, start, end = bound
    return end if operator in ("gt", "le") else start


def window_of(build: Build, entity: EntitySet, condition: Expression | None, where: str) -> Window | Expression:
    """Take a condition apart; gives the part that aggregates can't answer where there is one."""
    operands = condition.operands if isinstance(condition, Logic) and condition.operator == "and" else (condition,)
    bounds: list[Bound] = []
    rest: list[Expression] = []
    flagged = False
    for operand in operands:
        if operand is None:
            continue
        named = [resolve(path, entity, build.wire.id_names, where) for path in paths_of(operand)]
        if has_lambda(operand):
            return operand
        if all(of_datastream(n) or is_flag(n) for n in named):
            flagged = flagged or any(is_flag(n) for n in named)
            rest.append(operand)
            continue
        found = _bounds(build, entity, operand, where)
        if found is None:
            return operand
        bounds.extend(found)
    # Together, as they were: conditions on the same relation are about one entity.
    both = Logic(operator="and", operands=tuple(rest), position=rest[0].position) if len(rest) > 1 else next(iter(rest), None)
    return Window(bounds=tuple(bounds), rest=both, flagged=flagged)


def of_datastream(named: Named) -> bool:
    """Whether a path leads over the Datastream of an Observation."""
    return bool(named.navigations) and named.navigations[0].join == _OF_DATASTREAM


def is_flag(named: Named) -> bool:
    """Whether a path is the quality flag of an Observation itself."""
    if named.navigations or named.property is None or len(named.inside) != 1:
        return False
    return named.property.members.get(named.inside[0].lower()) == _FLAG


def met(build: Build, entity: EntitySet, alias: str, condition: Expression | None, where: str) -> list[Composable]:
    """Give a condition on a row, if there is one."""
    return [] if condition is None else [Conditions(build, entity, alias, where).condition(condition)]


def of_zone(alias: str) -> Composable:
    """Give the condition that a row is of a Datastream in the time zones of the row `zone`."""
    return _OF_ZONE.format(own=column(alias, "datastream_id"), datastream=view("datastream"), thing=view("thing"))


def _bounds(build: Build, entity: EntitySet, operand: Expression, where: str) -> list[Bound] | None:
    match operand:
        case Operation(operator=operator, left=Path() as path, right=other) if operator in _OPERATORS:
            operators = (operator,)
        case Operation(operator=operator, left=other, right=Path() as path) if operator in _MIRRORED:
            operators = (_MIRRORED[operator],)
        case Call(name=name, arguments=(Path() as path, other)) if name in _FUNCTIONS:
            operators = _FUNCTIONS[name]
        case _:
            return None
    named = resolve(path, entity, build.wire.id_names, where)
    if named.navigations or named.property is None or named.property.columns[0] != entity.day_column or paths_of(other):
        return None
    span = as_span(Joined(build, entity, "", where).value(other))
    return None if span is None else [(operator, *span) for operator in operators]


# Bounds of coarser and coarser aggregates: from `q1` to `q2` there are full quarters of an hour, from `h1` to `h2` full hours, from
# `d1` to `d2` full days of a time zone. The days of a zone are left alone (`d1` = `d2`) where a midnight is no full hour (not
# `aligned`), or comes twice.
_CUTS = sql.SQL("""
WITH quarter AS (
    SELECT q1, greatest(q1, date_bin('15 min', hi, '2000-01-01Z')) AS q2, hi FROM (SELECT {q1} AS q1, {hi} AS hi) AS asked
), hour AS (
    SELECT h1, greatest(h1, date_bin('1 hour', q2, '2000-01-01Z')) AS h2, q1, q2
      FROM (SELECT q1, q2, date_bin('1 hour', q1 - interval '1 us', '2000-01-01Z') + interval '1 hour' AS h1 FROM quarter) AS first
), midnight AS (
    SELECT timezone, h1, h2, aligned, CASE WHEN clear THEN d1 ELSE h1 END AS d1, CASE WHEN clear THEN d2 ELSE h1 END AS d2
      FROM (SELECT DISTINCT timezone FROM {thing}) AS zones, hour,
           LATERAL (SELECT date_trunc('day', (h1 - interval '1 us') AT TIME ZONE timezone) + interval '1 day' AS local) AS next,
           LATERAL (SELECT local AT TIME ZONE timezone AS d1, date_trunc('day', h2, timezone) AS d2) AS found,
           LATERAL (SELECT bool_and(NOT isfinite(d) OR date_bin('1 hour', d, '2000-01-01Z') = d) AS aligned,
                           bool_and(NOT isfinite(d) OR date_trunc('day', d - interval '1 us', timezone) < d) AS single
                      FROM (VALUES (d1), (d2)) AS cuts (d)) AS checked,
           LATERAL (SELECT aligned AND single AND d1 < d2 AS clear) AS judged
), zone AS MATERIALIZED (
    SELECT array_agg(timezone) AS timezones, h1, h2, d1, d2, aligned, count(*) OVER () = 1 AS alone
      FROM midnight GROUP BY h1, h2, d1, d2, aligned
)""")
# Time zones with the same midnights are one, and in most regions there is but that one: no row need be asked for its own.
_OF_ZONE = sql.SQL("""(zone.alone OR EXISTS (SELECT FROM {datastream} d JOIN {thing} t ON t.id = d.thing_id
                                 WHERE d.id = {own} AND t.timezone = ANY (zone.timezones)))""")
