"""The devices and channels that the SensorThings entities describe, kept in memory and read again when they change."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, cast

import psycopg
from psycopg.rows import TupleRow

from streams.candidate import NAN, Channel, Kind
from streams.quality.rules import Rules
from streams.quality.rulesets import LATEST, RulesetError, rules_for
from streams.queries import query
from streams.rulebook import RuleBook

log = logging.getLogger(__name__)

_TYPES = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_"
_KINDS = {
    f"{_TYPES}Measurement": Kind.NUMBER,
    f"{_TYPES}CountObservation": Kind.COUNT,
    f"{_TYPES}TruthObservation": Kind.TRUTH,
}

Connection = psycopg.AsyncConnection[TupleRow]
DeviceKey = tuple[str, str]


class Registry:
    """Channels by (tenant, device) and by their `property`."""

    def __init__(self) -> None:
        self._devices: dict[DeviceKey, dict[str, Channel]] = {}
        self._datastreams: dict[int, Channel] = {}  # those that clients wrote to
        self._features: set[int] = set()

    def channels(self, tenant: str, device: str) -> Mapping[str, Channel] | None:
        """Channels of a device, None for an unknown device."""
        return self._devices.get((tenant, device))

    def datastream(self, number: int) -> Channel | None:
        """Channel of a Datastream that `refresh_entities` found."""
        return self._datastreams.get(number)

    def has_feature(self, number: int) -> bool:
        """Whether `refresh_entities` found this FeatureOfInterest."""
        return number in self._features

    async def load(self, connection: Connection) -> None:
        """Read everything."""
        self._devices = _by_device(await _registered(connection, None))
        datastreams, features = list(self._datastreams), list(self._features)
        self._datastreams, self._features = {}, set()
        await self._read_entities(connection, datastreams, features)

    async def refresh(self, connection: Connection, devices: Iterable[DeviceKey]) -> None:
        """Read these devices again, for one may have been registered a moment ago."""
        asked = list(devices)
        found = _by_device(await _registered(connection, asked))
        for device in asked:
            self._devices.pop(device, None)
        self._devices.update(found)

    async def refresh_entities(self, connection: Connection, datastreams: Iterable[int], features: Iterable[int]) -> None:
        """Read Datastreams and FeaturesOfInterest that clients name; a Thing gets its feature where it has none yet."""
        asked = sorted(datastreams)
        if asked:
            await connection.execute(query("make_features_of_datastreams"), {"ids": asked})
        await self._read_entities(connection, asked, sorted(features))

    async def _read_entities(self, connection: Connection, datastreams: list[int], features: list[int]) -> None:
        if datastreams:
            found = await channels_by_id(connection, datastreams)
            self._datastreams |= {number: found[number] for number in datastreams if number in found}
        if features:
            cursor = await connection.execute("SELECT id FROM feature_of_interest WHERE id = ANY (%s)", (features,))
            self._features |= {row[0] for row in await cursor.fetchall()}


async def channels_by_id(connection: Connection, ids: list[int]) -> dict[int, Channel]:
    """Datastreams by their id, registered as a channel or not, and the others of their Things."""
    cursor = await connection.execute(query("load_registry") + query("of_datastreams"), {"ids": ids})
    return {row[3]: _channel(row) for row in await cursor.fetchall()}


async def _registered(connection: Connection, devices: list[DeviceKey] | None) -> list[TupleRow]:
    parameters = {
        "tenants": [tenant for tenant, _ in devices] if devices is not None else None,
        "devices": [device for _, device in devices] if devices is not None else None,
    }
    cursor = await connection.execute(query("load_registry") + query("registered"), parameters)
    return await cursor.fetchall()


def _by_device(rows: Iterable[TupleRow]) -> dict[DeviceKey, dict[str, Channel]]:
    devices: dict[DeviceKey, dict[str, Channel]] = {}
    for row in rows:
        channel = _channel(row)
        if not channel.computed:
            devices.setdefault((row[0], row[1]), {})[row[2]] = channel
    return devices


def _channel(row: TupleRow) -> Channel:
    _, device, _, datastream_id, thing_id, unit, fail, suspect, place, properties, feature_id, parts, *quality, kind = row
    properties = cast("dict[str, Any]", properties or {})
    computed = parts is None and "formula" in cast("dict[str, Any]", quality[0] or {})
    fail_low, fail_high = _span(fail, 2)
    suspect_low, suspect_high = _span(suspect, 2)
    west, south, east, north = _span(properties.get("bbox"), 4)
    moving = properties.get("moving") is True
    # Where a moving Thing is now says nothing about where it may be.
    lon, lat = (NAN, NAN) if moving else _point(place)
    radius = properties.get("location_radius_m")
    return Channel(
        datastream_id=datastream_id,
        thing_id=thing_id,
        unit=unit or "",
        fail_low=fail_low,
        fail_high=fail_high,
        suspect_low=suspect_low,
        suspect_high=suspect_high,
        site_lon=lon,
        site_lat=lat,
        radius_m=_number(radius) if radius is not None else 250.0,
        box=(west, south, east, north),
        moving=moving,
        feature_id=feature_id,
        parts=None if parts is None else tuple((*_span(fail, 2), *_span(suspect, 2)) for fail, suspect in parts),
        property_id=quality[1],
        rules=_book(datastream_id, device, unit, *quality) if parts is None and not computed else None,
        computed=computed,
        kind=_KINDS.get(kind, Kind.ANY) if parts is None else Kind.ANY,
    )


def _book(
    datastream_id: int, device: str | None, unit: str | None, properties: Any, _: int, key: str | None, zone: str, spans: Any
) -> RuleBook | None:
    own = cast("dict[str, Any]", properties or {})

    def of_version(version: int) -> Rules | None:
        return rules_for(key or "", device, own, version, timezone=zone, unit=unit or None)

    # Entities are written by anyone: what names no rules that there are is told, and has none.
    try:
        version = own.get("ruleset_version", LATEST)
        main = of_version(version)
        chosen = cast("list[list[int]]", spans or [])
        if main is None and not chosen:
            return None
        layers = tuple((first, last, of_version(other) or Rules(version=other)) for first, last, other in chosen)
        return RuleBook(main=main or Rules(version=version), spans=layers)
    except RulesetError as error:
        log.warning("no rules for the Datastream %d: %s", datastream_id, error)
        return None


def _span(value: Any, size: int) -> list[float]:
    # Entities are written by anyone: what is no span sets none.
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [_number(item) for item in items] if len(items) == size else [NAN] * size


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else NAN


def _point(place: Any) -> list[float]:
    # A Location is a geometry or a Feature around one (18-088, 8.2.2).
    geometry = cast("dict[str, Any]", place) if isinstance(place, dict) else {}
    inner = geometry.get("geometry")
    if isinstance(inner, dict):
        geometry = cast("dict[str, Any]", inner)
    coordinates = geometry.get("coordinates")
    if geometry.get("type") != "Point" or not isinstance(coordinates, list):
        return [NAN, NAN]
    return _span(cast("list[Any]", coordinates)[:2], 2)
