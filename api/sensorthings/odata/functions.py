"""The functions of `$filter` and `$orderby` as a table (18-088, 9.3.3.5.2): name, types of arguments, type of result, SQL."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.odata.values import Type, Value, as_span, as_type

_TEXT, _NUMBER, _TIME, _SPAN = Type.STRING, Type.NUMBER, Type.TIME, Type.INTERVAL
_GEOMETRY, _BOOLEAN, _DATE, _CLOCK = Type.GEOMETRY, Type.BOOLEAN, Type.DATE, Type.CLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function. In `template` an argument is `{0}`, `{1}`, …; one of type INTERVAL takes two places: start and end.

    `overlapping`: it is true only of geometries whose bounding boxes overlap, which an index finds.
    """

    arguments: tuple[Type, ...]
    result: Type
    template: sql.SQL
    number: str = "numeric"
    overlapping: bool = False

    @property
    def spatial(self) -> bool:
        """Whether it needs PostGIS."""
        return _GEOMETRY in self.arguments

    def apply(self, arguments: tuple[Value, ...]) -> Value | None:
        """Call it; None where the arguments' types don't fit."""
        places: list[Composable] = []
        for value, wanted in zip(arguments, self.arguments, strict=True):
            if wanted is _SPAN:
                span = as_span(value)
                if span is None:
                    return None
                places.extend(span)
                continue
            place = as_type(value, wanted, self.number if wanted is _NUMBER else None)
            if place is None:
                return None
            places.append(place)
        return Value(type=self.result, sql=self.template.format(*places), number=self.number)


def _f(template: sql.SQL, result: Type, *arguments: Type, number: str = "numeric") -> Function:
    return Function(arguments=arguments, result=result, template=template, number=number)


_STRINGS: dict[str, list[Function]] = {
    "substringof": [_f(sql.SQL("(strpos({1}, {0}) > 0)"), _BOOLEAN, _TEXT, _TEXT)],
    "contains": [_f(sql.SQL("(strpos({0}, {1}) > 0)"), _BOOLEAN, _TEXT, _TEXT)],
    "startswith": [_f(sql.SQL("starts_with({0}, {1})"), _BOOLEAN, _TEXT, _TEXT)],
    "endswith": [_f(sql.SQL("(right({0}, length({1})) = {1})"), _BOOLEAN, _TEXT, _TEXT)],
    "length": [_f(sql.SQL("length({0})"), _NUMBER, _TEXT)],
    "indexof": [_f(sql.SQL("(strpos({0}, {1}) - 1)"), _NUMBER, _TEXT, _TEXT)],
    "substring": [
        _f(sql.SQL("substr({0}, greatest({1}, 0)::int + 1)"), _TEXT, _TEXT, _NUMBER),
        _f(sql.SQL("substr({0}, greatest({1}, 0)::int + 1, greatest({2}, 0)::int)"), _TEXT, _TEXT, _NUMBER, _NUMBER),
    ],
    "tolower": [_f(sql.SQL("lower({0})"), _TEXT, _TEXT)],
    "toupper": [_f(sql.SQL("upper({0})"), _TEXT, _TEXT)],
    "trim": [_f(sql.SQL("btrim({0}, E' \\t\\r\\n')"), _TEXT, _TEXT)],
    "concat": [_f(sql.SQL("({0} || {1})"), _TEXT, _TEXT, _TEXT)],
}

# The session's time zone is UTC, so parts of a time are those in UTC.
_TIMES: dict[str, list[Function]] = {
    "year": [_f(sql.SQL("extract(year FROM {0})"), _NUMBER, _TIME)],
    "month": [_f(sql.SQL("extract(month FROM {0})"), _NUMBER, _TIME)],
    "day": [_f(sql.SQL("extract(day FROM {0})"), _NUMBER, _TIME)],
    "hour": [_f(sql.SQL("extract(hour FROM {0})"), _NUMBER, _TIME)],
    "minute": [_f(sql.SQL("extract(minute FROM {0})"), _NUMBER, _TIME)],
    "second": [_f(sql.SQL("floor(extract(second FROM {0}))"), _NUMBER, _TIME)],
    "fractionalseconds": [_f(sql.SQL("mod(extract(second FROM {0}), 1)"), _NUMBER, _TIME)],
    "date": [_f(sql.SQL("({0} AT TIME ZONE 'UTC')::date"), _DATE, _TIME)],
    "time": [_f(sql.SQL("({0} AT TIME ZONE 'UTC')::time"), _CLOCK, _TIME)],
    "totaloffsetminutes": [_f(sql.SQL("(extract(timezone FROM {0}) / 60)"), _NUMBER, _TIME)],
    "now": [_f(sql.SQL("now()"), _TIME)],
    "mindatetime": [_f(sql.SQL("'-infinity'::timestamptz"), _TIME)],
    "maxdatetime": [_f(sql.SQL("'infinity'::timestamptz"), _TIME)],
}

_INTERVALS: dict[str, list[Function]] = {
    "before": [_f(sql.SQL("({0} < {2} AND {1} <= {2})"), _BOOLEAN, _SPAN, _SPAN)],
    "after": [_f(sql.SQL("({0} >= {3} AND {0} > {2})"), _BOOLEAN, _SPAN, _SPAN)],
    "meets": [_f(sql.SQL("({1} = {2} OR {3} = {0})"), _BOOLEAN, _SPAN, _SPAN)],
    "during": [_f(sql.SQL("({0} >= {2} AND {0} <= {3} AND {1} <= {3})"), _BOOLEAN, _SPAN, _SPAN)],
    "overlaps": [
        _f(
            sql.SQL(
                "({0} <= {3} AND tstzrange({0}, {1}, CASE WHEN {0} = {1} THEN '[]' ELSE '[)' END)"
                " && tstzrange({2}, {3}, CASE WHEN {2} = {3} THEN '[]' ELSE '[)' END))"
            ),
            _BOOLEAN,
            _SPAN,
            _SPAN,
        )
    ],
    "starts": [_f(sql.SQL("({0} = {2})"), _BOOLEAN, _SPAN, _SPAN)],
    "finishes": [_f(sql.SQL("({1} = {3})"), _BOOLEAN, _SPAN, _SPAN)],
}

_MATHEMATICS: dict[str, list[Function]] = {
    "round": [_f(sql.SQL("round({0}::numeric)"), _NUMBER, _NUMBER)],
    "floor": [_f(sql.SQL("floor({0})"), _NUMBER, _NUMBER)],
    "ceiling": [_f(sql.SQL("ceil({0})"), _NUMBER, _NUMBER)],
}


def _relation(template: sql.SQL, *, overlapping: bool = True) -> list[Function]:
    return [Function(arguments=(_GEOMETRY, _GEOMETRY), result=_BOOLEAN, template=template, overlapping=overlapping)]


_SPACE: dict[str, list[Function]] = {
    "geo.distance": [_f(sql.SQL("ST_Distance({0}, {1})"), _NUMBER, _GEOMETRY, _GEOMETRY, number="float8")],
    "geo.length": [_f(sql.SQL("ST_Length({0})"), _NUMBER, _GEOMETRY, number="float8")],
    "geo.intersects": _relation(sql.SQL("ST_Intersects({0}, {1})")),
    "st_equals": _relation(sql.SQL("ST_Equals({0}, {1})")),
    "st_disjoint": _relation(sql.SQL("ST_Disjoint({0}, {1})"), overlapping=False),
    "st_touches": _relation(sql.SQL("ST_Touches({0}, {1})")),
    "st_within": _relation(sql.SQL("ST_Within({0}, {1})")),
    "st_overlaps": _relation(sql.SQL("ST_Overlaps({0}, {1})")),
    "st_crosses": _relation(sql.SQL("ST_Crosses({0}, {1})")),
    "st_intersects": _relation(sql.SQL("ST_Intersects({0}, {1})")),
    "st_contains": _relation(sql.SQL("ST_Contains({0}, {1})")),
    # Not ST_Relate(a, b, pattern): PostGIS 3.5.2 turns the pattern round once it has prepared b, from the third row on.
    "st_relate": [_f(sql.SQL("ST_RelateMatch(ST_Relate({0}, {1}), {2})"), _BOOLEAN, _GEOMETRY, _GEOMETRY, _TEXT)],
}

FUNCTIONS: dict[str, list[Function]] = _STRINGS | _TIMES | _INTERVALS | _MATHEMATICS | _SPACE
