"""A request's shape → one SQL statement that gives the finished answer as one text (architecture.md, "The API").

The layers of a page, from inside: rows in order up to the LIMIT; their ids as text and their numbers; one text for each row;
all joined to one.
"""

from __future__ import annotations

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import Backward, Kind, Property
from api.sensorthings.odata.aggregation import Aggregation
from api.sensorthings.odata.build import Abilities, Access, Build
from api.sensorthings.odata.distinct import Distinct
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.features import is_of_feature
from api.sensorthings.odata.formats import MEDIA, Formats
from api.sensorthings.odata.limits import Limits
from api.sensorthings.odata.pages import Collection, Pages, single
from api.sensorthings.odata.resources import Resource, exists, id_of, meant, resource
from api.sensorthings.odata.statement import Statement, rendered
from api.sensorthings.odata.syntax import Apply, Form, Options, Request, ResultFormat
from api.sensorthings.wire.model import Row, Wire

_TEXT = sql.SQL("{}::text")


def compile_request(
    request: Request, *, wire: Wire, limits: Limits, access: Access, abilities: Abilities, unbounded: bool = False
) -> Statement:
    """Compile a request; raises the errors of `odata.errors` for what its names, types or path don't allow.

    `unbounded` leaves out the bound by the day of an Observation's id, for one that was moved to another day.
    """
    build = Build(wire=wire, limits=limits, access=access, abilities=abilities, unbounded=unbounded)
    build.as_of = request.options.as_of
    found = resource(request.steps, wire.id_names)
    if build.as_of is not None:
        _check_as_of(found, request.options)
    compiler = _Compiler(build, request, found)
    query, sources, marks = rendered(compiler.statement())
    return Statement(
        query=query,
        sources=sources,
        media="text/plain" if request.form is Form.VALUE else MEDIA[request.options.format],
        bounded=build.bounded,
        header=compiler.header,
        excess=compiler.excess,
        marks=marks,
        token=request.options.format is ResultFormat.CSV,
    )


class _Compiler:
    def __init__(self, build: Build, request: Request, found: Resource) -> None:
        self._build = build
        self._request = request
        self._resource = found
        self._pages = Pages(build)
        self.header = b""
        self.excess = False

    def statement(self) -> Composable:
        last = self._resource.stages[-1]
        if self._resource.property is not None or self._resource.only_id:
            return self._property()
        if self._request.form is Form.VALUE:
            raise MalformedQueryError("path", None, "$value follows a property")
        return self._entity() if last.single else self._collection()

    def _collection(self) -> Composable:
        build, stages, options = self._build, self._resource.stages, self._request.options
        last, before = stages[-1], stages[:-1]
        of_one = last.navigation is not None and last.navigation.join == Backward(column="datastream_id")
        parent = id_of(build, before) if before and last.entity.day_column and of_one else None
        collection = Collection(
            entity=last.entity,
            scope=lambda alias: meant(build, stages, alias),
            options=options,
            parent=parent,
            feature=id_of(build, before) if before and is_of_feature(last.navigation) else None,
            owner=before[-1].entity.name if parent is not None else None,
            everything=not before,
            reference=self._request.form is Form.REFERENCE,
        )
        if options.format is not None and collection.reference:
            raise MalformedQueryError("$resultFormat", None, "does not apply to $ref")
        if options.apply is not None:
            return self._aggregation(collection, options.apply)
        if options.distinct:
            return self._distinct(collection)
        formats = Formats(build, self._pages)
        if options.format is ResultFormat.CSV:
            query, self.header = formats.csv(collection)
            return sql.SQL("SELECT page.* FROM ({}) page WHERE {}").format(query, exists(build, before)) if before else query
        finish = build.wire.collection
        match options.format:
            case ResultFormat.DATA_ARRAY:
                parts, finish = formats.data_array(collection)
            case ResultFormat.GEOJSON:
                parts, finish = formats.geojson(collection), build.wire.features
            case _:
                parts = self._pages.whole(collection)
        self.excess = parts.excess is not None
        query = parts.select(*self._link(), finish)
        return sql.SQL("SELECT page.* FROM ({}) page WHERE {}").format(query, exists(build, before)) if before else query

    def _link(self) -> tuple[Composable, Composable]:
        """Give the path and the options of a link to the next page."""
        build, options = self._build, self._request.options
        path = build.wire.link(build.slot(self._request.path, _TEXT))
        return path, sql.SQL("''") if options.link is None else build.slot(options.link, _TEXT)

    def _distinct(self, collection: Collection) -> Composable:
        before = self._resource.stages[:-1]
        if collection.reference:
            raise MalformedQueryError("$select", None, "distinct: does not go with $ref")
        distinct = Distinct(self._build, collection)
        if self._request.options.format is ResultFormat.CSV:
            self.header = distinct.header()
            query = distinct.csv()
        else:
            query = distinct.query(*self._link())
        return sql.SQL("SELECT page.* FROM ({}) page WHERE {}").format(query, exists(self._build, before)) if before else query

    def _aggregation(self, collection: Collection, apply: Apply) -> Composable:
        build, options, before = self._build, self._request.options, self._resource.stages[:-1]
        others = {
            "$select": options.select,
            "$expand": options.expand,
            "$resultFormat": options.format not in (None, ResultFormat.CSV),
            "$ref": collection.reference,
        }
        for name, used in others.items():
            if used:
                raise MalformedQueryError(name, None, "does not go with $apply")
        if collection.entity.day_column is None or not (collection.everything or collection.parent is not None):
            raise MalformedQueryError("$apply", None, "is for Observations and for those of one Datastream")
        aggregation = Aggregation(build, collection.entity, collection.scope, options, apply)
        if options.format is ResultFormat.CSV:
            query, self.header = aggregation.csv()
        else:
            query = aggregation.query(*self._link())
        return sql.SQL("SELECT page.* FROM ({}) page WHERE {}").format(query, exists(build, before)) if before else query

    def _entity(self) -> Composable:
        build, last, options = self._build, self._resource.stages[-1], self._request.options
        _refuse_collection_options(options)
        row, inner = build.row(), build.alias()
        if self._request.form is Form.REFERENCE:
            return self._from_row(build.wire.reference(last.entity, row), row, inner, [])
        item, joins, _ = self._pages.entity(last.entity, row, options)
        return self._from_row(item, row, inner, joins)

    def _property(self) -> Composable:
        build, options, found = self._build, self._request.options, self._resource.property
        _refuse_collection_options(options)
        if options.select or options.expand:
            raise MalformedQueryError("$expand" if options.expand else "$select", None, "does not apply to a property")
        if self._request.form is Form.REFERENCE:
            raise MalformedQueryError("path", None, "$ref follows an entity or a collection")
        row, inner = build.row(), build.alias()
        plain = self._request.form is Form.VALUE
        if found is None:
            return self._from_row(row.id if plain else build.wire.id_value(row), row, inner, [])
        if self._resource.inside:
            text = self._inside(found, row, plain=plain)
        elif plain:
            text = build.wire.plain(found, row.read(found))
        else:
            text = build.wire.property_value(sql.Literal(found.name), build.wire.json(found, row.read(found)))
        return self._from_row(text, row, inner, [])

    def _inside(self, found: Property, row: Row, *, plain: bool) -> Composable:
        wire, keys = self._build.wire, self._resource.inside
        document = sql.SQL("({})::jsonb").format(wire.json(found, row.read(found)))
        if found.kind is Kind.OBJECT and not found.members:
            document = row.read(found)[0]
        quoted = ('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)
        path = self._build.constant("{" + ",".join(quoted) + "}", sql.SQL("{}::text[]"))
        if plain:
            return sql.SQL("({} #>> {})").format(document, path)
        return wire.property_value(self._build.constant(keys[-1], _TEXT), sql.SQL("({} #> {})::text").format(document, path))

    def _from_row(self, text: Composable, row: Row, inner: str, joins: list[Composable]) -> Composable:
        stages = self._resource.stages
        entity = stages[-1].entity
        source = single(entity, row, inner, meant(self._build, stages, inner), self._build.rows(entity))
        return sql.SQL("SELECT {} FROM {}").format(text, sql.SQL(" ").join([source, *joins]))


def _refuse_collection_options(options: Options) -> None:
    given = {
        "$filter": options.filter is not None,
        "$orderby": bool(options.orderby),
        "$top": options.top is not None,
        "$skip": options.skip is not None,
        "$count": options.count,
        "$skiptoken": options.after is not None,
        "$resultFormat": options.format is not None,
        "$apply": options.apply is not None,
        "$select=distinct:": options.distinct,
    }
    for name, used in given.items():
        if used:
            raise MalformedQueryError(name, None, "applies to collections only")


def _check_as_of(found: Resource, options: Options) -> None:
    *before, last = found.stages
    if last.entity.day_column is None or any(stage.entity.day_column is not None for stage in before):
        raise MalformedQueryError("as_of", None, "is for Observations: collections of them, and one by its id")
    if options.apply is not None or options.expand:
        raise MalformedQueryError("as_of", None, f"does not go with {'$apply' if options.apply else '$expand'}")
