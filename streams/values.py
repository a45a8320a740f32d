"""Values on their way into the store: JSON as PostgreSQL can read it, and the results of MultiDatastreams."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from devices import units
from streams.candidate import NAN, Channel

EXACT_INTEGER = 2**53

# json of the standard library: msgspec would write a NUL or a lone surrogate as PostgreSQL can't read it
dump_json: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def split_result(result: Any) -> tuple[float | None, str | None]:
    """Give the columns of a result that comes back as it was sent: its number, and its JSON where that says more."""
    if type(result) is float:
        return result, None
    is_number = isinstance(result, int | float) and not isinstance(result, bool)
    # An integer that a float can't hold keeps its text beside the number.
    exact = is_number and not (isinstance(result, int) and abs(result) > EXACT_INTEGER)
    return float(result) if is_number else None, None if exact or result is None else dump_json(result)


def check_parts(value: Any, unit: str | None, channel: Channel) -> None:
    """Check the result of a MultiDatastream, None or an array with a part for each ObservedProperty; raises `units.UnitError`."""
    if channel.parts is None:
        raise units.UnitError("wrong_type", "an array is a result of a MultiDatastream only")
    if value is not None and not has_all_parts(value, channel):
        raise units.UnitError("wrong_type", f"a result of this MultiDatastream is an array of {len(channel.parts)} elements")
    if unit is not None:
        raise units.UnitError("wrong_unit", "a MultiDatastream has units of its own: leave unit out")


def has_all_parts(value: Any, channel: Channel) -> bool:
    """Whether a value is an array with a part for each ObservedProperty; of a Datastream anything has."""
    return channel.parts is None or (isinstance(value, list) and len(cast("list[Any]", value)) == len(channel.parts))


def numbers_of(value: Any) -> tuple[float, ...]:
    """Give the parts of an array as numbers, NaN for what is none; empty for a value that is no array."""
    if not isinstance(value, list):
        return ()
    return tuple(
        float(part) if isinstance(part, int | float) and not isinstance(part, bool) else NAN for part in cast("list[Any]", value)
    )
