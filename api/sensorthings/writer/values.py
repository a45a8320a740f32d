"""One property of a body: checked against its description, and turned into what its columns take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from api.errors import InvalidEntityError
from api.sensorthings.entities.model import EntitySet, Kind, Property
from api.sensorthings.writer import times
from api.sensorthings.writer.geojson import MEDIA_TYPES, check_geojson, check_geometry
from api.sensorthings.writer.multi_datastream import ARRAYS, array
from api.sensorthings.writer.registry import check_properties

_UNIT = ("name", "symbol", "definition")
_LONGEST_TEXT = 100_000
_MAY_BE_EMPTY = frozenset({"description"})


def column_values(entity_set: EntitySet, described: Property, value: Any, *, field: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the columns of one property, not None; raises `InvalidEntityError` naming `field`.

    `body` is the entity's, for its encodingType says what its geometry is.
    """
    match described.kind:
        case Kind.STRING:
            _check_text(described, value, field)
            if described.default and value != described.default:
                raise InvalidEntityError(f"{field} must be {described.default}", field=field)
        case Kind.OBJECT:
            _check_object(entity_set, described, value, field)
        case Kind.GEOMETRY:
            _check_place(value, field, body.get("encodingType") if entity_set.property("encodingType") else None)
        case Kind.JSON if described.name in ARRAYS:
            _check_array(described, value, field)
        case Kind.INSTANT:
            return {described.columns[0]: times.instant(value, field)}
        case Kind.INTERVAL:
            return dict(zip(described.columns, times.instant_or_interval(value, field), strict=True))
        case _:
            pass
    return {described.columns[0]: value}


def _check_text(described: Property, value: Any, field: str) -> None:
    if not isinstance(value, str):
        raise InvalidEntityError(f"{field} must be a string", field=field)
    if len(value) > _LONGEST_TEXT:
        raise InvalidEntityError(f"{field} is longer than {_LONGEST_TEXT} characters", field=field)
    if not value.strip() and described.name not in _MAY_BE_EMPTY:
        raise InvalidEntityError(f"{field} is empty", field=field)


def _check_object(entity_set: EntitySet, described: Property, value: Any, field: str) -> None:
    if not isinstance(value, dict):
        raise InvalidEntityError(f"{field} must be an object", field=field)
    given = cast("dict[str, Any]", value)
    if described.name == "unitOfMeasurement":
        _check_unit(given, field)
    elif described.name == "properties":
        check_properties(entity_set.name, given, field)


def _check_array(described: Property, value: Any, field: str) -> None:
    for index, item in enumerate(array(value, field)):
        if described.name == "unitOfMeasurements":
            if not isinstance(item, dict):
                raise InvalidEntityError(f"{field}[{index}] must be an object", field=f"{field}[{index}]")
            _check_unit(cast("dict[str, Any]", item), f"{field}[{index}]")
        elif not isinstance(item, str):
            raise InvalidEntityError(f"{field}[{index}] must be a string", field=f"{field}[{index}]")


def _check_unit(given: Mapping[str, Any], field: str) -> None:
    for name in _UNIT:
        if name not in given:
            raise InvalidEntityError(f"{field}.{name} is missing", field=f"{field}.{name}")
        if not isinstance(given[name], str | None):
            raise InvalidEntityError(f"{field}.{name} must be a string or null", field=f"{field}.{name}")
    for name in given:
        if name not in _UNIT:
            raise InvalidEntityError(f"{field}.{name} is unknown: a unit has {', '.join(_UNIT)}", field=f"{field}.{name}")


def _check_place(value: Any, field: str, encoding_type: Any) -> None:
    """Check GeoJSON; what another encodingType means is the client's business (18-088, table 7)."""
    if encoding_type is None:
        check_geometry(value, field)
    elif isinstance(encoding_type, str) and encoding_type.partition(";")[0].strip().lower() in MEDIA_TYPES:
        check_geojson(value, field)
