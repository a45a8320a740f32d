"""Exact counts of Observations without counting them (decisions.md 16; 18-088, 9.3.3.4).

Without a condition on their own properties a count is a sum of summaries, over a time window one of aggregates and the rows at its
two edges. An aggregate holds the rows that start in it, so intervals that go on beyond the window's end are taken off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet
from api.sensorthings.odata.build import Build, column, conjunction, view
from api.sensorthings.odata.syntax import Expression
from api.sensorthings.odata.windows import Scope, Window, met, of_zone, window_of

_SUMMARY = "datastream_summary"


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


def count(build: Build, counted: Counted) -> Composable:
    """Give the number of rows as text."""
    if counted.apart and counted.entity.day_column is not None:
        window = window_of(build, counted.entity, counted.condition, counted.where)
        if isinstance(window, Window):
            aggregated = bool(window.bounds) or window.flagged
            found = _windowed(build, counted, window) if aggregated else _summed(build, counted)
            return sql.SQL("({})::text").format(found)
    alias = build.alias()
    template = sql.SQL("(SELECT count(*) FROM {} {} WHERE {})::text")
    return template.format(build.rows(counted.entity), sql.Identifier(alias), _all(build, counted, alias))


def _all(build: Build, counted: Counted, alias: str) -> Composable:
    return conjunction([*counted.scope(alias), *met(build, counted.entity, alias, counted.condition, counted.where)])


def _summed(build: Build, counted: Counted) -> Composable:
    alias = build.alias()
    summary = replace(counted, entity=replace(counted.entity, table=_SUMMARY))
    template = sql.SQL("SELECT coalesce(sum({}), 0) FROM {} {} WHERE {}")
    return template.format(column(alias, "n"), view(_SUMMARY), sql.Identifier(alias), _all(build, summary, alias))


_KEPT = "kept_observation"  # deleted ones too

_TOTAL = sql.SQL("""
SELECT (SELECT coalesce(sum(n), 0) FROM {quarters} {early} WHERE {early_rows}
           AND bucket >= (SELECT q1 FROM quarter) AND bucket < (SELECT least(h1, q2) FROM hour))
     + (SELECT coalesce(sum(n), 0) FROM {quarters} {late} WHERE {late_rows}
           AND bucket >= (SELECT h2 FROM hour) AND bucket < (SELECT q2 FROM quarter))
     + (SELECT coalesce(sum(part.n), 0) FROM zone, LATERAL (
            SELECT sum(n) AS n FROM {hours} {morning} WHERE {morning_rows} AND bucket >= h1 AND bucket < d1
            UNION ALL SELECT sum(n) FROM {hours} {evening} WHERE {evening_rows} AND bucket >= d2 AND bucket < h2
            UNION ALL SELECT sum(n) FROM {days} {day} WHERE {day_rows} AND bucket >= d1 AND bucket < d2) AS part)""")
# An index knows all that is asked here, of deleted ones another: no row is looked at.
_EDGES = sql.SQL("""
     {sign} (SELECT count(*) FROM {kept} {row} WHERE {rows} AND {start} < (SELECT q1 FROM quarter))
     {sign} (SELECT count(*) FROM {kept} {row} WHERE {rows} AND {start} >= (SELECT q2 FROM quarter))""")
# Not to be mixed with the bounds inside: their index would be read instead, over the whole window.
_BEYOND = sql.SQL("""
     - (SELECT count(*) FROM (SELECT {start} FROM {rows} {alias}
                               WHERE {rows_there} AND {end} IS NOT NULL
                                 AND tstzrange({start}, greatest({end}, {start}), '()') @> (SELECT hi FROM quarter)
                              OFFSET 0) AS beyond
         WHERE {started})""")
_BEYOND_LAST = sql.SQL("""
     - (SELECT count(*) FROM {rows} {alias}
         WHERE {rows_there} AND {started} AND {start} = (SELECT hi FROM quarter) AND {end} > (SELECT hi FROM quarter))""")


def _windowed(build: Build, counted: Counted, window: Window) -> Composable:
    zoned = {name: build.alias() for name in ("morning", "evening", "day")}
    plain = {name: build.alias() for name in ("early", "late")}
    parts: dict[str, Composable] = {
        "quarters": view("aggregate_quarter_hour"),
        "hours": view("aggregate_hour"),
        "days": view("aggregate_day"),
    }
    for name, alias in (plain | zoned).items():
        parts[f"{name}_rows"] = conjunction([*_within(build, counted, window, alias), *([of_zone(alias)] if name in zoned else [])])
    parts |= {name: sql.Identifier(alias) for name, alias in (plain | zoned).items()}
    edges = [_edges(build, counted, window, deleted=deleted) for deleted in (False, True)]
    return sql.Composed([window.cuts(), _TOTAL.format(**parts), *edges, *_beyond(build, counted, window)])


def _within(build: Build, counted: Counted, window: Window, alias: str) -> list[Composable]:
    """Give the conditions on a row but for its time."""
    return [*counted.scope(alias), *met(build, counted.entity, alias, window.rest, counted.where)]


def _edges(build: Build, counted: Counted, window: Window, *, deleted: bool) -> Composable:
    """Give how many rows start before the first full quarter and behind the last: all of them, and the deleted ones off."""
    alias = build.alias()
    start = column(alias, counted.entity.day_column or "")
    rows = [*_within(build, counted, window, alias), *window.started(start), *([column(alias, "deleted")] if deleted else [])]
    sign = sql.SQL("-" if deleted else "+")
    return _EDGES.format(sign=sign, kept=view(_KEPT), row=sql.Identifier(alias), rows=conjunction(rows), start=start)


def _beyond(build: Build, counted: Counted, window: Window) -> list[Composable]:
    """Give what is to be taken off: intervals that start in the window and end behind it."""
    start, end = next(p.columns for p in counted.entity.properties if p.columns[0] == counted.entity.day_column)

    def taken(template: sql.SQL, inner: str, alias: str) -> Composable:
        return template.format(
            start=column(alias, start),
            end=column(alias, end),
            rows=view(counted.entity.table),
            alias=sql.Identifier(alias),
            rows_there=conjunction(_within(build, counted, window, alias)),
            started=conjunction(window.started(column(inner, start))),
        )

    last = build.alias()
    across = [taken(_BEYOND, "beyond", build.alias())] if window.ends else []
    return across + ([taken(_BEYOND_LAST, last, last)] if window.ends_with_its_last else [])
