"""The rules of MultiDatastreams (18-088, 8.3): arrays of equal length, fixed at creation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from api.errors import InvalidEntityError
from api.sensorthings.entities.model import EntitySet

ARRAYS: Mapping[str, str] = {
    "multiObservationDataTypes": "multi_observation_data_types",
    "unitOfMeasurements": "unit_of_measurements",
}


def check_lengths(values: Mapping[str, Any], properties: int, path: str) -> None:
    """Refuse a new MultiDatastream whose arrays don't have an element for each of its ObservedProperties."""
    if properties == 0:
        name = f"{path}.ObservedProperties" if path else "ObservedProperties"
        raise InvalidEntityError(f"{name} is missing: it is mandatory", field=name)
    for name, column in ARRAYS.items():
        check_length(name, values[column], properties, path)


def check_length(name: str, value: list[Any], wanted: int, path: str = "") -> None:
    """Refuse an array that has not an element for each ObservedProperty."""
    if len(value) != wanted:
        where = f"{path}.{name}" if path else name
        raise InvalidEntityError(f"{where} has {len(value)} elements for {wanted} ObservedProperties", field=where)


def check_changed(entity_set: EntitySet, changed: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """Refuse a change of an array's length: each part of the stored results keeps its meaning."""
    if entity_set.name != "MultiDatastreams":
        return
    for name, column in ARRAYS.items():
        if column in changed:
            check_length(name, changed[column], len(stored[column]))


def array(value: Any, field: str) -> list[Any]:
    """Read an array; raises `InvalidEntityError`."""
    if not isinstance(value, list) or not value:
        raise InvalidEntityError(f"{field} must be an array with an element for each ObservedProperty", field=field)
    return cast("list[Any]", value)
