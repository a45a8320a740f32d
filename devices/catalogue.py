"""The catalogue of observed properties: what a channel measures, its unit, its names, what it can plausibly show.

The data stand in `data/catalogue.toml`; `load_catalogue` reads and checks them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from devices.places import LANGUAGES

CATALOGUE_FILE = Path(__file__).parent / "data" / "catalogue.toml"
_TYPES = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_"
OBSERVATION_TYPES = {
    "Measurement": f"{_TYPES}Measurement",
    "Count": f"{_TYPES}CountObservation",
    "Category": f"{_TYPES}CategoryObservation",
    "Truth": f"{_TYPES}TruthObservation",
}
THEMES = ("mobility", "parking", "energy", "air", "noise", "weather", "water", "heat", "border", "indoor")

_UNIT_NAMES = {
    "%": "percent",
    "Cel": "degree Celsius",
    "MW.h": "megawatt hour",
    "W/m2": "watt per square metre",
    "[ppm]": "parts per million",
    "dB": "decibel, A-weighted",
    "deg": "degree",
    "hPa": "hectopascal",
    "kW": "kilowatt",
    "kW.h": "kilowatt hour",
    "km/h": "kilometre per hour",
    "m": "metre",
    "m/s": "metre per second",
    "mm": "millimetre",
    "s": "second",
    "ug/m3": "microgram per cubic metre",
    "{bicycle}": "bicycle",
    "{space}": "parking space",
    "{vehicle}": "vehicle",
}

Texts = Mapping[str, str]  # language → text, for every language of `LANGUAGES`


class CatalogueError(ValueError):
    """The data file of the catalogue or of the inventory contradicts itself; the message names the entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One observed property. `unit` is its UCUM code, None where there is none (then all of the unit is null: 18-088, 8.2.4).

    `fail_span` and `suspect_span` are the bounds of gross_range in that unit; `interval_s` is the usual time between two readings.
    `categories` names the values that a Category may take, where they are fixed. `circular`: a direction around the circle.
    `averaged` False: no linear scale, so its distribution is shown and no mean.
    """

    key: str
    theme: str
    type_name: str
    unit: str | None
    symbol: str | None
    decimals: int
    interval_s: int
    definition: str
    names: Texts
    descriptions: Texts
    fail_span: tuple[float, float] | None = None
    suspect_span: tuple[float, float] | None = None
    symbols: Texts | None = None
    categories: Mapping[str, Texts] = field(default_factory=dict[str, Texts])
    circular: bool = False
    averaged: bool = True

    @property
    def observation_type(self) -> str:
        """The standard's URI of the observation type (18-088, table 12)."""
        return OBSERVATION_TYPES[self.type_name]

    @property
    def unit_of_measurement(self) -> dict[str, str | None]:
        """`unitOfMeasurement` of a Datastream of this property."""
        return {"name": _UNIT_NAMES[self.unit] if self.unit else None, "symbol": self.symbol, "definition": self.unit}


def load_catalogue(path: Path = CATALOGUE_FILE) -> dict[str, Property]:
    """All observed properties by key; raises `CatalogueError` where the file contradicts itself."""
    with path.open("rb") as file:
        entries = tomllib.load(file)
    return {key: _property(key, cast("dict[str, Any]", entry)) for key, entry in entries.items()}


def _property(key: str, entry: dict[str, Any]) -> Property:
    if entry["theme"] not in THEMES or entry["type"] not in OBSERVATION_TYPES:
        raise CatalogueError(f"{key}: theme {entry['theme']!r} or type {entry['type']!r} is unknown")
    if entry.get("unit") is not None and entry["unit"] not in _UNIT_NAMES:
        raise CatalogueError(f"{key}: unit {entry['unit']!r} has no name")
    for texts in (entry["names"], entry["descriptions"], *entry.get("categories", {}).values()):
        if set(texts) != set(LANGUAGES) or not all(texts.values()):
            raise CatalogueError(f"{key}: texts must be there in {', '.join(LANGUAGES)}")
    return Property(
        key=key,
        theme=entry["theme"],
        type_name=entry["type"],
        unit=entry.get("unit"),
        symbol=entry.get("symbol"),
        decimals=entry["decimals"],
        interval_s=entry["interval_s"],
        definition=entry["definition"],
        names=entry["names"],
        descriptions=entry["descriptions"],
        fail_span=_span(key, entry.get("fail_span")),
        suspect_span=_span(key, entry.get("suspect_span")),
        symbols=entry.get("symbols"),
        categories=entry.get("categories", {}),
        circular=entry.get("circular", False),
        averaged=entry.get("averaged", True),
    )


def _span(key: str, span: list[float] | None) -> tuple[float, float] | None:
    if span is None:
        return None
    low, high = span
    if low >= high:
        raise CatalogueError(f"{key}: span [{low}, {high}] is empty")
    return float(low), float(high)


def as_observed_property(entry: Property) -> dict[str, Any]:
    """Give the ObservedProperty of SensorThings 1.1; `properties.key` is what an importer matches by."""
    properties: dict[str, Any] = {
        "key": entry.key,
        "theme": entry.theme,
        "names": dict(entry.names),
        "descriptions": dict(entry.descriptions),
        "unit": entry.unit,
        "symbol": entry.symbol,
        "decimals": entry.decimals,
        "interval_s": entry.interval_s,
        "observation_type": entry.observation_type,
    }
    for name in ("fail_span", "suspect_span"):
        if (span := getattr(entry, name)) is not None:
            properties[name] = list(span)
    if entry.circular:
        properties["circular"] = True
    if not entry.averaged:
        properties["averaged"] = False
    if entry.symbols:
        properties["symbols"] = dict(entry.symbols)
    if entry.categories:
        properties["categories"] = {value: dict(texts) for value, texts in entry.categories.items()}
    return {
        "name": entry.names["en"],
        "description": entry.descriptions["en"],
        "definition": entry.definition,
        "properties": properties,
    }
