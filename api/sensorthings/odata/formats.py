"""Collections in other forms than JSON entities: data arrays, CSV and GeoJSON (`$resultFormat`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet, Forward, Kind, Property, Through
from api.sensorthings.entities.schema import target_of
from api.sensorthings.odata.build import Build, column, view
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.names import unknown
from api.sensorthings.odata.pages import Collection, Finish, Pages, Parts
from api.sensorthings.odata.syntax import Options, ResultFormat
from api.sensorthings.wire.model import Row

CHUNK = 5_000  # rows of a CSV that one statement gives
_USUAL = ("phenomenontime", "resulttime", "result")  # of a data array, as in the standard's example
_WHERE = "$resultFormat"
_NULL = sql.SQL("NULL::text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A column of a table: a property, or the id."""

    name: str
    property: Property | None


class Formats:
    """Compiles the pages of one statement in the format that its options name."""

    def __init__(self, build: Build, pages: Pages) -> None:
        self._build = build
        self._pages = pages

    def data_array(self, collection: Collection) -> tuple[Parts, Finish]:
        """Give Observations as arrays, those of a Datastream together (18-088, 9.3.3.6), and what finishes the answer."""
        entity, options = collection.entity, collection.options
        if entity.day_column is None or options.expand:
            raise MalformedQueryError(_WHERE, None, "dataArray is for Observations, without $expand")
        shown = cells(self._build, entity, options, _USUAL)
        wire, row = self._build.wire, self._build.row(collection.owner)
        item = wire.array([row.id if c.property is None else wire.json(c.property, row.read(c.property)) for c in shown])
        names = [c.name for c in shown]
        if collection.parent is not None:
            return self._pages.sheet(collection, row, item), self._one_group(collection, names)
        row.column("datastream_id")
        parts = self._pages.page(collection, row, item, [], ordered=False)
        return self._grouped(entity, row, item, parts, names), wire.collection

    def _one_group(self, collection: Collection, names: list[str]) -> Finish:
        """Put a group around all rows, if there are any."""
        wire, options = self._build.wire, collection.options
        top = self._build.limits.top_default if options.top is None else options.top
        shown = sql.SQL("least(count(*), {})").format(sql.Literal(top))
        own = next(n for n in collection.entity.navigations if n.target == collection.owner)
        around = wire.data_array(wire.owner_link(own, collection.parent or _NULL), names, shown)
        before, behind = (sql.SQL("CASE WHEN count(*) > 0 THEN {} ELSE '' END").format(part) for part in around)

        def finish(items: Composable, count: Composable | None, link: Composable) -> Sequence[Composable]:
            head, rows, tail = wire.collection(items, count, link)
            return sql.SQL("{} || {}").format(head, before), rows, sql.SQL("{} || {}").format(behind, tail)

        return finish

    def _grouped(self, entity: EntitySet, row: Row, item: Composable, parts: Parts, names: list[str]) -> Parts:
        """Group the rows of several Datastreams; the groups come in the order of their first rows."""
        rows, group, number = parts.rows, self._build.alias(), column(row.alias, "rn")
        assert rows is not None
        template = sql.SQL(
            "(SELECT {owner} AS owner, min({rn}) AS rn, string_agg({item}, ',' ORDER BY {rn}) {shown} AS items,"
            " count(*) {shown} AS n, max({token}) {last} AS token, count(*) AS fetched FROM {source} GROUP BY {owner}) {alias}"
        )
        source = template.format(
            owner=column(row.alias, "datastream_id"),
            rn=number,
            item=item,
            shown=rows.shown,
            last=rows.last,
            token=rows.token,
            source=parts.source,
            alias=sql.Identifier(group),
        )
        owner = self._owner(entity, column(group, "owner"))
        before, behind = self._build.wire.data_array(owner, names, column(group, "n"))
        text = sql.SQL("{} || {} || {}").format(before, column(group, "items"), behind)
        return replace(
            parts,
            source=source,
            items=sql.SQL("coalesce(string_agg({}, ',' ORDER BY {}) FILTER (WHERE {} > 0), '')").format(
                text, column(group, "rn"), column(group, "n")
            ),
            more=sql.SQL("sum({}) > {}").format(column(group, "fetched"), sql.Literal(rows.top)),
            token=sql.SQL("max({})").format(column(group, "token")),
        )

    def _owner(self, entity: EntitySet, owner: Composable) -> Composable:
        """Give the link to the Datastream or MultiDatastream with an id."""
        wire = self._build.wire
        *others, usual = (n for n in reversed(entity.navigations) if n.join == Forward(column="datastream_id"))
        link = wire.owner_link(usual, owner)
        for other in others:
            exists = sql.SQL("EXISTS (SELECT FROM {} WHERE id = {})").format(view(target_of(other).table), owner)
            link = sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(exists, wire.owner_link(other, owner), link)
        return link

    def csv(self, collection: Collection) -> tuple[Composable, bytes]:
        """Give the query for a piece of a table and where the next begins, and the table's header."""
        options = collection.options
        if options.expand:
            raise MalformedQueryError(_WHERE, None, "CSV is a table of one entity set, without $expand")
        shown = cells(self._build, collection.entity, options, None)
        wire, row = self._build.wire, self._build.row()
        fields = [row.id if c.property is None else wire.csv(c.property, row.read(c.property)) for c in shown]
        item = sql.SQL(" || ',' || ").join([sql.SQL("coalesce({}, '')").format(field) for field in fields])
        limited = collection if options.top is not None else replace(collection, options=replace(options, top=CHUNK))
        parts = self._pages.page(limited, row, sql.SQL("{} || E'\\r\\n'").format(item), [], ordered=False, glue="")
        # A page that was asked for by $top ends there.
        following = sql.SQL("CASE WHEN {} THEN {} END").format(parts.more, parts.token) if options.top is None else _NULL
        return sql.SQL("SELECT {}, {} FROM {}").format(parts.items, following, parts.source), header([c.name for c in shown])

    def geojson(self, collection: Collection) -> Parts:
        """Give a FeatureCollection (RFC 7946): the properties of each Feature are the entity without its geometry."""
        row = self._build.row()
        entity = collection.entity
        place = next((p for p in entity.properties if p.kind is Kind.GEOMETRY), None)
        bare = entity if place is None else replace(entity, properties=tuple(p for p in entity.properties if p is not place))
        item, joins, ordered = self._pages.entity(bare, row, collection.options)
        geometry = row.column(place.columns[0]) if place is not None else self._place_of(entity, row)
        feature = self._build.wire.feature(row, geometry, item)
        return (
            self._pages.page(collection, row, feature, joins, ordered=ordered)
            if joins
            else self._pages.sheet(collection, row, feature)
        )

    def _place_of(self, entity: EntitySet, row: Row) -> Composable:
        """Give the place of an entity that has none of its own: that of its FeatureOfInterest, or of its first Location."""
        for navigation in entity.navigations:
            target = target_of(navigation)
            place = next((p for p in target.properties if p.kind is Kind.GEOMETRY and p.mandatory), None)
            if place is None:
                continue
            join, alias = navigation.join, self._build.alias()
            if isinstance(join, Forward):
                condition = sql.SQL("{} = {}").format(column(alias, "id"), row.column(join.column))
            elif isinstance(join, Through):
                condition = sql.SQL("{} IN (SELECT {} FROM {} WHERE {} = {})").format(
                    column(alias, "id"), sql.Identifier(join.other), view(join.table), sql.Identifier(join.own), row.column("id")
                )
            else:
                continue
            template = sql.SQL("(SELECT {} FROM {} {} WHERE {} ORDER BY {} LIMIT 1)")
            source, shown = view(target.table), column(alias, place.columns[0])
            return template.format(shown, source, sql.Identifier(alias), condition, column(alias, "id"))
        raise MalformedQueryError(_WHERE, None, f"{entity.name} have no place: GeoJSON is for entities that have one")


def header(names: Sequence[str]) -> bytes:
    """Give the first line of a table (RFC 4180)."""
    head = io.StringIO()
    csv.writer(head).writerow(names)
    return head.getvalue().encode()


def cells(build: Build, entity: EntitySet, options: Options, usual: tuple[str, ...] | None) -> list[Cell]:
    """Give the columns of a table: those that `$select` names in its order, else the id and the usual or all properties."""
    if not options.select:
        every = [Cell(name=p.name, property=p) for p in entity.properties if usual is None or p.name.lower() in usual]
        return [Cell(name="id", property=None), *every]
    shown: list[Cell] = []
    for path in options.select:
        name = path.segments[0]
        found = entity.property(name)
        if len(path.segments) > 1 or (found is None and name.lower() not in build.wire.id_names):
            problem = unknown(entity, name) if len(path.segments) == 1 else "selects whole properties in this format"
            raise MalformedQueryError("$select", path.position, problem)
        shown.append(Cell(name=found.name if found else "id", property=found))
    return shown


MEDIA = {
    None: "application/json",
    ResultFormat.DATA_ARRAY: "application/json",
    ResultFormat.CSV: "text/csv",
    ResultFormat.GEOJSON: "application/geo+json",
}
