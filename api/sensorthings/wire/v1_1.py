"""SensorThings 1.1 on the wire (18-088, chapters 8 and 9): the only place that knows `@iot.…`, its links and its times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet, Forward, Kind, Navigation, Property
from api.sensorthings.entities.schema import target_of
from api.sensorthings.wire.model import Expanded, Row, Selection
from api.sensorthings.wire.quality import FLAG_TEXT, verdict
from api.sensorthings.wire.text import Spelled, Text, or_nothing, text, total

PREFIX = "/v1.1"
# Shown as null where there is none (18-088, 8.2.7); any other property is left out.
_SHOWN_AS_NULL = frozenset({"resultTime", "result"})

# The session's time zone is UTC and its date style ISO: 2026-11-22 10:15:00.5+00 has only the digits that are needed.
_TIME = sql.SQL("replace(left({}::text, -3), ' ', 'T') || 'Z'")
# As JSON it is 2026-11-22T10:15:00.5+00:00, which needs one step less.
_JSON_TIME = sql.SQL("replace(to_json({})::text, '+00:00', 'Z')")
_STRING = sql.SQL("to_json({})::text")
# NaN and the infinities are not JSON; the store refuses them, but one must not spoil a page.
_NUMBER = sql.SQL("CASE WHEN {0} > '-Infinity' AND {0} < 'Infinity' THEN {0}::text END")

# A number that a double precision one can't hold stands in both columns: its text is what was sent.
_RESULT = sql.SQL("coalesce({other}::text, {number})")

_QUOTED = sql.SQL("'\"' || replace({}, '\"', '\"\"') || '\"'")
_GEOMETRY = sql.SQL(
    "coalesce((SELECT CASE WHEN g ->> 'type' = 'Feature' THEN (g -> 'geometry')::text"
    " WHEN g ? 'coordinates' OR g ? 'geometries' THEN g::text END FROM (SELECT {} AS g) AS place), 'null')"
)


class WireV11:
    """The wire of version 1.1 under a public URL such as `https://region.example/v1.1`."""

    id_names = frozenset({"id", "@iot.id"})
    self_link_name = "@iot.selflink"

    def __init__(self, root: str) -> None:
        self._root = root

    def entity(self, entity: EntitySet, row: Row, selection: Selection | None, expanded: Expanded) -> Composable:
        """Give an entity: id, links, properties and relations, in the order of the standard's examples."""
        opened = frozenset(name for name, _ in expanded)
        members = [*self._head(entity, row, selection), *self._properties(entity, row, selection)]
        members.extend(
            self._navigation_link(entity, row, n)
            for n in entity.navigations
            if n.name not in opened and (selection is None or n.name in selection.navigations)
        )
        members.extend(text(composed) for _, composed in expanded)
        whole = total(members)
        if not whole.parts:
            return sql.SQL("'{}'")
        if isinstance(whole.parts[0], str):
            return text("{", whole.parts[0][1:], *whole.parts[1:], "}").compose()
        return text("{", sql.SQL("substr({}, 2)").format(Spelled(whole.compose())), "}").compose()

    def _head(self, entity: EntitySet, row: Row, selection: Selection | None) -> list[Text]:
        head: list[Text] = []
        if selection is None or selection.id:
            head.append(text(',"@iot.id":', row.id))
        if selection is None or selection.self_link:
            head.append(text(',"@iot.selfLink":"', self._own(entity, row), '"'))
        return head

    def _properties(self, entity: EntitySet, row: Row, selection: Selection | None) -> list[Text]:
        members: list[Text] = []
        for found in entity.properties:
            if selection is not None and found.name not in selection.properties:
                continue
            value = self.json(found, row.read(found))
            member = text(f',"{found.name}":', value)
            if selection is not None and found.name in selection.inside:
                parts = selection.inside[found.name](sql.SQL("({})::jsonb").format(Spelled(value)))
                member = text(or_nothing(text(f',"{found.name}":', sql.SQL("{}::text").format(parts))))
            elif found.name in _SHOWN_AS_NULL:
                member = text(f',"{found.name}":', sql.SQL("coalesce({}, 'null')").format(value))
            elif not _always(found):
                member = text(or_nothing(member))
            members.append(member)
        return members

    def _navigation_link(self, entity: EntitySet, row: Row, navigation: Navigation) -> Text:
        link = text(f',"{navigation.name}@iot.navigationLink":"', self._own(entity, row), f'/{navigation.name}"')
        either = navigation.alternative
        if either is None or not isinstance(navigation.join, Forward):
            return link
        if row.owner is not None:
            return link if row.owner == navigation.target else text("")
        there = sql.SQL("EXISTS (SELECT FROM {} WHERE id = {})").format(
            sql.Identifier("read", target_of(navigation).table), row.column(navigation.join.column)
        )
        condition = sql.SQL("{} IS NOT NULL OR {}" if either.usual else "{} IS NULL AND {}").format(
            row.column(either.column), there
        )
        return text(sql.SQL("CASE WHEN {} THEN {} ELSE '' END").format(condition, link.compose()))

    def _own(self, entity: EntitySet, row: Row) -> Text:
        return text(f"{self._root}/{entity.name}(", row.id, ")")

    def reference(self, entity: EntitySet, row: Row) -> Composable:
        """Give the entity's link alone (18-088, 9.2.7)."""
        return text('{"@iot.selfLink":"', self._own(entity, row), '"}').compose()

    def collection(self, items: Composable, count: Composable | None, link: Composable) -> Sequence[Composable]:
        """Give a collection with `@iot.count` and `@iot.nextLink` where there are."""
        counted = text('"@iot.count":', count, ",") if count is not None else text("")
        following = or_nothing(text('"@iot.nextLink":"', link, '",'))
        # Pieces: PostgreSQL would copy a large page with every concatenation.
        return text("{", counted, following, '"value":[').compose(), items, sql.SQL("']}'")

    def related_one(self, navigation: Navigation, item: Composable) -> Composable:
        """Give an expanded entity, null where there is none."""
        return text(f',"{navigation.name}":', sql.SQL("coalesce({}, 'null')").format(item)).compose()

    def related_many(self, navigation: Navigation, items: Composable, count: Composable | None, link: Composable) -> Composable:
        """Give an expanded collection."""
        counted = text(f',"{navigation.name}@iot.count":', count) if count is not None else text("")
        following = or_nothing(text(f',"{navigation.name}@iot.nextLink":"', link, '"'))
        return text(counted, f',"{navigation.name}":[', items, "]", following).compose()

    def link(self, path: Composable) -> Composable:
        """Give the URL of a path below the service root."""
        return text(f"{self._root}/", path).compose()

    def related_link(self, entity: EntitySet, row: Row, navigation: Navigation) -> Composable:
        """Give the URL of an entity's relation."""
        return text(self._own(entity, row), f"/{navigation.name}").compose()

    def id_value(self, row: Row) -> Composable:
        """Give the id alone."""
        return text('{"@iot.id":', row.id, "}").compose()

    def property_value(self, name: Composable, value: Composable) -> Composable:
        """Give one property (18-088, 9.2.4)."""
        return text("{", sql.SQL("to_json({}::text)::text").format(name), ":", value, "}").compose()

    def json(self, found: Property, columns: Sequence[Composable]) -> Composable:  # noqa: PLR0911 - one line for each kind
        """Give a property's value as JSON text, NULL where it has none."""
        if found.members:
            return _with_members(columns[0], tuple(zip(found.members, columns[1:], strict=True)))
        match found.kind:
            case Kind.STRING:
                return _STRING.format(columns[0])
            case Kind.INSTANT:
                return _JSON_TIME.format(columns[0])
            case Kind.INTERVAL:
                whole = text('"', self.plain(found, columns), '"').compose()
                return sql.SQL("CASE WHEN {} IS NULL THEN {} ELSE {} END").format(columns[1], _JSON_TIME.format(columns[0]), whole)
            case Kind.RESULT:
                return _RESULT.format(number=_NUMBER.format(columns[0]), other=columns[1])
            case Kind.QUALITY:
                return sql.SQL("coalesce({}::text, {})").format(columns[0], verdict(*columns[1:]))
            case Kind.NUMBER:
                return _NUMBER.format(columns[0])
            case Kind.OBJECT | Kind.JSON | Kind.GEOMETRY:
                return sql.SQL("{}::text").format(columns[0])

    def plain(self, found: Property, columns: Sequence[Composable]) -> Composable:
        """Give a property's value as plain text."""
        match found.kind:
            case Kind.STRING:
                return columns[0]
            case Kind.INSTANT:
                return sql.SQL("({})").format(_TIME.format(columns[0]))
            case Kind.INTERVAL:
                end = or_nothing(text("/", _TIME.format(columns[1])))
                return text(_TIME.format(columns[0]), end).compose()
            case Kind.RESULT:
                return sql.SQL("coalesce({} #>> '{{}}', {})").format(columns[1], _NUMBER.format(columns[0]))
            case Kind.JSON:
                return sql.SQL("({} #>> '{{}}')").format(columns[0])
            case _:
                return self.json(found, columns)

    def array(self, values: Sequence[Composable]) -> Composable:
        """Give one row of a data array."""
        glued: list[str | Composable | Text] = []
        for value in values:
            glued.extend((",", sql.SQL("coalesce({}, 'null')").format(value)))
        return text("[", *glued[1:], "]").compose()

    def owner_link(self, navigation: Navigation, own_id: Composable) -> Composable:
        """Give the member that names a group's Datastream."""
        number = sql.SQL("{}::text").format(own_id)
        return text(f'"{navigation.name}@iot.navigationLink":"{self._root}/{navigation.target}(', number, ')"').compose()

    def data_array(self, owner: Composable, components: Sequence[str], count: Composable) -> tuple[Composable, Composable]:
        """Give what stands around one group of a data array (18-088, 9.3.3.6)."""
        names = ",".join(f'"{name}"' for name in components)
        number = sql.SQL("{}::text").format(count)
        head = text("{", owner, f',"components":[{names}],"dataArray@iot.count":', number, ',"dataArray":[')
        return head.compose(), sql.SQL("']}'")

    def csv(self, found: Property, columns: Sequence[Composable]) -> Composable:
        """Give a field: numbers and times as they are, all else between quotes, JSON where it is no text (RFC 4180)."""
        match found.kind:
            case Kind.INSTANT | Kind.INTERVAL | Kind.NUMBER:
                return self.plain(found, columns)
            case Kind.RESULT:
                number, other = columns
                template = sql.SQL("CASE WHEN {other} IS NULL OR {number} IS NOT NULL THEN {plain} ELSE {quoted} END")
                quoted = _QUOTED.format(sql.SQL("({} #>> '{{}}')").format(other))
                return template.format(number=number, other=other, plain=self.plain(found, columns), quoted=quoted)
            case _:
                return _QUOTED.format(self.plain(found, columns))

    def feature(self, row: Row, geometry: Composable, properties: Composable) -> Composable:
        """Give a Feature; what is no GeoJSON is no geometry."""
        return text(
            '{"type":"Feature","id":', row.id, ',"geometry":', _GEOMETRY.format(geometry), ',"properties":', properties, "}"
        ).compose()

    def features(self, items: Composable, count: Composable | None, link: Composable) -> Sequence[Composable]:
        """Give a FeatureCollection, with the foreign members that `collection` has too."""
        counted = text('"@iot.count":', count, ",") if count is not None else text("")
        following = or_nothing(text('"@iot.nextLink":"', link, '",'))
        return text('{"type":"FeatureCollection",', counted, following, '"features":[').compose(), items, sql.SQL("']}'")

    def grouped(
        self, members: Sequence[tuple[tuple[str, ...], Composable]], results: Sequence[tuple[Composable, Composable]]
    ) -> Composable:
        """Give a group of `$apply`: members nested by their paths, and results."""
        or_null = sql.SQL("coalesce({}, 'null')").format
        tree: dict[str, Any] = {}
        for path, value in members:
            here = tree
            for name in path[:-1]:
                here = here.setdefault(name, {})
            here["@iot.id" if path[-1] == "id" else path[-1]] = or_null(value)
        own = [text(",", sql.SQL("to_json({})::text").format(name), ":", or_null(value)) for name, value in results]
        whole = total([_nested(tree), *own])
        return text("{", sql.SQL("substr({}, 2)").format(whole.compose()), "}").compose()

    def quality(self, columns: Sequence[Composable]) -> Composable:
        """Give a result's quality as jsonb."""
        return sql.SQL("coalesce({}, ({})::jsonb)").format(columns[0], verdict(*columns[1:]))


def _nested(tree: Mapping[str, Any]) -> Text:
    members = [
        text(f',"{name}":{{', sql.SQL("substr({}, 2)").format(_nested(cast("dict[str, Any]", value)).compose()), "}")
        if isinstance(value, dict)
        else text(f',"{name}":', value)
        for name, value in tree.items()
    ]
    return total(members)


def _always(found: Property) -> bool:
    """Whether the property is never NULL."""
    always = found.kind is Kind.QUALITY or bool(found.members) or found.columns == ("phenomenon_time", "phenomenon_end")
    return always or (found.mandatory and found.kind is not Kind.RESULT)


def _with_members(document: Composable, members: tuple[tuple[str, Composable], ...]) -> Composable:
    """Give a JSON object with members of columns of their own before its own."""
    own = text(*(part for name, value in members for part in (f',"{name}":', FLAG_TEXT.format(value))))
    first = text("{", str(own.parts[0])[1:], *own.parts[1:])
    rest = sql.SQL("CASE WHEN {0} IS NULL OR {0} = '{{}}' THEN '}}' ELSE ', ' || substr({0}::text, 2) END")
    return text(first, rest.format(document)).compose()
