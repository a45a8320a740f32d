"""What Grafana makes of a query before PostgreSQL sees it: variables, then global macros, then the data source's macros.

Written after Grafana's documentation and source (13.x): `templateSrv.replace` with the SQL data sources' quoting in the browser,
`sqleng.Interpolate` and the PostgreSQL macro engine on the server. Its quirks are kept: a macro's arguments end at the first `)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)|\[\[(\w+)\]\]")
_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
_DURATION = re.compile(r"(\d+)(ms|[smhdwMy])")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_629_800, "y": 31_557_600}


class MacroError(ValueError):
    """Grafana would refuse this query before it reaches the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """The dashboard's time range, aware UTC."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A variable's custom value for All (`allValue`), which Grafana inserts as it stands."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """The value of a variable without multiple values and All: quotes are doubled, none are added."""

    text: str


Value = One | Raw | Sequence[str]


def expand(sql: str, span: TimeRange, variables: Mapping[str, Value], *, timescaledb: bool, interval_s: int = 60) -> str:
    """Give the SQL that reaches PostgreSQL; raises `MacroError`.

    A sequence is the selection of a variable with multiple values. `interval_s` is `$__interval`, which follows from the range and
    the panel's width.
    """
    sql = _VARIABLE.sub(lambda match: _inserted(match, variables), sql)
    sql = sql.replace("$__interval_ms", str(interval_s * 1000)).replace("$__interval", f"{interval_s}s")
    sql = sql.replace("$__unixEpochFrom()", str(int(span.start.timestamp()))).replace(
        "$__unixEpochTo()", str(int(span.end.timestamp()))
    )
    return _MACRO.sub(lambda match: _macro(match, span, timescaledb=timescaledb), sql)


def _inserted(match: re.Match[str], variables: Mapping[str, Value]) -> str:
    name = match[1] or match[2] or match[3]
    if name.startswith("__") or (match[2] and name not in variables):
        return match[0]  # a macro, or no variable of this dashboard: Grafana leaves the text
    value = variables.get(name)
    if value is None:
        raise MacroError(f"${{{name}}} is no variable of this dashboard")
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, One):
        return value.text.replace("'", "''")
    return ",".join("'" + item.replace("'", "''") + "'" for item in value)


def _macro(match: re.Match[str], span: TimeRange, *, timescaledb: bool) -> str:
    name = match[1]
    arguments = [argument.strip(" ") for argument in match[2].split(",")]
    if name == "__timeGroup" and match.string[match.end() : match.end() + 1] == ",":
        name = "__timeGroupAlias"
    if name.removesuffix("Alias") in {"__timeGroup", "__unixEpochGroup"}:
        text = _group(name.removesuffix("Alias"), arguments, timescaledb=timescaledb)
        return text + ' AS "time"' if name.endswith("Alias") else text
    column = arguments[0]
    start, end = _rfc3339(span.start), _rfc3339(span.end)
    first, last = int(span.start.timestamp()), int(span.end.timestamp())
    known = {
        "__time": f'{column} AS "time"',
        "__timeEpoch": f'extract(epoch from {column}) as "time"',
        "__timeFilter": f"{column} BETWEEN '{start}' AND '{end}'",
        "__timeFrom": f"'{start}'",
        "__timeTo": f"'{end}'",
        "__unixEpochFilter": f"{column} >= {first} AND {column} <= {last}",
        "__unixEpochNanoFilter": f"{column} >= {first}000000000 AND {column} <= {last}000000000",
        "__unixEpochNanoFrom": f"{first}000000000",
        "__unixEpochNanoTo": f"{last}000000000",
    }
    if name not in known:
        raise MacroError(f'unknown macro "{name}"')
    return known[name]


def _group(name: str, arguments: list[str], *, timescaledb: bool) -> str:
    if len(arguments) < 2:  # noqa: PLR2004 - column and interval
        raise MacroError(f"macro {name} needs time column and interval and optional fill value")
    column, seconds = arguments[0], _parse_interval(arguments[1].strip("'"))
    if name == "__unixEpochGroup":
        return f"floor(({column})/{seconds:g})*{seconds:g}"
    if timescaledb:
        return f"time_bucket('{seconds:.3f}s',{column})"
    return f"floor(extract(epoch from {column})/{seconds:.17g})*{seconds:.17g}"


def _parse_interval(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if not match:
        raise MacroError(f"error parsing interval {text}")
    return int(match[1]) * _SECONDS[match[2]]


def _rfc3339(at: datetime) -> str:
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{at.microsecond:06}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"
