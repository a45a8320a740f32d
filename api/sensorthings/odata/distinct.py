"""`$select=distinct:…`: what differs in the properties named, each once (as FROST has it)."""

from __future__ import annotations

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.odata.build import Build, conjunction
from api.sensorthings.odata.conditions import Conditions
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.formats import cells, header
from api.sensorthings.odata.pages import Collection
from api.sensorthings.odata.paging import asked
from api.sensorthings.odata.selection import selected
from api.sensorthings.odata.syntax import Path, ResultFormat
from api.sensorthings.wire.model import Row

_WHERE = "$select"
_BIGINT = sql.SQL("{}::bigint")
_PAGE = sql.SQL(
    "WITH each AS (SELECT {item} AS item{keys} FROM"
    " (SELECT r.*, r.id::text AS id_text FROM (SELECT {names} FROM {source} {inner} WHERE {met}) r) {row})"
    " SELECT {pieces} FROM (SELECT r.*, row_number() OVER () AS rn FROM"
    " (SELECT item FROM each GROUP BY item{keys} ORDER BY {order} LIMIT {fetched} OFFSET {skip}) r) page"
)
_COUNT = sql.SQL("(SELECT count(DISTINCT item) FROM each)::text")


class Distinct:
    """Compiles one collection. Pages count groups: there is no row behind which the next one would begin."""

    def __init__(self, build: Build, collection: Collection) -> None:
        self._build = build
        self._collection = collection
        self._options = collection.options
        if self._options.expand or self._options.format not in (None, ResultFormat.CSV):
            raise MalformedQueryError(_WHERE, None, "distinct: goes with JSON and CSV, and without $expand")
        for path in self._options.select:
            if collection.entity.navigation(path.segments[0]) is not None:
                raise MalformedQueryError(
                    _WHERE, path.position, f"distinct: is of properties, and {path.segments[0]} is a relation"
                )
        named = {_text(path) for path in self._options.select}
        for item in self._options.orderby:
            if not isinstance(item.expression, Path) or _text(item.expression) not in named:
                raise MalformedQueryError("$orderby", item.expression.position, "orders by what distinct: names")

    def query(self, path: Composable, options: Composable) -> Composable:
        """Give the query for the pieces of the finished text; `path` and `options` make the link to the next page."""
        build, row, top = self._build, self._build.row(), sql.Literal(self._top)
        item = build.wire.entity(self._collection.entity, row, selected(build, self._collection.entity, self._options.select), [])
        items = sql.SQL("coalesce(string_agg(item, ',' ORDER BY rn) FILTER (WHERE rn <= {}), '')").format(top)
        more = sql.SQL("CASE WHEN count(*) > {0} AND {0} > 0 THEN {1} || '?' || {2} || '$skip=' || ({3} + {0}) END")
        link = more.format(top, path, options, self._skip)
        pieces = build.wire.collection(items, _COUNT if self._options.count else None, link)
        return self._page(item, row, sql.SQL(", ").join(pieces), self._top + 1)

    def csv(self) -> Composable:
        """Give the query for the table's lines, and for no further piece."""
        row = self._build.row()
        wire, shown = self._build.wire, cells(self._build, self._collection.entity, self._options, None)
        fields = [row.id if c.property is None else wire.csv(c.property, row.read(c.property)) for c in shown]
        item = sql.SQL(" || ',' || ").join([sql.SQL("coalesce({}, '')").format(field) for field in fields])
        pieces = sql.SQL("coalesce(string_agg(item, '' ORDER BY rn), ''), NULL::text")
        return self._page(sql.SQL("{} || E'\\r\\n'").format(item), row, pieces, self._top)

    def header(self) -> bytes:
        """Give the first line of the table."""
        return header([c.name for c in cells(self._build, self._collection.entity, self._options, None)])

    @property
    def _top(self) -> int:
        return self._build.limits.top_default if self._options.top is None else self._options.top

    @property
    def _skip(self) -> Composable:
        return sql.SQL("0") if self._options.skip is None else self._build.slot(self._options.skip, _BIGINT)

    def _page(self, item: Composable, row: Row, pieces: Composable, fetched: int) -> Composable:
        build, collection, inner = self._build, self._collection, self._build.alias()
        found = asked(build, collection.entity, inner, self._options, "$orderby")
        keys = [sql.Identifier(f"k{index}") for index in range(len(found))]
        names: list[Composable] = [sql.Identifier(inner, name) for name in row.columns]
        names.extend(sql.SQL("{} AS {}").format(key.sql, name) for key, name in zip(found, keys, strict=True))
        conditions = collection.scope(inner)
        if self._options.filter is not None:
            conditions.append(Conditions(build, collection.entity, inner, "$filter").condition(self._options.filter))
        order = [sql.SQL("{} DESC" if key.descending else "{}").format(name) for key, name in zip(found, keys, strict=True)]
        return _PAGE.format(
            item=item,
            keys=sql.SQL("").join([sql.SQL(", {}").format(key) for key in keys]),
            names=sql.SQL(", ").join(names),
            source=build.rows(collection.entity),
            inner=sql.Identifier(inner),
            met=conjunction(conditions),
            row=sql.Identifier(row.alias),
            pieces=pieces,
            # The order of bytes: that of a language may take texts for equal that are not.
            order=sql.SQL(", ").join([*order, sql.SQL('item COLLATE "C"')]),
            fetched=sql.Literal(fetched),
            skip=self._skip,
        )


def _text(path: Path) -> str:
    return "/".join(path.segments).lower()
