"""Literals of a query → text that PostgreSQL reads, checked so far that it can't fail there."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.lexer import Token, TokenKind
from api.sensorthings.odata.syntax import LiteralKind

_BIGINT = 2**63
_NUMERIC = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d.*")
_ZONE = re.compile(r" (?=\d\d:?\d\d$)")
_DURATION = re.compile(
    r"-?P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?", re.IGNORECASE
)

Value = tuple[LiteralKind, tuple[str, ...]]


def value_of(token: Token, where: str) -> Value:
    """Give the kind and the text of a literal (two texts for an interval); raises `MalformedQueryError` for what can't be one."""
    try:
        return _READERS[token.kind](token.text)
    except (ValueError, OverflowError) as error:
        raise MalformedQueryError(where, token.start + 1, f"{token.text[:60]!r} is not {token.kind.value}: {error}") from error


def _string(text: str) -> Value:
    value = text[1:-1].replace("''", "'")
    if "\0" in value:
        raise ValueError("no text holds the character NUL")
    if _NUMERIC.fullmatch(value) and math.isfinite(float(value)):
        return LiteralKind.NUMERIC_STRING, (value,)
    if _TIME.fullmatch(value):
        try:
            return LiteralKind.TIME_STRING, (_instant(value),)
        except ValueError:
            return LiteralKind.STRING, (value,)
    return LiteralKind.STRING, (value,)


def number(text: str) -> Value:
    """Read a number with its sign."""
    if not math.isfinite(float(text)):
        raise ValueError("larger than a double precision number")
    if text.lstrip("-").isdigit() and -_BIGINT <= int(text) < _BIGINT:
        return LiteralKind.INTEGER, (text,)
    return LiteralKind.DECIMAL, (text,)


def _instant(text: str) -> str:
    moment = datetime.fromisoformat(_ZONE.sub("+", text.upper()))
    # Without a zone: UTC, in which everything is stored.
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat()


def _interval(text: str) -> Value:
    first, last = (_instant(part) for part in text.split("/"))
    if datetime.fromisoformat(last) < datetime.fromisoformat(first):
        raise ValueError("it ends before it starts")
    return LiteralKind.INTERVAL, (first, last)


def _time(text: str) -> Value:
    return LiteralKind.TIME, (_instant(text),)


def _date(text: str) -> Value:
    return LiteralKind.DATE, (datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat(),)


def _clock(text: str) -> Value:
    return LiteralKind.CLOCK, (datetime.fromisoformat(f"2000-01-01T{text}").time().isoformat(),)


def _duration(text: str) -> Value:
    value = text[text.index("'") + 1 : -1]
    if not _DURATION.fullmatch(value) or value.upper().endswith("T") or len(value) > 40:  # noqa: PLR2004 - no honest duration is longer
        raise ValueError("ISO 8601 writes PT1H or P1DT12H")
    if any(int(digits) > timedelta.max.days for digits in re.findall(r"\d+", value)):
        raise ValueError("too long")
    # PostgreSQL reads ISO 8601 but for one sign before the whole.
    sign, body = (value[0], value[1:]) if value.startswith("-") else ("", value)
    return LiteralKind.DURATION, (re.sub(r"(\d+(?:\.\d+)?)(?=[A-Z])", rf"{sign}\1", body.upper()),)


def _geometry(text: str) -> Value:
    from shapely import GEOSException, from_wkt  # noqa: PLC0415 - 20 MB that most processes never need

    value = re.sub(r"^SRID=4326;", "", text[text.index("'") + 1 : -1].strip(), flags=re.IGNORECASE)
    try:
        geometry = from_wkt(value)
    except GEOSException as error:
        raise ValueError("expected well-known text such as POINT(9.43 54.78)") from error
    return LiteralKind.GEOMETRY, (geometry.wkt,)


_READERS = {
    TokenKind.STRING: _string,
    TokenKind.NUMBER: number,
    TokenKind.TIME: _time,
    TokenKind.INTERVAL: _interval,
    TokenKind.DATE: _date,
    TokenKind.CLOCK: _clock,
    TokenKind.DURATION: _duration,
    TokenKind.GEOMETRY: _geometry,
}
