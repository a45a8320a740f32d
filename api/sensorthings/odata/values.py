"""Typed SQL values of an expression, and what each can be read as."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.odata.syntax import LiteralKind


class Type(enum.Enum):
    """Types of expressions; the value is how an error message calls them."""

    NUMBER = "a number"
    STRING = "a string"
    BOOLEAN = "a truth value"
    TIME = "a time"
    INTERVAL = "a time interval"
    DATE = "a date"
    CLOCK = "a time of day"
    DURATION = "a duration"
    GEOMETRY = "a geometry"
    JSON = "a JSON value"
    RESULT = "a result"
    NULL = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """An SQL expression of a type. INTERVAL: `end` may be NULL (an instant). RESULT: `end` is the JSON column.

    `number` is the SQL type of a NUMBER, `shape` the same GEOMETRY as PostGIS has it, where it is stored. `literal` tells what a
    literal looks like; its `sql` is then the bare parameter.
    """

    type: Type
    sql: Composable
    end: Composable | None = None
    number: str = "float8"
    literal: LiteralKind | None = None
    nullable: bool = True
    shape: Composable | None = None


_CAST = {
    "float8": sql.SQL("{}::float8"),
    "bigint": sql.SQL("{}::bigint"),
    "numeric": sql.SQL("{}::numeric"),
}
_JSON_NUMBER = sql.SQL("(CASE WHEN jsonb_typeof({0}) = 'number' THEN ({0})::numeric END)")
_JSON_TEXT = sql.SQL("({} #>> '{{}}')")
_JSON_TIME = sql.SQL(
    "(CASE WHEN jsonb_typeof({0}) = 'string' AND pg_input_is_valid({0} #>> '{{}}', 'timestamptz')"
    " THEN ({0} #>> '{{}}')::timestamptz END)"
)
_JSON_BOOLEAN = sql.SQL("(CASE WHEN jsonb_typeof({0}) = 'boolean' THEN ({0})::boolean END)")


def number_type(value: Value) -> str | None:
    """Give the SQL type of the numbers that a value holds, None for a literal: it follows its peer."""
    if value.literal is not None:
        return None
    return {Type.NUMBER: value.number, Type.RESULT: "float8", Type.JSON: "numeric"}.get(value.type)


def as_number(value: Value, peer: str | None = None) -> Composable | None:
    """Read as a number; a literal takes the SQL type `peer`."""
    if value.literal is not None:
        if value.literal not in (LiteralKind.INTEGER, LiteralKind.DECIMAL, LiteralKind.NUMERIC_STRING):
            return None
        wanted = peer or "numeric"
        if wanted == "bigint" and value.literal is not LiteralKind.INTEGER:
            wanted = "numeric"
        return _CAST[wanted].format(value.sql)
    match value.type:
        case Type.NUMBER | Type.RESULT:
            return value.sql
        case Type.JSON:
            return _JSON_NUMBER.format(value.sql)
        case _:
            return None


def as_text(value: Value) -> Composable | None:
    """Read as a string."""
    match value.type:
        case Type.STRING:
            return sql.SQL("{}::text").format(value.sql) if value.literal else value.sql
        case Type.JSON:
            return _JSON_TEXT.format(value.sql)
        case Type.RESULT:
            return sql.SQL("coalesce({} #>> '{{}}', {}::text)").format(value.end or value.sql, value.sql)
        case _:
            return None


def as_time(value: Value) -> Composable | None:
    """Read as an instant: the start of an interval, midnight UTC of a date."""
    if value.literal in (LiteralKind.TIME, LiteralKind.TIME_STRING, LiteralKind.INTERVAL):
        return sql.SQL("{}::timestamptz").format(value.sql)
    match value.type:
        case Type.TIME | Type.INTERVAL:
            return value.sql
        case Type.DATE:
            date = sql.SQL("{}::date").format(value.sql) if value.literal else value.sql
            return sql.SQL("({}::timestamp AT TIME ZONE 'UTC')").format(date)
        case Type.JSON:
            return _JSON_TIME.format(value.sql)
        case _:
            return None


def as_span(value: Value) -> tuple[Composable, Composable] | None:
    """Read as an interval with both ends."""
    start = as_time(value)
    if start is None:
        return None
    if value.type is not Type.INTERVAL or value.end is None:
        return start, start
    if value.literal:
        return start, sql.SQL("{}::timestamptz").format(value.end)
    return start, sql.SQL("coalesce({}, {})").format(value.end, start)


def as_boolean(value: Value) -> Composable | None:
    """Read as a truth value."""
    match value.type:
        case Type.BOOLEAN:
            return value.sql
        case Type.JSON:
            return _JSON_BOOLEAN.format(value.sql)
        case Type.RESULT:
            return _JSON_BOOLEAN.format(sql.SQL("{}::jsonb").format(value.end or value.sql))
        case _:
            return None


def as_geometry(value: Value) -> Composable | None:
    """Read as a PostGIS geometry, EPSG:4326."""
    if value.type is not Type.GEOMETRY:
        return None
    if value.literal:
        # Once for the statement: a parameter's text would be read anew for each row.
        return sql.SQL("(SELECT ST_GeomFromText({}::text, 4326))").format(value.sql)
    return value.shape or sql.SQL("read.geometry_of({})").format(value.sql)


_PLAIN = {Type.DATE: sql.SQL("{}::date"), Type.CLOCK: sql.SQL("{}::time"), Type.DURATION: sql.SQL("{}::interval")}


def as_type(value: Value, wanted: Type, peer: str | None = None) -> Composable | None:  # noqa: PLR0911 - one line for each type
    """Read as a type, None where that makes no sense."""
    match wanted:
        case Type.NUMBER:
            return as_number(value, peer)
        case Type.STRING:
            return as_text(value)
        case Type.TIME:
            return as_time(value)
        case Type.BOOLEAN:
            return as_boolean(value)
        case Type.GEOMETRY:
            return as_geometry(value)
        case Type.DATE | Type.CLOCK | Type.DURATION:
            if value.type is not wanted:
                return None
            return _PLAIN[wanted].format(value.sql) if value.literal else value.sql
        case _:
            return value.sql if value.type is wanted else None
