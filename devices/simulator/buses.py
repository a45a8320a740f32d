"""Buses that drive their route there and back, wait at stops, and fall behind in the rush hours."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from devices.inventory import DATA, Station
from devices.places import distance_m, heading_deg
from devices.simulator.days import local
from devices.simulator.noise import Floats, Noise

_DWELL_S = 30.0
_FIRST_H, _LAST_H = 5.25, 23.5
_RUSH = ((7.6, 1.3), (16.4, 1.7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way there and back: when the bus is where in a round, by the timetable. All arrays have one entry per knot."""

    round_s: float
    at_s: Floats
    lon: Floats
    lat: Floats
    next_stop: tuple[str, ...]


@lru_cache
def route(name: str, round_min: float) -> Route:
    """Read a route of `data/routes.toml` and spread a round over it: stops of half a minute, the same speed in between."""
    with (DATA / "routes.toml").open("rb") as file:
        stops: list[tuple[str, float, float]] = [(str(s[0]), float(s[1]), float(s[2])) for s in tomllib.load(file)[name]["stops"]]
    tour = stops + stops[-2::-1]
    lengths = [distance_m(a[2], a[1], b[2], b[1]) for a, b in pairwise(tour)]
    driving_s = round_min * 60 - _DWELL_S * len(tour)
    pace = driving_s / sum(lengths)
    at: list[float] = []
    knots: list[tuple[str, float, float]] = []
    clock = 0.0
    for index, stop in enumerate(tour):
        at += [clock, clock + _DWELL_S]
        knots += [stop, stop]
        clock += _DWELL_S + (lengths[index] * pace if index < len(lengths) else 0.0)
    names = tuple(knot[0] for knot in knots)
    return Route(
        round_s=round_min * 60,
        at_s=np.array(at),
        lat=np.array([knot[1] for knot in knots]),
        lon=np.array([knot[2] for knot in knots]),
        next_stop=names,
    )


def _route(station: Station) -> Route:
    return route(str(station.signal["route"]), float(station.signal["round_min"]))


def in_service(station: Station, time: Floats) -> npt.NDArray[np.bool_]:
    """Whether the bus runs at all: not by night."""
    clock = local(time, station.timezone, station.country)
    return (clock.hour >= _FIRST_H) & (clock.hour < _LAST_H)


def _behind(noise: Noise, station: Station, time: Floats) -> Floats:
    """Seconds behind the timetable: slowly changing, so that the bus never drives backwards."""
    clock = local(time, station.timezone, station.country)
    rush = sum(np.exp(-(((clock.hour - hour) / width) ** 2)) for hour, width in _RUSH)
    rush = np.where(clock.sunday | clock.saturday, 0.25, rush)
    return (
        35
        + 190 * rush * (1 + 0.5 * noise.smooth(f"{station.device}/late", time, 5400.0))
        + 40 * noise.smooth(f"{station.device}/lag", time, 1500.0)
    )


def _progress(noise: Noise, station: Station, time: Floats) -> Floats:
    """Seconds into the round, by the timetable."""
    return (time - _behind(noise, station, time)) % _route(station).round_s


def delay(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Seconds behind the timetable; nothing out of service."""
    return np.where(in_service(station, time), np.rint(_behind(noise, station, time)), np.nan)


def position(noise: Noise, station: Station, time: Floats) -> tuple[Floats, Floats]:
    """Longitude and latitude at each moment."""
    way, at = _route(station), _progress(noise, station, time)
    return np.interp(at, way.at_s, way.lon), np.interp(at, way.at_s, way.lat)


def speed(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """km/h over the last ten seconds."""
    lon, lat = position(noise, station, time)
    old_lon, old_lat = position(noise, station, time - 10.0)
    metres = np.array([distance_m(*place) for place in zip(old_lon, old_lat, lon, lat, strict=True)])
    return np.where(in_service(station, time), np.minimum(metres * 0.36, 90.0), np.nan)


def heading(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Give the course in deg: towards the next stop, also while standing."""
    way, at = _route(station), _progress(noise, station, time)
    knot = np.clip(np.searchsorted(way.at_s, at, side="right"), 1, len(way.at_s) - 1)
    ahead = np.minimum(np.where(knot % 2 == 0, knot, knot + 1), len(way.at_s) - 1)
    lon, lat = way.lon.tolist(), way.lat.tolist()
    course = np.array([heading_deg(lon[n - 1], lat[n - 1], lon[n], lat[n]) for n in ahead])
    return np.where(in_service(station, time), np.floor(course), np.nan)


def next_stop(noise: Noise, station: Station, time: Floats, _length: float) -> npt.NDArray[np.object_]:
    """Give the stop at which the bus stands or to which it drives; None out of service."""
    way, at = _route(station), _progress(noise, station, time)
    knot = np.minimum(np.searchsorted(way.at_s, at, side="right"), len(way.at_s) - 1)
    runs = in_service(station, time)
    return np.array([way.next_stop[n] if run else None for n, run in zip(knot, runs, strict=True)], dtype=object)


def occupancy(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """% of the places: full in the rush hours, changing from stop to stop."""
    clock = local(time, station.timezone, station.country)
    rush = sum(np.exp(-(((clock.hour - hour) / width) ** 2)) for hour, width in _RUSH)
    share = (14 + 48 * rush * np.where(clock.school, 1.0, 0.6)) * (1 + 0.35 * noise.smooth(f"{station.device}/full", time, 420.0))
    return np.where(in_service(station, time), np.rint(np.clip(share, 0, 110)), np.nan)
