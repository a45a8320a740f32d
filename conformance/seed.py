"""What the suite wants to find: one entity of every set, each linked to one of every other and without an empty property."""

from __future__ import annotations

from typing import Any

import httpx

SETS = ("Things", "Locations", "Sensors", "ObservedProperties", "FeaturesOfInterest")
_POINT = {"type": "Point", "coordinates": [9.4357, 54.7937]}
_PLACE = {
    "name": "Flensburg",
    "description": "The fjord's end",
    "encodingType": "application/geo+json",
    "properties": {"country": "DE"},
}
_THING: dict[str, Any] = {
    "name": "Station",
    "description": "A weather station at the fjord",
    "properties": {"owner": "region"},
    "Locations": [{**_PLACE, "location": _POINT}],
    "Datastreams": [
        {
            "name": "air temperature",
            "description": "at 2 m",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "Cel"},
            "properties": {"height_m": 2},
            "Sensor": {
                "name": "thermometer", "description": "platinum", "encodingType": "text/html", "metadata": "https://example.org/pt100",
                "properties": {"class": "A"},
            },
            "ObservedProperty": {
                "name": "air temperature", "description": "of the air", "definition": "https://example.org/air_temperature",
                "properties": {"kind": "weather"},
            },
            "Observations": [
                {
                    "phenomenonTime": "2026-01-01T00:00:00Z", "resultTime": "2026-01-01T00:00:01Z", "result": 3.5,
                    "resultQuality": "1", "validTime": "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z",
                    "parameters": {"shift": "night"},
                    "FeatureOfInterest": {**_PLACE, "feature": _POINT},
                }
            ],
        }
    ],
}  # fmt: skip


def seed(http: httpx.Client) -> None:
    """Leave nothing in the platform but what the suite wants to find."""
    for name in SETS:
        while found := http.get(f"{name}?$select=@iot.id").raise_for_status().json()["value"]:
            for entity in found:
                http.delete(f"{name}({entity['@iot.id']})").raise_for_status()
    http.post("Things", json=_THING).raise_for_status()
