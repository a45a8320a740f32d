"""The inventory: the region's stations and those of the recordings, and the SensorThings entities that they are.

The data stand in `data/{kinds,sensors,stations,recorded}.toml`. The entities are the registry: whoever imports them creates the
shared ones of `sensors()` and `observed_properties()` once, resolves
`{"$ref": key}` in `things()`, and matches what is already there by `properties.key`, by device, and by channel.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from devices.catalogue import CatalogueError, Property, as_observed_property, load_catalogue
from devices.places import LANGUAGES, MUNICIPALITIES, TIMEZONES

DATA = Path(__file__).parent / "data"
SIMULATED, RECORDED = "simulated", "recorded"
FORMULA_SENSOR = "formula"  # of a Datastream that is computed

_SOURCE_WORDS = {
    SIMULATED: {"de": "simuliert", "da": "simuleret", "en": "simulated"},
    RECORDED: {"de": "Aufzeichnung", "da": "optagelse", "en": "recorded"},
}
# What a kind's channel says of its quality control (docs/quality.md).
_JUDGED = ("ruleset", "quality")
_STATED = ("provider", "licence", "attribution", "recording", "accuracy_m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel of a station: a Datastream. `over_interval` marks values whose readings carry start and end.

    `formula`: no device sends it, it is computed of others (`Datastream.properties.formula`).
    """

    name: str
    property: Property
    sensor: str
    interval_s: int
    over_interval: bool
    words: Mapping[str, str] | None = None
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])
    formula: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One station: a Thing with its Location and Datastreams; `virtual` are those that are computed.

    `signal` is what the simulator needs to know of it, and formulas of its plant.
    """

    device: str
    name: str
    kind: str
    theme: str
    words: Mapping[str, str]
    lon: float
    lat: float
    municipality: str
    country: str
    timezone: str
    source: str
    moving: bool
    channels: tuple[Channel, ...]
    virtual: tuple[Channel, ...] = ()
    signal: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stated: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def channel(self, name: str) -> Channel:
        """Give the channel of that name; KeyError where there is none."""
        for channel in self.channels:
            if channel.name == name:
                return channel
        raise KeyError(f"{self.device} has no channel {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All there is to register: observed properties, sensors and stations."""

    catalogue: Mapping[str, Property]
    sensor_texts: Mapping[str, Mapping[str, str]]
    stations: tuple[Station, ...]

    def station(self, device: str) -> Station:
        """Give the station of that device; KeyError where there is none."""
        for station in self.stations:
            if station.device == device:
                return station
        raise KeyError(device)

    def observed_properties(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and ObservedProperty (18-088, 8.2.6) of every catalogue entry."""
        for key, entry in self.catalogue.items():
            yield key, as_observed_property(entry)

    def sensors(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and Sensor (18-088, 8.2.5) of every sensor in use."""
        used = {channel.sensor for station in self.stations for channel in (*station.channels, *station.virtual)}
        for key, texts in self.sensor_texts.items():
            if key in used:
                yield (
                    key,
                    {
                        "name": texts["name"],
                        "description": texts["description"],
                        "encodingType": "text/plain",
                        "metadata": texts["description"],
                        "properties": {"key": key},
                    },
                )

    def things(self) -> Iterator[dict[str, Any]]:
        """Every Thing, ready for a deep insert but for `{"$ref": key}` in place of Sensor and ObservedProperty."""
        for station in self.stations:
            yield _thing(station)


def load_inventory(directory: Path = DATA) -> Inventory:
    """Read the data files; raises `CatalogueError` where they contradict themselves or each other."""
    catalogue = load_catalogue()
    kinds, texts = _read(directory / "kinds.toml"), _read(directory / "sensors.toml")
    make = partial(_station, catalogue=catalogue, kinds=kinds, sensors=texts)
    stations = tuple(
        make(kind, entry, source)
        for name, source in (("stations.toml", SIMULATED), ("recorded.toml", RECORDED))
        for kind, entries in _read(directory / name).items()
        for entry in entries
    )
    devices = [station.device for station in stations]
    if twice := {device for device in devices if devices.count(device) > 1}:
        raise CatalogueError(f"devices that are there twice: {', '.join(sorted(twice))}")
    return Inventory(catalogue=catalogue, sensor_texts=texts, stations=stations)


def as_sensorthings(inventory: Inventory) -> Iterator[dict[str, Any]]:
    """Every Thing as one deep-insertable entity (18-088, 10.2.1.1), its Sensors and ObservedProperties written out."""
    sensors, properties = dict(inventory.sensors()), dict(inventory.observed_properties())
    for thing in inventory.things():
        for datastream in thing["Datastreams"]:
            datastream["Sensor"] = sensors[datastream["Sensor"]["$ref"]]
            datastream["ObservedProperty"] = properties[datastream["ObservedProperty"]["$ref"]]
        yield thing


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)


def _station(
    kind: str, entry: dict[str, Any], source: str, *, catalogue: dict[str, Property], kinds: dict[str, Any], sensors: dict[str, Any]
) -> Station:
    device = entry["device"]
    if kind not in kinds:
        raise CatalogueError(f"{device}: kind {kind!r} is unknown")
    template = kinds[kind]
    country = entry.get("country") or MUNICIPALITIES.get(entry["municipality"])
    if country is None:
        raise CatalogueError(f"{device}: municipality {entry['municipality']!r} is unknown")
    if template["sensor"] not in sensors:
        raise CatalogueError(f"{kind}: sensor {template['sensor']!r} is unknown")
    make = partial(_channel, kind, more=entry.get("datastream", {}), catalogue=catalogue, signal=entry.get("signal", {}))
    return Station(
        device=device,
        name=entry["name"],
        kind=kind,
        theme=template["theme"],
        words=template["words"],
        lon=float(entry["lon"]),
        lat=float(entry["lat"]),
        municipality=entry["municipality"],
        country=country,
        timezone=entry.get("timezone") or TIMEZONES[country],
        source=source,
        moving=template.get("moving", False),
        channels=tuple(make(given, template["sensor"]) for given in template.get("channels", ())),
        virtual=tuple(make(given, FORMULA_SENSOR) for given in template.get("virtual", ())),
        signal=entry.get("signal", {}),
        stated={name: entry[name] for name in _STATED if name in entry},
    )


def _channel(
    kind: str, given: dict[str, Any], sensor: str, *, more: dict[str, Any], catalogue: dict[str, Property], signal: dict[str, Any]
) -> Channel:
    if given["property"] not in catalogue:
        raise CatalogueError(f"{kind}: property {given['property']!r} is not in the catalogue")
    entry = catalogue[given["property"]]
    name = given.get("channel", entry.key)
    return Channel(
        name=name,
        property=entry,
        sensor=sensor,
        interval_s=given.get("interval_s", entry.interval_s),
        over_interval=given.get("mean", False),
        words=given.get("words"),
        properties={key: given[key] for key in _JUDGED if key in given} | more.get(name, {}),
        formula=_formula(kind, given["formula"], signal) if "formula" in given else None,
    )


def _formula(kind: str, given: dict[str, Any], signal: dict[str, Any]) -> dict[str, Any]:
    """Put the plant's own numbers in the place of `{name}` in the expression."""
    try:
        return {**given, "expression": given["expression"].format_map(signal)}
    except KeyError as error:
        raise CatalogueError(f"{kind}: the formula needs {error}, which the station's signal does not have") from error


def _thing(station: Station) -> dict[str, Any]:
    descriptions = {
        language: f"{station.words[language]}, {station.municipality} ({_SOURCE_WORDS[station.source][language]})"
        for language in LANGUAGES
    }
    properties: dict[str, Any] = {
        "device": station.device,
        "theme": station.theme,
        "kind": station.kind,
        "kind_names": dict(station.words),
        "descriptions": descriptions,
        "municipality": station.municipality,
        "country": station.country,
        "timezone": station.timezone,
        "source": station.source,
        **station.stated,
    }
    if station.moving:
        properties["moving"] = True
        properties["location_radius_m"] = 40_000
    return {
        "name": station.name,
        "description": descriptions["en"],
        "properties": properties,
        "Locations": [
            {
                "name": station.name,
                "description": f"Place of {station.name}",
                "encodingType": "application/geo+json",
                "location": {"type": "Point", "coordinates": [station.lon, station.lat]},
            }
        ],
        "Datastreams": [_datastream(station, channel) for channel in (*station.channels, *station.virtual)],
    }


def _datastream(station: Station, channel: Channel) -> dict[str, Any]:
    entry = channel.property
    names = {language: _title(entry.names[language], channel.words, language) for language in LANGUAGES}
    properties: dict[str, Any] = {
        "channel": channel.name,
        "interval_s": channel.interval_s,
        "decimals": entry.decimals,
        "names": names,
        **channel.properties,
    }
    if channel.formula is not None:
        properties["formula"] = dict(channel.formula)
    for name, span in (("fail_span", entry.fail_span), ("suspect_span", entry.suspect_span)):
        if span is not None:
            properties[name] = list(span)
    return {
        "name": f"{station.name}: {names['en']}",
        "description": f"{entry.descriptions['en']}, {station.name}",
        "observationType": entry.observation_type,
        "unitOfMeasurement": entry.unit_of_measurement,
        "properties": properties,
        "Sensor": {"$ref": channel.sensor},
        "ObservedProperty": {"$ref": entry.key},
    }


def _title(name: str, words: Mapping[str, str] | None, language: str) -> str:
    return f"{name} ({words[language]})" if words else name
