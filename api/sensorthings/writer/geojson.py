"""GeoJSON (RFC 7946) of Locations and FeaturesOfInterest: types, positions in range, rings closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

from api.errors import InvalidEntityError

MEDIA_TYPES = frozenset({"application/geo+json", "application/vnd.geo+json"})

_LON, _LAT = 180.0, 90.0
_RING = 4  # fewest positions of a closed ring
_PLACES = (2, 3)


def check_geojson(value: Any, field: str) -> None:
    """Check any GeoJSON object; raises `InvalidEntityError` naming the place of the fault."""
    given = _object(value, field)
    match given.get("type"):
        case "Feature":
            _feature(given, field)
        case "FeatureCollection":
            for index, feature in enumerate(_array(given.get("features"), f"{field}.features", least=1)):
                _feature(_object(feature, f"{field}.features[{index}]"), f"{field}.features[{index}]")
        case _:
            check_geometry(given, field)


def check_geometry(value: Any, field: str) -> None:
    """Check a geometry; raises `InvalidEntityError`."""
    given = _object(value, field)
    kind = given.get("type")
    if kind == "GeometryCollection":
        for index, geometry in enumerate(_array(given.get("geometries"), f"{field}.geometries", least=1)):
            check_geometry(geometry, f"{field}.geometries[{index}]")
        return
    check = _COORDINATES.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise InvalidEntityError(f"{field}.type must be a type of GeoJSON: {', '.join(_COORDINATES)}", field=f"{field}.type")
    if "coordinates" not in given:
        raise InvalidEntityError(f"{field}.coordinates is missing", field=f"{field}.coordinates")
    check(given["coordinates"], f"{field}.coordinates")


def _feature(given: dict[str, Any], field: str) -> None:
    if given.get("type") != "Feature":
        raise InvalidEntityError(f"{field}.type must be Feature", field=f"{field}.type")
    if "geometry" not in given:
        raise InvalidEntityError(f"{field}.geometry is missing", field=f"{field}.geometry")
    check_geometry(given["geometry"], f"{field}.geometry")


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidEntityError(f"{field} must be a GeoJSON object", field=field)
    return cast("dict[str, Any]", value)


def _array(value: Any, field: str, *, least: int) -> list[Any]:
    if not isinstance(value, list) or len(cast("list[Any]", value)) < least:
        raise InvalidEntityError(f"{field} must be an array of at least {least}", field=field)
    return cast("list[Any]", value)


def _position(value: Any, field: str) -> None:
    numbers = _array(value, field, least=2)
    if len(numbers) not in _PLACES or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        raise InvalidEntityError(f"{field} must be [longitude, latitude] or [longitude, latitude, height]", field=field)
    if abs(numbers[0]) > _LON or abs(numbers[1]) > _LAT:
        raise InvalidEntityError(
            f"{field}: longitude must be within ±180 and latitude within ±90, in this order",
            field=field,
        )


def _line(value: Any, field: str) -> None:
    _each(value, field, _position, least=2)


def _ring(value: Any, field: str) -> None:
    _each(value, field, _position, least=_RING)
    if value[0] != value[-1]:
        raise InvalidEntityError(f"{field} must be closed: its last position is not its first", field=field)


def _polygon(value: Any, field: str) -> None:
    _each(value, field, _ring, least=1)


def _each(value: Any, field: str, check: Callable[[Any, str], None], *, least: int) -> None:
    for index, part in enumerate(_array(value, field, least=least)):
        check(part, f"{field}[{index}]")


_COORDINATES: Mapping[str, Callable[[Any, str], None]] = MappingProxyType(
    {
        "Point": _position,
        "MultiPoint": lambda value, field: _each(value, field, _position, least=1),
        "LineString": _line,
        "MultiLineString": lambda value, field: _each(value, field, _line, least=1),
        "Polygon": _polygon,
        "MultiPolygon": lambda value, field: _each(value, field, _polygon, least=1),
    }
)
