"""Comparisons and arithmetic between typed values."""

from __future__ import annotations

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.odata.syntax import LiteralKind
from api.sensorthings.odata.values import Type, Value, as_number, as_span, as_text, as_time, as_type, number_type

_SIGNS = {
    # Null differs from every value (OData 4, 5.1.1.1.2).
    "ne": sql.SQL("{} IS DISTINCT FROM {}"),
    "eq": sql.SQL("{} = {}"),
    "gt": sql.SQL("{} > {}"),
    "ge": sql.SQL("{} >= {}"),
    "lt": sql.SQL("{} < {}"),
    "le": sql.SQL("{} <= {}"),
}
# OGC's suite takes every entity that a comparison of times leaves for one with a time.
_OTHER_TIME = sql.SQL("{} <> {}")
_MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}
# Which type a pair is compared as, the first that both can be read as.
_ORDER = (Type.NUMBER, Type.TIME, Type.BOOLEAN, Type.DATE, Type.CLOCK, Type.DURATION, Type.STRING)

# The bound on the start alone is redundant, but an index can use it.
_SPANS = {
    "gt": sql.SQL("({a} >= {d} AND {a} > {c})"),
    "ge": sql.SQL("({a} >= {c})"),
    "lt": sql.SQL("({a} < {c} AND {b} <= {c})"),
    "le": sql.SQL("({a} <= {d} AND {b} <= {d})"),
    "eq": sql.SQL("({a} = {c} AND {b} = {d})"),
    "ne": sql.SQL("(NOT ({a} = {c} AND {b} = {d}))"),
}


# Not the constants: ORDER BY refuses them.
_EVER = sql.SQL("(1 = 1)")
_NEVER = sql.SQL("(1 = 0)")


def boolean(composed: Composable) -> Value:
    """Make a truth value."""
    return Value(type=Type.BOOLEAN, sql=composed)


def compare(operator: str, left: Value, right: Value) -> Value | None:  # noqa: PLR0911 - the first rule that fits
    """Compare two values; None where their types can't be compared."""
    if right.type is Type.NULL:
        return _with_null(operator, left)
    if left.type is Type.NULL:
        return _with_null(_MIRRORED[operator], right)
    if Type.INTERVAL in (left.type, right.type):
        return _spans(operator, left, right)
    if left.type is Type.GEOMETRY and right.type is Type.GEOMETRY:
        return _geometries(operator, left, right)
    if left.type is Type.JSON and right.type is Type.JSON:
        return boolean(sql.Composed([sql.SQL("("), _SIGNS[operator].format(left.sql, right.sql), sql.SQL(")")]))
    if Type.RESULT in (left.type, right.type):
        return _results(operator, left, right)
    return _as_common(operator, left, right)


def _as_common(operator: str, left: Value, right: Value) -> Value | None:
    both_text = left.type in (Type.STRING, Type.JSON) and right.type in (Type.STRING, Type.JSON)
    for wanted in (Type.STRING,) if both_text else _ORDER:
        pair = _pair(left, right, wanted)
        if pair is not None:
            sign = _OTHER_TIME if operator == "ne" and wanted is Type.TIME else _SIGNS[operator]
            return boolean(sql.SQL("({})").format(sign.format(*pair)))
    return None


def _pair(left: Value, right: Value, wanted: Type) -> tuple[Composable, Composable] | None:
    one = as_type(left, wanted, number_type(right))
    other = as_type(right, wanted, number_type(left))
    return None if one is None or other is None else (one, other)


def _with_null(operator: str, value: Value) -> Value:
    if operator not in ("eq", "ne"):
        return boolean(_NEVER)
    match value.type:
        case Type.NULL:
            return boolean(_EVER if operator == "eq" else _NEVER)
        case Type.JSON:
            is_null = sql.SQL("coalesce({}, 'null') = 'null'").format(value.sql)
        case Type.RESULT:
            is_null = sql.SQL("{} IS NULL AND ({} #>> '{{}}') IS NULL").format(value.sql, value.end or value.sql)
        case _:
            is_null = sql.SQL("{} IS NULL").format(sql.SQL("{}::text").format(value.sql) if value.literal else value.sql)
    return boolean((sql.SQL("({})") if operator == "eq" else sql.SQL("(NOT ({}))")).format(is_null))


def _spans(operator: str, left: Value, right: Value) -> Value | None:
    one, other = as_span(left), as_span(right)
    if one is None or other is None:
        return None
    return boolean(_SPANS[operator].format(a=one[0], b=one[1], c=other[0], d=other[1]))


def _geometries(operator: str, left: Value, right: Value) -> Value | None:
    one, other = as_type(left, Type.GEOMETRY), as_type(right, Type.GEOMETRY)
    if operator not in ("eq", "ne") or one is None or other is None:
        return None
    return boolean((sql.SQL("ST_Equals({}, {})") if operator == "eq" else sql.SQL("(NOT ST_Equals({}, {}))")).format(one, other))


def _results(operator: str, left: Value, right: Value) -> Value | None:
    if left.type is not Type.RESULT:
        return _results(_MIRRORED[operator], right, left)
    number = as_number(right, "float8") if right.type in (Type.NUMBER, Type.STRING) else None
    text = as_text(right)
    if right.type is Type.RESULT or (right.type is Type.STRING and number is None):
        # A number never equals a string, so only the other column can match.
        return _other_result(operator, left, text)
    if number is not None and right.literal is LiteralKind.NUMERIC_STRING:
        # A quoted number asks for texts, as with FROST and as OGC's suite expects: '10' comes before '3'.
        template = sql.SQL('(coalesce(({n})::text, {other}) COLLATE "C")')
        result = template.format(n=left.sql, other=sql.SQL("({} #>> '{{}}')").format(left.end))
        return boolean(sql.SQL("({})").format(_SIGNS[operator].format(result, text)))
    return _as_common(operator, left, right)


def _other_result(operator: str, left: Value, text: Composable | None) -> Value | None:
    if text is None or left.end is None:
        return None
    return boolean(sql.SQL("({})").format(_SIGNS[operator].format(sql.SQL("({} #>> '{{}}')").format(left.end), text)))


_ARITHMETIC = {
    "add": sql.SQL("({} + {})"),
    "sub": sql.SQL("({} - {})"),
    "mul": sql.SQL("({} * {})"),
    # Null instead of an error: one row must not refuse the whole page.
    "div": sql.SQL("({} / nullif({}, 0))"),
    "mod": sql.SQL("mod({}::numeric, nullif({}::numeric, 0))"),
}


def calculate(operator: str, left: Value, right: Value) -> Value | None:
    """Calculate with two values; None where their types don't allow it."""
    if {left.type, right.type} & {Type.TIME, Type.INTERVAL, Type.DURATION, Type.DATE}:
        return _calculate_time(operator, left, right)
    types = {number_type(left), number_type(right)} - {None}
    common = "float8" if "float8" in types and operator != "mod" else "numeric"
    one, other = as_number(left, common), as_number(right, common)
    if one is None or other is None:
        return None
    if common == "numeric":
        one, other = sql.SQL("{}::numeric").format(one), sql.SQL("{}::numeric").format(other)
    return Value(type=Type.NUMBER, sql=_ARITHMETIC[operator].format(one, other), number=common)


def _calculate_time(operator: str, left: Value, right: Value) -> Value | None:
    if operator not in ("add", "sub"):
        return None
    one, other = as_time(left), as_time(right)
    first, second = as_type(left, Type.DURATION), as_type(right, Type.DURATION)
    template = _ARITHMETIC[operator]
    if one is not None and second is not None:
        return Value(type=Type.TIME, sql=template.format(one, second))
    if one is not None and other is not None and operator == "sub":
        return Value(type=Type.DURATION, sql=template.format(one, other))
    if first is not None and other is not None and operator == "add":
        return Value(type=Type.TIME, sql=template.format(other, first))
    if first is not None and second is not None:
        return Value(type=Type.DURATION, sql=template.format(first, second))
    return None
