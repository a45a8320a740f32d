"""Order and pages by key: a page goes on behind the keys of the last row, so that no page costs more than the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet
from api.sensorthings.odata.build import Build, column, conjunction
from api.sensorthings.odata.conditions import Conditions
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.names import paths_of
from api.sensorthings.odata.syntax import Options, OrderItem
from api.sensorthings.odata.values import Type, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of an order: an expression, how its text is cast back, its direction and whether it may be NULL."""

    sql: Composable
    cast: sql.SQL
    descending: bool
    nullable: bool


_CASTS = {
    Type.STRING: sql.SQL("{}::text"),
    Type.BOOLEAN: sql.SQL("{}::boolean"),
    Type.TIME: sql.SQL("{}::timestamptz"),
    Type.INTERVAL: sql.SQL("{}::timestamptz"),
    Type.DATE: sql.SQL("{}::date"),
    Type.CLOCK: sql.SQL("{}::time"),
    Type.DURATION: sql.SQL("{}::interval"),
    Type.JSON: sql.SQL("{}::jsonb"),
}
_NUMBERS = {"float8": sql.SQL("{}::float8"), "bigint": sql.SQL("{}::bigint"), "numeric": sql.SQL("{}::numeric")}
_BEHIND = {False: sql.SQL("{} > {}"), True: sql.SQL("{} < {}")}
_NOT_BEFORE = {False: sql.SQL("{} >= {}"), True: sql.SQL("{} <= {}")}


def order(build: Build, entity: EntitySet, alias: str, options: Options, where: str) -> list[Key]:
    """Give the keys of a collection's order; the id is always among them, so that a page can go on anywhere."""
    keys = asked(build, entity, alias, options, where)
    if not options.orderby:
        for name in entity.default_order:
            cast = _CASTS[Type.TIME] if name == entity.day_column else _NUMBERS["bigint"]
            keys.append(Key(sql=column(alias, name), cast=cast, descending=False, nullable=False))
    own = column(alias, "id")
    if any(key.sql == own for key in keys):
        return keys
    descending = bool(keys) and keys[-1].descending
    indexed = bool(keys) and bool(entity.default_order) and keys[-1].sql == column(alias, entity.default_order[-1])
    ties = entity.tie_order if indexed and entity.tie_order else ("id",)
    keys.extend(Key(sql=column(alias, n), cast=_NUMBERS["bigint"], descending=descending, nullable=False) for n in ties)
    return keys


def asked(build: Build, entity: EntitySet, alias: str, options: Options, where: str) -> list[Key]:
    """Give the keys that `$orderby` names, and no more."""
    conditions = Conditions(build, entity, alias, where)
    return [key for item in options.orderby for key in _keys(conditions, item, where)]


def _keys(conditions: Conditions, item: OrderItem, where: str) -> list[Key]:
    if not paths_of(item.expression):
        raise MalformedQueryError(where, item.expression.position, "expected a property to order by")
    value, wrap = conditions.value(item.expression)
    if value.type is Type.RESULT and value.end is not None:
        number = _key(value, _NUMBERS["float8"], item, wrap)
        other = Key(
            sql=wrap(sql.SQL("({} #>> '{{}}')").format(value.end)),
            cast=_CASTS[Type.STRING],
            descending=item.descending,
            nullable=True,
        )
        return [number, other]
    if value.type is Type.GEOMETRY:
        # Geometries have no order of their own; OGC's suite asks for one, and pages need one.
        value = replace(value, type=Type.STRING, sql=sql.SQL("({}::text)").format(value.sql), nullable=True)
    cast = _NUMBERS[value.number] if value.type is Type.NUMBER else _CASTS.get(value.type)
    if cast is None:
        raise MalformedQueryError(where, item.expression.position, f"nothing can be ordered by {value.type.value} here")
    return [_key(value, cast, item, wrap)]


def _key(value: Value, cast: sql.SQL, item: OrderItem, wrap: Callable[[Composable], Composable]) -> Key:
    wrapped = wrap(value.sql)
    # A value over a relation is a subquery, NULL where nothing is related.
    return Key(sql=wrapped, cast=cast, descending=item.descending, nullable=value.nullable or wrapped is not value.sql)


def order_by(keys: list[Key]) -> Composable:
    """Give the ORDER BY."""
    return sql.SQL(", ").join([sql.SQL("{} DESC" if key.descending else "{}").format(key.sql) for key in keys])


def behind(build: Build, keys: list[Key], after: tuple[int | None, ...]) -> Composable:
    """Give the condition that a row comes behind the one whose keys are in the slots `after` (None: it was NULL)."""
    if len(after) != len(keys):
        raise MalformedQueryError("$skiptoken", None, "this link belongs to a query with another order")
    values = [None if slot is None else build.slot(slot, key.cast) for key, slot in zip(keys, after, strict=True)]
    present = [value for value in values if value is not None]
    if len(present) == len(keys) and len({key.descending for key in keys}) == 1 and not any(key.nullable for key in keys):
        return _row_behind(keys, present)
    condition: Composable = sql.SQL("false")
    for key, value in reversed(list(zip(keys, values, strict=True))):
        condition = sql.SQL("({} OR ({} AND {}))").format(_strictly(key, value), _equal(key, value), condition)
    return condition


def _row_behind(keys: list[Key], values: list[Composable]) -> Composable:
    """Compare whole rows; the bound on the first key alone is redundant, but an index can start there."""
    descending = keys[0].descending
    row, last = (sql.SQL("({})").format(sql.SQL(", ").join(part)) for part in ([key.sql for key in keys], values))
    return conjunction([_NOT_BEFORE[descending].format(keys[0].sql, values[0]), _BEHIND[descending].format(row, last)])


def _strictly(key: Key, value: Composable | None) -> Composable:
    """NULL sorts behind every value, and before it in descending order, as PostgreSQL has it."""
    if value is None:
        return (sql.SQL("{} IS NOT NULL") if key.descending else sql.SQL("false AND {} IS NULL")).format(key.sql)
    further = _BEHIND[key.descending].format(key.sql, value)
    if key.nullable and not key.descending:
        return sql.SQL("({} OR {} IS NULL)").format(further, key.sql)
    return further


def _equal(key: Key, value: Composable | None) -> Composable:
    return sql.SQL("{} IS NULL").format(key.sql) if value is None else sql.SQL("{} = {}").format(key.sql, value)


def token(keys: list[Composable]) -> Composable:
    """Give the text of a row's keys that stands in a link: a JSON array of texts in URL-safe base64."""
    texts = sql.SQL(", ").join([sql.SQL("{}::text").format(key) for key in keys])
    template = sql.SQL("rtrim(translate(encode(convert_to(json_build_array({})::text, 'UTF8'), 'base64'), E'+/\\n', '-_'), '=')")
    return template.format(texts)
