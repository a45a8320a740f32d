"""What the platform reads from `properties`: names of devices and channels, time zones, limits of the quality tests.

The entities are the registry, so a value here that the worker can't read is refused when it is written
(decisions.md 6, 8 and 9). Other properties are the client's own.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, cast

from api.errors import InvalidEntityError

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_BOX = 4
_MOST_DECIMALS = 12

Check = Callable[[Any], bool]


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _is_zone(value: Any) -> bool:
    return isinstance(value, str) and value in _zones()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_numbers(value: Any, count: int) -> bool:
    if not isinstance(value, list):
        return False
    numbers = cast("list[Any]", value)
    return len(numbers) == count and all(_is_number(number) for number in numbers)


def _is_span(value: Any) -> bool:
    return _are_numbers(value, 2) and value[0] <= value[1]


def _are_spans(value: Any) -> bool:
    return isinstance(value, list) and all(span is None or _is_span(span) for span in cast("list[Any]", value))


def _is_box(value: Any) -> bool:
    return _are_numbers(value, _BOX)


def _is_decimals(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_DECIMALS


_A_NAME: tuple[Check, str] = (
    _is_name,
    "a name of a-z, 0-9, '_', '.' and '-', at most 63 characters, beginning with a letter or digit",
)
_A_SPAN: tuple[Check, str] = (_is_span, "two numbers [low, high]")
_SPANS_OF_PARTS: tuple[Check, str] = (_are_spans, "an array with two numbers [low, high] or null for each part of the result")
_SPANS: Mapping[str, tuple[Check, str]] = {"fail_span": _A_SPAN, "suspect_span": _A_SPAN, "decimals": (_is_decimals, "0 to 12")}

_RULES: Mapping[str, Mapping[str, tuple[Check, str]]] = MappingProxyType(
    {
        "Things": {
            "tenant": _A_NAME,
            "device": _A_NAME,
            "timezone": (_is_zone, "a time zone of the IANA database, as Europe/Copenhagen"),
            "public": (_is_flag, "true or false"),
            "moving": (_is_flag, "true or false"),
            "location_radius_m": (_is_positive, "a number of metres above 0"),
            "bbox": (_is_box, "four numbers [west, south, east, north]"),
        },
        "Datastreams": {"channel": _A_NAME, "interval_s": (_is_positive, "a number of seconds above 0"), **_SPANS},
        "MultiDatastreams": {
            "channel": _A_NAME,
            "interval_s": (_is_positive, "a number of seconds above 0"),
            "fail_span": _SPANS_OF_PARTS,
            "suspect_span": _SPANS_OF_PARTS,
        },
        "ObservedProperties": _SPANS,
    }
)


def check_properties(entity_set: str, properties: Mapping[str, Any], field: str) -> None:
    """Check the `properties` of an entity; raises `InvalidEntityError` for one that the platform could not read."""
    for name, (holds, wanted) in _RULES.get(entity_set, {}).items():
        value = properties.get(name)
        if value is not None and not holds(value):
            raise InvalidEntityError(f"{field}.{name} must be {wanted}", field=f"{field}.{name}")
