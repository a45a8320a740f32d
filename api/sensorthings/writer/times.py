"""Times of SensorThings: ISO 8601 with seconds and a zone, and intervals of two of them (18-088, 8.1 and ISO 8601)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from api.errors import InvalidEntityError

_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:?[0-9]{2})",
)
_PLAIN_MARKS = "--T::Z"  # of 2026-11-22T10:15:00Z, the form that Python reads at once
_FORM = "a time as 2026-11-22T10:15:00Z or with an offset as +01:00"


def instant(value: Any, field: str) -> datetime:
    """Read an instant as aware UTC, to the microsecond; raises `InvalidEntityError`."""
    if not isinstance(value, str):
        raise InvalidEntityError(f"{field} must be {_FORM}", field=field)
    if value[4::3] == _PLAIN_MARKS and value.isascii():
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return _in_parts(value, field)
    return _in_parts(value, field)


def _in_parts(value: str, field: str) -> datetime:
    found = _INSTANT.fullmatch(value)
    if found is None:
        raise InvalidEntityError(f"{field} must be {_FORM}", field=field)
    day, clock, fraction, zone = found.groups()
    micros = (fraction or "")[:6].ljust(6, "0")
    offset = "+00:00" if zone in "Zz" else zone
    try:
        return datetime.fromisoformat(f"{day}T{clock}.{micros}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidEntityError(f"{field} is no time that exists between the years 1 and 9999", field=field) from None


def interval(value: Any, field: str) -> tuple[datetime, datetime]:
    """Read `start/end`; raises `InvalidEntityError`."""
    start, slash, end = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash:
        raise InvalidEntityError(f"{field} must be an interval start/end", field=field)
    first, last = instant(start, field), instant(end, field)
    if last < first:
        raise InvalidEntityError(f"{field} ends before it starts", field=field)
    return first, last


def instant_or_interval(value: Any, field: str) -> tuple[datetime, datetime | None]:
    """Read an instant (end None) or an interval; raises `InvalidEntityError`."""
    if isinstance(value, str) and "/" in value:
        return interval(value, field)
    return instant(value, field), None
