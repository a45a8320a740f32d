"""Collections: a page of rows in order, its count, its link to the next page, and what is expanded in each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import Backward, EntitySet, Forward, Navigation
from api.sensorthings.entities.schema import target_of
from api.sensorthings.odata.build import Build, column, conjunction, follows, related, view
from api.sensorthings.odata.conditions import Conditions
from api.sensorthings.odata.counting import Counted, count
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.features import first_of_each, is_of_feature, used
from api.sensorthings.odata.names import resolve, unknown
from api.sensorthings.odata.paging import Key, behind, order, order_by, token
from api.sensorthings.odata.selection import selected
from api.sensorthings.odata.syntax import Expand, Options, Path
from api.sensorthings.odata.walks import walk
from api.sensorthings.wire.model import Row
from api.sensorthings.wire.text import SEPARATOR, Brief

_BIGINT = sql.SQL("{}::bigint")
_TEXT = sql.SQL("{}::text")
_NOTHING, _NO_LINK = sql.SQL("''"), sql.SQL("NULL::text")

Scope = Callable[[str], list[Composable]]
# Of items, count and link to the next page: the pieces of a text, each a column.
Finish = Callable[[Composable, Composable | None, Composable], Sequence[Composable]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection to compile. `scope` gives the conditions of its path for a row.

    `parent` is the Datastream's id where it is one Datastream's Observations, `owner` the name of the set that leads to it;
    `feature` is the FeatureOfInterest's id where it is one's Observations. `everything`: a set without a path before it;
    `reference`: only links are wanted.
    """

    entity: EntitySet
    scope: Scope
    options: Options
    parent: Composable | None = None
    feature: Composable | None = None
    owner: str | None = None
    everything: bool = False
    reference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a page: FILTER clauses for those that are `shown` and for the `last` of them, how many, and each one's token."""

    top: int
    shown: Composable
    last: Composable
    count: Composable
    token: Composable


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A compiled collection: where its rows come from, and SQL for its texts, which aggregates over these rows.

    `lone`: there is one row or none, and nothing aggregates. `rows` is for those who aggregate in another way. With `excess`
    `items` is brief, and where that is not NULL its last row is not shown: who sends the text leaves it out.
    """

    source: Composable
    items: Composable
    count: Composable | None
    more: Composable
    token: Composable
    lone: bool = False
    rows: Rows | None = None
    excess: Composable | None = None

    def select(self, path: Composable, options: Composable, text: Finish) -> Composable:
        """Give the query for the pieces of the finished text; `path` and `options` make the link to the next page."""
        template = sql.SQL("CASE WHEN {} THEN {} || '?' || {} || '$skiptoken=' || {} END")
        link = template.format(self.more, path, options, self.token)
        if not self.lone:
            pieces = sql.SQL(", ").join([*text(self.items, self.count, link), *([] if self.excess is None else [self.excess])])
            return sql.SQL("SELECT {} FROM {}").format(pieces, self.source)
        one = sql.SQL(" || ").join(text(self.items, self.count, link))
        none = sql.SQL(" || ").join(text(_NOTHING, self.count, _NO_LINK))
        return sql.SQL("SELECT coalesce((SELECT {} FROM {}), {})").format(one, self.source, none)


class Pages:
    """Compiles collections and expansions of one statement."""

    def __init__(self, build: Build) -> None:
        self._build = build

    def collection(self, collection: Collection, where: str = "$filter") -> Parts:
        """Compile a collection within another entity."""
        if self._is_latest(collection):
            return self._latest(collection, where)
        row = self._build.row(collection.owner)
        item, joins, text_order = self._item(collection, row)
        return self.page(collection, row, item, joins, ordered=text_order, where=where)

    def whole(self, collection: Collection) -> Parts:
        """Compile the collection that is the answer."""
        if self._is_latest(collection):
            return self._latest(collection, "$filter")
        row = self._build.row(collection.owner)
        item, joins, text_order = self._item(collection, row)
        if joins:
            return self.page(collection, row, item, joins, ordered=text_order)
        return self.sheet(collection, row, item)

    def sheet(self, collection: Collection, row: Row, item: Composable) -> Parts:
        """Compile a page whose texts are joined in the order in which they come.

        To number a thousand rows costs as much as to read them. So the row that is only there to tell of a next page is joined
        too, and it is told that it is there.
        """
        build, options = self._build, collection.options
        inner, texts = build.alias(), build.alias()
        keys, conditions = self._asked(collection, inner, "$filter")
        top = build.limits.top_default if options.top is None else options.top
        # All rows of one Datastream have its id.
        own = column(inner, "datastream_id") if collection.parent is not None else None
        names = {f"k{index}": None if key.sql == own else column(texts, f"k{index}") for index, key in enumerate(keys)}
        # OFFSET 0 keeps the planner from merging two layers, and so from making a text twice.
        template = sql.SQL("(SELECT {} FROM (SELECT r.*, r.id::text AS id_text FROM ({}) r OFFSET 0) {} OFFSET 0) {}")
        carried = [column(row.alias, name) for name, there in names.items() if there is not None]
        shown = sql.SQL(", ").join([sql.SQL("{} AS item").format(Brief(item)), *carried])
        rows = self._first(collection, row, inner, keys, conditions, top + 1)
        more = sql.SQL("count(*) > {}").format(sql.Literal(top))
        nth = sql.SQL("(array_agg({}))[{}]")
        one = collection.parent or _NO_LINK
        last = [one if there is None else nth.format(there, sql.Literal(top)) for there in names.values()]
        return Parts(
            source=template.format(shown, rows, sql.Identifier(row.alias), sql.Identifier(texts)),
            items=sql.SQL("coalesce(string_agg({}, {}), '')").format(column(texts, "item"), sql.Literal(SEPARATOR.decode())),
            count=self._count(collection, "$filter") if options.count else None,
            more=more,
            token=token(last) if top else _NO_LINK,
            excess=sql.SQL("CASE WHEN {} THEN '' END").format(more),
        )

    def page(
        self,
        collection: Collection,
        row: Row,
        item: Composable,
        joins: list[Composable],
        *,
        ordered: bool,
        where: str = "$filter",
        glue: str = ",",
    ) -> Parts:
        """Compile a page of rows, each with the text `item`; `ordered`: `joins` may disturb their order."""
        build, options = self._build, collection.options
        inner = build.alias()
        keys, conditions = self._asked(collection, inner, where)
        top = build.limits.top_default if options.top is None else options.top
        numbered = sql.SQL("(SELECT r.*, r.id::text AS id_text, row_number() OVER () AS rn FROM ({}) r) {}")
        rows = self._first(collection, row, inner, keys, conditions, top + 1)
        source = numbered.format(rows, sql.Identifier(row.alias))
        number = column(row.alias, "rn")
        # The count of rows is part of the request's shape: a plan for an unknown LIMIT would expect a tenth of the table.
        shown = sql.SQL("FILTER (WHERE {} <= {})").format(number, sql.Literal(top))
        last = sql.SQL("FILTER (WHERE {} = {})").format(number, sql.Literal(top))
        in_order = sql.SQL(" ORDER BY {}").format(number) if ordered else sql.SQL("")
        row_token = token([column(row.alias, f"k{index}") for index in range(len(keys))])
        items = sql.SQL("coalesce(string_agg({}, {}{}) {}, '')")
        return Parts(
            source=sql.SQL(" ").join([source, *joins]),
            items=items.format(item, sql.Literal(glue), in_order, shown),
            count=self._count(collection, where) if options.count else None,
            more=sql.SQL("count(*) > {}").format(sql.Literal(top)),
            token=sql.SQL("max({}) {}").format(row_token, last),
            rows=Rows(top=top, shown=shown, last=last, count=sql.SQL("count(*) {}").format(shown), token=row_token),
        )

    def _asked(self, collection: Collection, alias: str, where: str) -> tuple[list[Key], list[Composable]]:
        """Give the order of a collection and the conditions for its rows."""
        options = collection.options
        keys = order(self._build, collection.entity, alias, options, "$orderby")
        conditions = [*collection.scope(alias), *self._filter(collection, alias, where)]
        if options.after is not None:
            conditions.append(behind(self._build, keys, options.after))
        return keys, conditions

    def _item(self, collection: Collection, row: Row) -> tuple[Composable, list[Composable], bool]:
        wire = self._build.wire
        if collection.reference:
            return wire.reference(collection.entity, row), [], False
        return self.entity(collection.entity, row, collection.options)

    def entity(self, entity: EntitySet, row: Row, options: Options) -> tuple[Composable, list[Composable], bool]:
        """Give an entity's text, the joins that it needs beside its row, and whether they may disturb the rows' order."""
        selection = selected(self._build, entity, options.select)
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
        inner, outer, alias = build.alias(), build.row(), build.alias()
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
        seen = follows(entity, navigation, target)

        def scope(alias: str) -> list[Composable]:
            return [related(navigation, alias, own, row.alias), *([] if seen else build.visible(target, alias))]

        parent = own if target.day_column and navigation.join == Backward(column="datastream_id") else None
        options = expand.options
        owner = entity.name if parent is not None else None
        feature = own if is_of_feature(navigation) else None
        collection = Collection(entity=target, scope=scope, options=options, parent=parent, feature=feature, owner=owner)
        parts = self.collection(collection, "$expand")
        path = build.wire.related_link(entity, row, navigation)

        def within(items: Composable, count: Composable | None, link: Composable) -> Sequence[Composable]:
            return (build.wire.related_many(navigation, items, count, link),)

        query = parts.select(path, self._link_options(options), within)
        return sql.SQL("({})").format(query)

    def _link_options(self, options: Options) -> Composable:
        return sql.SQL("''") if options.link is None else self._build.slot(options.link, _TEXT)

    def _first(
        self, collection: Collection, row: Row, inner: str, keys: list[Key], conditions: list[Composable], fetched: int
    ) -> Composable:
        """Give the query for the first rows in order; the count of them is part of the request's shape."""
        names = [column(inner, name) for name in row.columns]
        names.extend(sql.SQL("{} AS {}").format(key.sql, sql.Identifier(f"k{index}")) for index, key in enumerate(keys))
        options, skip = collection.options, collection.options.skip
        template = sql.SQL("SELECT {} FROM {} {} WHERE {} ORDER BY {} LIMIT {}{}")
        source = self._build.rows(collection.entity)
        if collection.everything and skip is None and not options.orderby and len(keys) == 1:
            found = walk(self._build, collection.entity, inner, options.filter, collection.scope(inner), fetched)
            if found is not None:
                start = [] if options.after is None else [behind(self._build, keys, options.after)]
                return found.page(sql.SQL(", ").join(names), source, inner, conditions, start, fetched)
        if collection.feature is not None and self._build.as_of is None:
            most = sql.Literal(fetched)
            if skip is not None:
                most = sql.SQL("{} + {}").format(most, self._build.slot(skip, _BIGINT))
            source = first_of_each(collection.feature, source, inner, conditions, order_by(keys), most)
            conditions = []
        return template.format(
            sql.SQL(", ").join(names),
            source,
            sql.Identifier(inner),
            conjunction(conditions),
            order_by(keys),
            sql.Literal(fetched),
            sql.SQL("") if skip is None else sql.SQL(" OFFSET {}").format(self._build.slot(skip, _BIGINT)),
        )

    def _filter(self, collection: Collection, alias: str, where: str) -> list[Composable]:
        condition = collection.options.filter
        if condition is None:
            return []
        return [Conditions(self._build, collection.entity, alias, where).condition(condition)]

    def _count(self, collection: Collection, where: str) -> Composable:
        now, feature = self._build.as_of is None, collection.feature
        counted = Counted(
            entity=collection.entity,
            scope=collection.scope
            if feature is None or not now
            else lambda alias: [*collection.scope(alias), used(alias, feature)],
            condition=collection.options.filter,
            where=where,
            apart=now and (collection.everything or collection.parent is not None),
        )
        return count(self._build, counted)

    def _is_latest(self, collection: Collection) -> bool:
        """Whether only the latest Observation of a Datastream is asked for, which its summary knows."""
        options, entity = collection.options, collection.entity
        plain = options.filter is None and options.skip is None and options.after is None
        if self._build.as_of is not None:
            return False
        if collection.parent is None or entity.latest is None or options.top != 1 or not plain or len(options.orderby) != 1:
            return False
        item = options.orderby[0]
        if not item.descending or not isinstance(item.expression, Path):
            return False
        named = resolve(item.expression, entity, self._build.wire.id_names, "$orderby")
        return not named.navigations and named.property is not None and named.property.columns[0] == entity.day_column

    def _latest(self, collection: Collection, where: str) -> Parts:
        build, entity = self._build, collection.entity
        inner, row = build.alias(), build.row(collection.owner)
        item, joins, _ = self._item(collection, row)
        keys = [row.column(name) for name in (*entity.default_order, *entity.tie_order)]
        more = sql.SQL("{} > 1").format(row.column("n"))
        source = single(replace(entity, table=entity.latest or ""), row, inner, collection.scope(inner))
        return Parts(
            source=sql.SQL(" ").join([source, *joins]),
            items=item,
            count=self._count(collection, where) if collection.options.count else None,
            more=more,
            token=token(keys),
            lone=True,
        )


def single(entity: EntitySet, row: Row, inner: str, conditions: list[Composable], source: Composable | None = None) -> Composable:
    """Give the source of one entity's row, from `source` where it is not the entity's own view."""
    names = sql.SQL(", ").join([column(inner, name) for name in row.columns])
    template = sql.SQL("(SELECT r.*, r.id::text AS id_text FROM (SELECT {} FROM {} {} WHERE {}) r) {}")
    return template.format(
        names, source or view(entity.table), sql.Identifier(inner), conjunction(conditions), sql.Identifier(row.alias)
    )
