"""Collections: a page of rows in order, its count, its link to the next page, and what is expanded in each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import Backward, EntitySet, Forward, Navigation
from api.sensorthings.entities.schema import target_of
from api.sensorthings.odata.build import Build, column, conjunction, related, view
from api.sensorthings.odata.conditions import Conditions
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.names import paths_of, resolve, unknown
from api.sensorthings.odata.paging import Key, behind, order, order_by, token
from api.sensorthings.odata.syntax import Expand, Options, Path
from api.sensorthings.wire.model import Row, Selection

_BIGINT = sql.SQL("{}::bigint")
_TEXT = sql.SQL("{}::text")
_SUMMARY = "datastream_summary"

Scope = Callable[[str], list[Composable]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection to compile. `scope` gives the conditions of its path for a row.

    `parent` is the Datastream's id where it is one Datastream's Observations, `everything` a set without a path before it;
    `reference`: only links are wanted.
    """

    entity: EntitySet
    scope: Scope
    options: Options
    parent: Composable | None = None
    everything: bool = False
    reference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A compiled collection: where its rows come from, and SQL for its texts, which aggregates over these rows."""

    source: Composable
    items: Composable
    count: Composable | None
    more: Composable
    token: Composable

    def link(self, path: Composable, options: Composable) -> Composable:
        """Give the link to the next page, NULL where this is the last."""
        template = sql.SQL("CASE WHEN {} THEN {} || '?' || {} || '$skiptoken=' || {} END")
        return template.format(self.more, path, options, self.token)


class Pages:
    """Compiles collections and expansions of one statement."""

    def __init__(self, build: Build) -> None:
        self._build = build

    def collection(self, collection: Collection, where: str = "$filter") -> Parts:
        """Compile a collection."""
        build, options = self._build, collection.options
        inner = build.alias()
        row = Row(build.alias())
        keys = order(build, collection.entity, inner, options, "$orderby")
        top = build.limits.top_default if options.top is None else options.top
        latest = self._latest(collection, keys)
        item, joins, text_order = self._item(collection, row)
        conditions = [*collection.scope(inner), *self._filter(collection, inner, where)]
        conditions.extend(latest.bounds(inner) if latest else [])
        if options.after is not None:
            conditions.append(behind(build, keys, options.after))
        fetched = top if latest else top + 1
        source = self._rows(collection, row, inner, keys, conditions, fetched)
        number = column(row.alias, "rn")
        # The count of rows is part of the request's shape: a plan for an unknown LIMIT would expect a tenth of the table.
        shown = sql.SQL("FILTER (WHERE {} <= {})").format(number, sql.Literal(top))
        last = sql.SQL("FILTER (WHERE {} = {})").format(number, sql.Literal(top))
        ordered = sql.SQL(" ORDER BY {}").format(number) if text_order else sql.SQL("")
        places = [column(row.alias, f"k{index}") for index in range(len(keys))]
        return Parts(
            source=sql.SQL(" ").join([source, *joins]),
            items=sql.SQL("coalesce(string_agg({}, ','{}) {}, '')").format(item, ordered, shown),
            count=self._count(collection, where) if options.count else None,
            more=latest.more if latest else sql.SQL("count(*) > {}").format(sql.Literal(top)),
            token=sql.SQL("max({}) {}").format(token(places), last),
        )

    def _item(self, collection: Collection, row: Row) -> tuple[Composable, list[Composable], bool]:
        wire = self._build.wire
        if collection.reference:
            return wire.reference(collection.entity, row), [], False
        return self.entity(collection.entity, row, collection.options)

    def entity(self, entity: EntitySet, row: Row, options: Options) -> tuple[Composable, list[Composable], bool]:
        """Give an entity's text, the joins that it needs beside its row, and whether they may disturb the rows' order."""
        selection = self._selection(entity, options)
        expanded: list[tuple[str, Composable]] = []
        joins: list[Composable] = []
        for expand in options.expand:
            navigation = entity.navigation(expand.name)
            if navigation is None:
                raise MalformedQueryError("$expand", expand.position, unknown(entity, expand.name))
            if navigation.many:
                expanded.append((navigation.name, self._many(entity, navigation, row, expand)))
            else:
                alias, join = self._one(navigation, row, expand)
                joins.append(join)
                expanded.append((navigation.name, self._build.wire.related_one(navigation, column(alias, "item"))))
        return self._build.wire.entity(entity, row, selection, expanded), joins, bool(joins)

    def _one(self, navigation: Navigation, row: Row, expand: Expand) -> tuple[str, Composable]:
        """Expand a to-one relation by a join, so that rows that share it are looked up once."""
        options = expand.options
        if options.filter or options.orderby or options.count or options.top is not None or options.skip is not None:
            raise MalformedQueryError(
                "$expand", expand.position, f"{navigation.name} is one entity: only $select and $expand apply to it"
            )
        build = self._build
        target = target_of(navigation)
        inner, outer, alias = build.alias(), Row(build.alias()), build.alias()
        item, joins, _ = self.entity(target, outer, options)
        join = navigation.join
        own = row.column(join.column) if isinstance(join, Forward) else row.column("id")
        condition = sql.SQL("{} = {}").format(column(inner, "id"), own)
        found = single(target, outer, inner, [condition])
        template = sql.SQL("LEFT JOIN LATERAL (SELECT {} AS item FROM {}) {} ON true")
        return alias, template.format(item, sql.SQL(" ").join([found, *joins]), sql.Identifier(alias))

    def _many(self, entity: EntitySet, navigation: Navigation, row: Row, expand: Expand) -> Composable:
        """Expand a to-many relation: one aggregate for each row of the page."""
        build = self._build
        target = target_of(navigation)
        own = row.column("id")
        scope: Scope = lambda alias: [related(navigation, alias, own, row.alias), *build.visible(target, alias)]  # noqa: E731
        if isinstance(navigation.join, Backward) and entity.hidden is not None:
            # What hangs on a visible Thing or Datastream is visible.
            scope = lambda alias: [related(navigation, alias, own, row.alias)]  # noqa: E731
        parent = own if target.day_column and navigation.join == Backward(column="datastream_id") else None
        options = expand.options
        parts = self.collection(Collection(entity=target, scope=scope, options=options, parent=parent), "$expand")
        path = build.wire.related_link(entity, row, navigation)
        text = build.wire.related_many(navigation, parts.items, parts.count, parts.link(path, self._link_options(options)))
        return sql.SQL("(SELECT {} FROM {})").format(text, parts.source)

    def _link_options(self, options: Options) -> Composable:
        return sql.SQL("''") if options.link is None else self._build.slot(options.link, _TEXT)

    def _rows(
        self, collection: Collection, row: Row, inner: str, keys: list[Key], conditions: list[Composable], fetched: int
    ) -> Composable:
        names = [column(inner, name) for name in row.columns]
        names.extend(sql.SQL("{} AS {}").format(key.sql, sql.Identifier(f"k{index}")) for index, key in enumerate(keys))
        skip = collection.options.skip
        template = sql.SQL(
            "(SELECT r.*, r.id::text AS id_text, row_number() OVER () AS rn FROM"
            " (SELECT {} FROM {} {} WHERE {} ORDER BY {} LIMIT {}{}) r) {}"
        )
        return template.format(
            sql.SQL(", ").join(names),
            view(collection.entity.table),
            sql.Identifier(inner),
            conjunction(conditions),
            order_by(keys),
            sql.Literal(fetched),
            sql.SQL("") if skip is None else sql.SQL(" OFFSET {}").format(self._build.slot(skip, _BIGINT)),
            sql.Identifier(row.alias),
        )

    def _filter(self, collection: Collection, alias: str, where: str) -> list[Composable]:
        condition = collection.options.filter
        if condition is None:
            return []
        return [Conditions(self._build, collection.entity, alias, where).condition(condition)]

    def _count(self, collection: Collection, where: str) -> Composable:
        """Count exactly: Observations from their Datastreams' summaries where nothing else is asked about them."""
        alias = self._build.alias()
        entity = collection.entity
        if self._summarised(collection):
            summary = replace(entity, table=_SUMMARY)
            conditions = [*collection.scope(alias), *self._filter(replace(collection, entity=summary), alias, where)]
            template = sql.SQL("(SELECT coalesce(sum({}), 0) FROM {} {} WHERE {})::text")
            return template.format(column(alias, "n"), view(_SUMMARY), sql.Identifier(alias), conjunction(conditions))
        conditions = [*collection.scope(alias), *self._filter(collection, alias, where)]
        template = sql.SQL("(SELECT count(*) FROM {} {} WHERE {})::text")
        return template.format(view(entity.table), sql.Identifier(alias), conjunction(conditions))

    def _summarised(self, collection: Collection) -> bool:
        if collection.entity.day_column is None or not (collection.everything or collection.parent is not None):
            return False
        condition = collection.options.filter
        if condition is None:
            return True
        paths = [resolve(path, collection.entity, self._build.wire.id_names, "$filter") for path in paths_of(condition)]
        return all(named.navigations and named.navigations[0].name == "Datastream" for named in paths)

    def _latest(self, collection: Collection, keys: list[Key]) -> Latest | None:
        options = collection.options
        if collection.parent is None or options.top != 1 or options.filter or options.skip is not None or options.after:
            return None
        first = keys[0]
        day = collection.entity.day_column or ""
        # The key names the row of the page, the summary's time is that of the last row of the key's index.
        newest = len(options.orderby) == 1 and first.descending and first.sql.as_bytes().endswith(sql.Identifier(day).as_bytes())
        return Latest(parent=collection.parent, column=day) if newest else None

    def _selection(self, entity: EntitySet, options: Options) -> Selection | None:
        if not options.select:
            return None
        wire = self._build.wire
        names = {path.segments[0].lower() for path in options.select}
        known = {p.name.lower() for p in entity.properties} | {n.name.lower() for n in entity.navigations}
        for path in options.select:
            self._check_selected(entity, path, known | wire.id_names | {wire.self_link_name})
        return Selection(
            id=bool(names & wire.id_names),
            self_link=wire.self_link_name in names,
            properties=frozenset(p.name for p in entity.properties if p.name.lower() in names),
            navigations=frozenset(n.name for n in entity.navigations if n.name.lower() in names),
        )

    def _check_selected(self, entity: EntitySet, path: Path, known: frozenset[str] | set[str]) -> None:
        if path.segments[0].lower() not in known:
            raise MalformedQueryError("$select", path.position, unknown(entity, path.segments[0]))
        if len(path.segments) > 1:
            raise MalformedQueryError("$select", path.position, f"selects whole properties: {path.segments[0]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The latest Observation of a Datastream, whose time its summary knows: only one chunk is looked at."""

    parent: Composable
    column: str

    def bounds(self, alias: str) -> list[Composable]:
        """Give the bound on its time."""
        template = sql.SQL("{} >= (SELECT last_time FROM {} WHERE datastream_id = {})")
        return [template.format(column(alias, self.column), view(_SUMMARY), self.parent)]

    @property
    def more(self) -> Composable:
        """Whether the Datastream has others."""
        return sql.SQL("(SELECT n > 1 FROM {} WHERE datastream_id = {})").format(view(_SUMMARY), self.parent)


def single(entity: EntitySet, row: Row, inner: str, conditions: list[Composable]) -> Composable:
    """Give the source of one entity's row."""
    names = sql.SQL(", ").join([column(inner, name) for name in row.columns])
    template = sql.SQL("(SELECT r.*, r.id::text AS id_text FROM (SELECT {} FROM {} {} WHERE {}) r) {}")
    return template.format(names, view(entity.table), sql.Identifier(inner), conjunction(conditions), sql.Identifier(row.alias))
