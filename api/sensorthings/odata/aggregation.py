"""`$apply` over Observations, answered from the aggregate tables (decisions.md 16) and the rows at the edges of a time window.

An Observation belongs to the bucket and the window in which its phenomenonTime starts. Only good ones (flag 1) count, unless the
flag is asked for: by a condition on `parameters/qc`, or by grouping by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet, Property
from api.sensorthings.odata.build import Build, column, conjunction, view
from api.sensorthings.odata.conditions import Joined
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.formats import CHUNK, header
from api.sensorthings.odata.having import Having
from api.sensorthings.odata.names import resolve
from api.sensorthings.odata.paging import token
from api.sensorthings.odata.syntax import Aggregated, Apply, Expression, Logic, Options, Path
from api.sensorthings.odata.values import Type, Value
from api.sensorthings.odata.windows import Scope, Window, is_flag, met, of_datastream, of_zone, window_of

_WHERE = "$apply"
_BIGINT = sql.SQL("{}::bigint")
_LEVELS = ("quarterhour", "hour", "day", "month", "")  # the finest tables first; nothing: no bucket
_BUCKETS = {
    "quarterhour": (sql.SQL("date_bin('15 min', part.at, '2000-01-01Z')"), sql.SQL("fine.bucket + interval '15 min'")),
    "hour": (sql.SQL("date_bin('1 hour', part.at, '2000-01-01Z')"), sql.SQL("fine.bucket + interval '1 hour'")),
    "day": (
        sql.SQL("date_trunc('day', part.at, t.timezone)"),
        sql.SQL("(date_trunc('day', fine.bucket AT TIME ZONE fine.timezone) + interval '1 day') AT TIME ZONE fine.timezone"),
    ),
    "month": (
        sql.SQL("date_trunc('month', part.at, t.timezone)"),
        sql.SQL("(date_trunc('month', fine.bucket AT TIME ZONE fine.timezone) + interval '1 month') AT TIME ZONE fine.timezone"),
    ),
    "": (sql.SQL("NULL::timestamptz"), sql.SQL("NULL::timestamptz")),
}
_LOCAL = ("day", "month")
_TYPES = {"$count": "numeric", "average": "float8", "sum": "numeric", "min": "float8", "max": "float8"}
_METHODS = {
    "$count": sql.SQL("coalesce(sum(fine.n), 0)"),
    "average": sql.SQL("(nullif(sum(fine.total), 'NaN') / nullif(sum(fine.numbers), 0))::float8"),
    "sum": sql.SQL("nullif(sum(fine.total), 'NaN')"),
    "min": sql.SQL("min(fine.lowest)"),
    "max": sql.SQL("max(fine.highest)"),
}
_QUARTER, _HOUR = sql.SQL("(SELECT {} FROM quarter)"), sql.SQL("(SELECT {} FROM hour)")
_Q1, _Q2 = _QUARTER.format(sql.SQL("q1")), _QUARTER.format(sql.SQL("q2"))
_H1, _H2, _MORNING = (_HOUR.format(sql.SQL(cut)) for cut in ("h1", "h2", "least(h1, q2)"))
_ANY, _ALIGNED, _NOT_ALIGNED = sql.SQL("true"), sql.SQL("zone.aligned"), sql.SQL("NOT zone.aligned")
_Z = {name: sql.Identifier("zone", name) for name in ("h1", "h2", "d1", "d2")}

_ROWS = sql.SQL(
    "SELECT {a}.datastream_id, {a}.flag, {at} AS at, 1 AS n, ({a}.number IS NOT NULL)::int AS numbers,"
    " {a}.number::text::numeric AS total, {a}.number AS lowest, {a}.number AS highest FROM {source} {a} WHERE {met}"
)
_TABLE = sql.SQL(
    "SELECT {a}.datastream_id, {a}.flag, {a}.bucket, {a}.n, {a}.numbers, {a}.sum, {a}.min, {a}.max FROM {source} {a}"
    " WHERE {met} AND {a}.bucket >= {low} AND {a}.bucket < {high}"
)
# By Datastream first: a local bucket's end, names and what else there is of a Datastream are looked up for few rows.
_FINE = sql.SQL(
    ", part AS ({parts}), fine AS (SELECT part.datastream_id, {flag} AS flag, {zone} AS timezone, {bucket} AS bucket,"
    " sum(part.n) AS n, sum(part.numbers) AS numbers, sum(part.total) AS total, min(part.lowest) AS lowest,"
    " max(part.highest) AS highest FROM part{join} GROUP BY 1, 2, 3, 4)"
)
_ZONES = sql.SQL(" JOIN {} d ON d.id = part.datastream_id JOIN {} t ON t.id = d.thing_id")
_GROUPED = sql.SQL(", grouped AS MATERIALIZED (SELECT {} FROM {} WHERE {} GROUP BY {})")
_HAVING = sql.SQL(", every AS MATERIALIZED (SELECT {} FROM {} WHERE {} GROUP BY {}), grouped AS (SELECT * FROM every WHERE {})")
_PAGE = sql.SQL(
    " SELECT {pieces} FROM (SELECT r.*, row_number() OVER () AS rn"
    " FROM (SELECT * FROM grouped{order} LIMIT {fetched} OFFSET {skip}) r) page"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is grouped by: its path of names in the answer, the expressions that it takes, their columns' JSON and CSV, its type."""

    path: tuple[str, ...]
    names: tuple[str, ...]
    expressions: tuple[Composable, ...]
    json: Composable
    csv: Composable
    type: Type

    def value(self, alias: str) -> Value:
        """Give it as a value of the row `alias`."""
        own, end = column(alias, self.names[0]), column(alias, self.names[-1])
        return Value(type=self.type, sql=own, end=end if self.type is Type.INTERVAL else None, number="bigint")


class Aggregation:
    """Compiles one `$apply` over the rows of `scope`, which asks for nothing but their Datastream."""

    def __init__(self, build: Build, entity: EntitySet, scope: Scope, options: Options, apply: Apply) -> None:
        self._build = build
        self._entity = entity
        self._scope = scope
        self._options = options
        self._apply = apply
        self._time: Property = next(p for p in entity.properties if p.columns[0] == entity.day_column)
        self._window = self._taken_apart(options.filter, apply.filter)
        self._flagged = self._window.flagged or any(self._is_flag(path) for path in apply.groups)
        self._level = next((self._bucket(path) for path in apply.groups if self._bucket(path)), "")
        self._joined = Joined(build, entity, "fine", _WHERE)

    def query(self, path: Composable, options: Composable) -> Composable:
        """Give the query for the pieces of the finished text; `path` and `options` make the link to the next page."""
        keys = self._keys()
        return self._from_groups(keys, self._page(keys, path, options))

    def csv(self) -> tuple[Composable, bytes]:
        """Give the query for a piece of a table and where the next begins, and the table's header."""
        keys = self._keys()
        names = [*("/".join(key.path) for key in keys), *(a.alias for a in self._apply.aggregates)]
        return self._from_groups(keys, self._sheet(keys)), header(names)

    def _keys(self) -> list[Key]:
        for aggregated in self._apply.aggregates:
            self._check(aggregated)
        keys = [self._key(path, f"k{index}") for index, path in enumerate(self._apply.groups)]
        for aggregated in self._apply.aggregates:
            if any(key.path[0] == aggregated.alias for key in keys):
                raise MalformedQueryError(_WHERE, aggregated.position, f"{aggregated.alias} is grouped by")
        return keys

    def _from_groups(self, keys: list[Key], page: Composable) -> Composable:
        results = [_METHODS[a.method] for a in self._apply.aggregates]
        return sql.Composed([self._window.cuts(), self._fine(), self._grouped(keys, results), page])

    def _taken_apart(self, *conditions: Expression | None) -> Window:
        given = [c for c in conditions if c is not None]
        flat = [part for c in given for part in (c.operands if isinstance(c, Logic) and c.operator == "and" else (c,))]
        both = Logic(operator="and", operands=tuple(flat), position=flat[0].position) if len(flat) > 1 else next(iter(flat), None)
        window = window_of(self._build, self._entity, both, "$filter")
        if isinstance(window, Window):
            return window
        problem = "aggregates know the Datastream, phenomenonTime (ge, gt, le, lt, during, before, after) and parameters/qc alone"
        raise MalformedQueryError("$filter", window.position, problem)

    def _check(self, aggregated: Aggregated) -> None:
        path = aggregated.path
        if path is None:
            return
        named = resolve(path, self._entity, self._build.wire.id_names, _WHERE)
        if named.navigations or named.inside or named.property is None or named.property.columns[0] != "number":
            raise MalformedQueryError(_WHERE, path.position, "only result is aggregated, and $count")

    def _is_flag(self, path: Path) -> bool:
        return not self._bucket(path) and is_flag(resolve(path, self._entity, self._build.wire.id_names, _WHERE))

    def _bucket(self, path: Path) -> str:
        first, *inside = path.segments
        if first.lower() != self._time.name.lower():
            return ""
        if len(inside) == 1 and inside[0].lower() in _LEVELS[:-1]:
            return inside[0].lower()
        raise MalformedQueryError(_WHERE, path.position, f"{self._time.name} is grouped by /quarterHour, /hour, /day or /month")

    def _key(self, path: Path, name: str) -> Key:
        if self._bucket(path):
            if self._bucket(path) != self._level:
                raise MalformedQueryError(_WHERE, path.position, "there is one bucket of time")
            names = (name, f"{name}_end")
            columns = tuple(column("page", n) for n in names)
            expressions = (sql.SQL("fine.bucket"), _BUCKETS[self._level][1])
            json = self._build.wire.json(self._time, columns)
            csv = self._build.wire.csv(self._time, columns)
            return Key(path=(self._time.name,), names=names, expressions=expressions, json=json, csv=csv, type=Type.INTERVAL)
        named = resolve(path, self._entity, self._build.wire.id_names, _WHERE)
        own = column("page", name)
        if is_flag(named) and named.property is not None:
            shown = (named.property.name, named.inside[0].lower())
            flag, text = sql.SQL("fine.flag"), sql.SQL("{}::text").format(own)
            return Key(path=shown, names=(name,), expressions=(flag,), json=text, csv=text, type=Type.NUMBER)
        value = self._joined.value(path)
        if not of_datastream(named) or self._joined.many or named.inside or value.type not in (Type.STRING, Type.NUMBER):
            problem = "groups are by phenomenonTime/hour and its kind, parameters/qc, and ids and texts along Datastream/…"
            raise MalformedQueryError(_WHERE, path.position, problem)
        shown = (*(n.name for n in named.navigations), named.property.name if named.property else "id")
        text = sql.SQL("{}::text").format(own)
        json = text if value.type is Type.NUMBER else sql.SQL("to_json({})::text").format(own)
        csv = text if named.property is None else self._build.wire.csv(named.property, [own])
        return Key(path=shown, names=(name,), expressions=(value.sql,), json=json, csv=csv, type=value.type)

    def _fine(self) -> Composable:
        bucket, _ = _BUCKETS[self._level]
        local = self._level in _LOCAL
        return _FINE.format(
            parts=sql.SQL(" UNION ALL ").join(self._parts()),
            flag=sql.SQL("part.flag") if self._flagged else sql.SQL("NULL::smallint"),
            zone=sql.SQL("t.timezone") if local else sql.SQL("NULL::text"),
            bucket=bucket,
            join=_ZONES.format(view("datastream"), view("thing")) if local else sql.SQL(""),
        )

    def _parts(self) -> list[Composable]:
        parts = [self._rows(sql.SQL("{} < {}"), _Q1), self._rows(sql.SQL("{} >= {}"), _Q2)]
        if self._level == "quarterhour":
            return [*parts, self._table("aggregate_quarter_hour", _Q1, _Q2)]
        parts.append(self._table("aggregate_quarter_hour", _Q1, _MORNING))
        parts.append(self._table("aggregate_quarter_hour", _H2, _Q2))
        if self._level == "hour":
            return [*parts, self._table("aggregate_hour", _H1, _H2)]
        # Where midnight is no full hour, an hour belongs to two days.
        whole = _ALIGNED if self._level in _LOCAL else _ANY
        parts.append(self._table("aggregate_hour", _Z["h1"], _Z["d1"], zone=whole))
        parts.append(self._table("aggregate_hour", _Z["d2"], _Z["h2"], zone=whole))
        if self._level in _LOCAL:
            parts.append(self._table("aggregate_quarter_hour", _Z["h1"], _Z["h2"], zone=_NOT_ALIGNED))
        return [*parts, self._table("aggregate_day", _Z["d1"], _Z["d2"], zone=_ANY)]

    def _met(self, alias: str) -> list[Composable]:
        conditions = [*self._scope(alias), *met(self._build, self._entity, alias, self._window.rest, "$filter")]
        return conditions if self._flagged else [*conditions, sql.SQL("{} = 1").format(column(alias, "flag"))]

    def _rows(self, edge: sql.SQL, cut: Composable) -> Composable:
        alias = self._build.alias()
        start = column(alias, self._time.columns[0])
        conditions = [*self._met(alias), *self._window.starting(start), edge.format(start, cut)]
        return _ROWS.format(a=sql.Identifier(alias), at=start, source=view(self._entity.table), met=conjunction(conditions))

    def _table(self, name: str, low: Composable, high: Composable, *, zone: sql.SQL | None = None) -> Composable:
        alias = self._build.alias()
        conditions = [*self._met(alias), *([zone, of_zone(alias)] if zone else [])]
        source = sql.SQL("zone, {}" if zone else "{}").format(view(name))
        return _TABLE.format(a=sql.Identifier(alias), source=source, met=conjunction(conditions), low=low, high=high)

    def _grouped(self, keys: list[Key], results: list[sql.SQL]) -> Composable:
        named = [
            sql.SQL("{} AS {}").format(expression, sql.Identifier(name))
            for key in keys
            for name, expression in zip(key.names, key.expressions, strict=True)
        ]
        named.extend(sql.SQL("{} AS {}").format(result, sql.Identifier(f"a{index}")) for index, result in enumerate(results))
        by = [expression for key in keys for expression in key.expressions] or [sql.SQL("()")]
        sources = [sql.Identifier("fine"), *self._joined.sources]
        joined = sql.SQL(", ").join
        parts = (joined(named), joined(sources), conjunction(self._joined.conditions), joined(by))
        if self._apply.having is None:
            return _GROUPED.format(*parts)
        return _HAVING.format(*parts, Having(self._build, self._entity, self._values(keys)).truth(self._apply.having))

    def _values(self, keys: list[Key]) -> dict[str, Value]:
        known = {name.lower(): key.value("every") for key, path in zip(keys, self._apply.groups, strict=True)
                 for name in ("/".join(key.path), "/".join(path.segments))}  # fmt: skip
        results = {
            a.alias.lower(): Value(type=Type.NUMBER, sql=column("every", f"a{index}"), number=_TYPES[a.method])
            for index, a in enumerate(self._apply.aggregates)
        }
        return known | results

    def _sheet(self, keys: list[Key]) -> Composable:
        """Give pieces of a table; where the next begins is counted, for groups have no place of their own."""
        given = self._options
        start = given.after[0] if given.after is not None else given.skip
        skip = sql.SQL("0") if start is None else self._build.slot(start, _BIGINT)
        top = CHUNK if given.top is None else given.top
        results = [sql.SQL("{}::text").format(column("page", f"a{index}")) for index in range(len(self._apply.aggregates))]
        fields = [sql.SQL("coalesce({}, '')").format(field) for field in (*(key.csv for key in keys), *results)]
        line = sql.SQL("{} || E'\\r\\n'").format(sql.SQL(" || ',' || ").join(fields))
        items = sql.SQL("coalesce(string_agg({}, '' ORDER BY rn) FILTER (WHERE rn <= {}), '')").format(line, sql.Literal(top))
        more = sql.SQL("CASE WHEN count(*) > {} THEN {} END")
        behind = token([sql.SQL("({} + {})::text").format(skip, sql.Literal(top))])
        following = more.format(sql.Literal(top), behind) if given.top is None else sql.SQL("NULL::text")
        pieces = sql.SQL(", ").join([items, following])
        return _PAGE.format(pieces=pieces, order=self._order(keys), fetched=sql.Literal(top + 1), skip=skip)

    def _page(self, keys: list[Key], path: Composable, options: Composable) -> Composable:
        wire, given = self._build.wire, self._options
        top = self._build.limits.top_default if given.top is None else given.top
        skip = sql.SQL("0") if given.skip is None else self._build.slot(given.skip, _BIGINT)
        results = [
            (self._build.constant(a.alias, sql.SQL("{}::text")), sql.SQL("{}::text").format(column("page", f"a{index}")))
            for index, a in enumerate(self._apply.aggregates)
        ]
        item = wire.grouped([(key.path, key.json) for key in keys], results)
        items = sql.SQL("coalesce(string_agg({}, ',' ORDER BY rn) FILTER (WHERE rn <= {}), '')").format(item, sql.Literal(top))
        more = sql.SQL("CASE WHEN count(*) > {0} AND {0} > 0 THEN {1} || '?' || {2} || '$skip=' || ({3} + {0}) END")
        link = more.format(sql.Literal(top), path, options, skip)
        count = sql.SQL("(SELECT count(*) FROM grouped)::text") if given.count else None
        pieces = sql.SQL(", ").join(wire.collection(items, count, link))
        return _PAGE.format(pieces=pieces, order=self._order(keys), fetched=sql.Literal(top + 1), skip=skip)

    def _order(self, keys: list[Key]) -> Composable:
        known: dict[str, Composable] = {}
        for key, path in zip(keys, self._apply.groups, strict=True):
            for name in ("/".join(key.path), "/".join(path.segments)):
                known[name.lower()] = sql.Identifier(key.names[0])
        known |= {a.alias.lower(): sql.Identifier(f"a{index}") for index, a in enumerate(self._apply.aggregates)}
        terms: list[Composable] = []
        for item in self._options.orderby:
            expression = item.expression
            found = known.get("/".join(expression.segments).lower()) if isinstance(expression, Path) else None
            if found is None:
                raise MalformedQueryError("$orderby", expression.position, "with $apply there are " + ", ".join(known))
            terms.append(sql.SQL("{} DESC NULLS LAST" if item.descending else "{}").format(found))
        terms.extend(sql.Identifier(key.names[0]) for key in keys)
        return sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(terms)) if terms else sql.SQL("")
