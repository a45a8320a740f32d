"""Where things are: the region's bounds, its administrations and the languages it speaks."""

from __future__ import annotations

import math

LANGUAGES = ("de", "da", "en")

# West, south, east, north in degrees (WGS 84): Sylt to Als, the Schlei and Eiderstedt to Rødekro.
REGION_BOX = (8.2, 54.25, 10.2, 55.25)

# The administrations that plan in the region, and their country.
MUNICIPALITIES = {
    "Flensburg": "DE",
    "Kreis Schleswig-Flensburg": "DE",
    "Kreis Nordfriesland": "DE",
    "Aabenraa": "DK",
    "Sønderborg": "DK",
    "Tønder": "DK",
}
TIMEZONES = {"DE": "Europe/Berlin", "DK": "Europe/Copenhagen"}

_EARTH_RADIUS_M = 6_371_008.8


def in_region(lon: float, lat: float) -> bool:
    """Whether a place lies within `REGION_BOX`, its edges included."""
    west, south, east, north = REGION_BOX
    return west <= lon <= east and south <= lat <= north


def distance_m(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Great-circle distance in metres on a sphere: good to 0.5 %, which is enough for radii and speeds."""
    phi, other_phi = math.radians(lat), math.radians(other_lat)
    half = (
        math.sin((other_phi - phi) / 2) ** 2
        + math.cos(phi) * math.cos(other_phi) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    )
    return 2 * _EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


def heading_deg(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Give the initial course from the first place to the other, 0 to 360 degrees clockwise from north."""
    phi, other_phi, turn = math.radians(lat), math.radians(other_lat), math.radians(other_lon - lon)
    east = math.sin(turn) * math.cos(other_phi)
    north = math.cos(phi) * math.sin(other_phi) - math.sin(phi) * math.cos(other_phi) * math.cos(turn)
    return math.degrees(math.atan2(east, north)) % 360.0
