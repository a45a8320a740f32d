"""What people do: roads, cycle paths, borders, car parks, charging points, bus stops, class rooms; and the noise and air of it."""

# ruff: noqa: PLR2004 (a model is its numbers)

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from devices.inventory import Station
from devices.simulator import weather
from devices.simulator.days import Local, local
from devices.simulator.noise import Floats, Ints, Noise

Objects = npt.NDArray[np.object_]

# Share of a day's traffic in each hour, per mille.
_WORKDAY = (6, 4, 3, 4, 9, 24, 55, 82, 70, 52, 49, 51, 54, 55, 60, 74, 86, 80, 58, 42, 31, 24, 17, 10)
_SATURDAY = (12, 8, 6, 5, 6, 11, 20, 33, 52, 72, 86, 90, 86, 78, 70, 66, 62, 58, 50, 40, 32, 25, 19, 13)
_SUNDAY = (16, 11, 8, 6, 6, 8, 13, 21, 36, 55, 72, 82, 84, 88, 90, 88, 82, 74, 58, 42, 28, 17, 10, 5)
_SHOPPING = (1, 1, 1, 1, 2, 6, 14, 26, 48, 76, 98, 104, 98, 94, 92, 90, 88, 78, 50, 20, 6, 4, 2, 1)
_LEISURE = (3, 2, 1, 1, 2, 5, 12, 22, 38, 58, 78, 92, 96, 98, 100, 98, 92, 78, 58, 36, 18, 8, 4, 3)


def _curve(table: tuple[int, ...], hour: Floats) -> Floats:
    """Per mille of the day per hour at that hour, between the table's hours in a straight line."""
    middles = np.arange(-0.5, 25.0)
    values = np.array((table[-1], *table, table[0]), dtype=np.float64)
    return np.interp(hour, middles, values)


def _by_day(clock: Local) -> Floats:
    """Traffic's share of its day, scaled by the kind of day: Friday more, Saturday and Sunday less."""
    work = _curve(_WORKDAY, clock.hour) * np.where(clock.friday, 1.09, 1.0)
    return np.where(
        clock.sunday, 0.6 * _curve(_SUNDAY, clock.hour), np.where(clock.saturday, 0.78 * _curve(_SATURDAY, clock.hour), work)
    )


def _count(noise: Noise, name: str, mean: Floats, time: Floats) -> Floats:
    """Whole numbers that scatter around the mean as counts do."""
    drawn = noise.normal(f"count/{name}", np.floor(time).astype(np.int64))
    return np.maximum(np.rint(mean + drawn * np.sqrt(np.maximum(mean, 0))), 0)


def _flow(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Mean number of motor vehicles in the interval."""
    clock = local(time + length / 2, station.timezone, station.country)
    leisure = float(station.signal.get("leisure", 0.0))
    share = (1 - leisure) * _by_day(clock) + leisure * _curve(_LEISURE, clock.hour) * np.where(
        clock.sunday | clock.saturday, 1.2, 0.9
    )
    holidays = np.where(clock.school | clock.sunday | clock.saturday, 1.0, 0.93 + 0.2 * leisure)
    drift = 1 + 0.06 * noise.smooth(f"flow/{station.device}", time, 5 * 3600.0)
    return float(station.signal["daily"]) * share / 1000 * holidays * drift * length / 3600


def vehicle_count(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Motor vehicles in the interval."""
    return _count(noise, station.device, _flow(noise, station, time, length), time)


def heavy_vehicle_count(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Lorries and coaches in the interval: early, and hardly any on Sundays (driving ban in Germany)."""
    clock = local(time + length / 2, station.timezone, station.country)
    kind = np.where(clock.sunday, 0.12, np.where(clock.saturday, 0.45, 1.0)) * np.where(clock.hour < 12, 1.25, 0.85)
    mean = _flow(noise, station, time, length) * float(station.signal["heavy"]) * kind
    counted = _count(noise, f"{station.device}/heavy", mean, time)
    return np.minimum(counted, vehicle_count(noise, station, time, length))


def road_speed(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Mean speed in km/h: slower the fuller the road."""
    load = _flow(noise, station, time, length) / (float(station.signal["daily"]) * 0.086 * length / 3600)
    free = float(station.signal["speed"])
    return np.maximum(
        free * (1.08 - 0.22 * np.clip(load, 0, 1.3) ** 2) + 1.4 * noise.smooth(f"speed/{station.device}", time, 1500.0), 5
    )


def cycle_count(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Bicycles in the interval: fewer when it is cold or wet, fewer at schools without lessons, more at the coast on free days."""
    clock = local(time + length / 2, station.timezone, station.country)
    leisure, school = float(station.signal.get("leisure", 0.0)), float(station.signal.get("school", 0.2))
    warm = np.clip(0.35 + 0.045 * weather.air_temperature(noise, station, time, 0), 0.2, 1.5)
    dry = 1 / (1 + 1.2 * weather.precipitation(noise, station, time, 600.0))
    free = clock.sunday | clock.saturday
    share = (1 - leisure) * _by_day(clock) * np.where(free, 0.8, 1.0) + leisure * _curve(_LEISURE, clock.hour) * np.where(
        free, 1.6, 0.7
    )
    lessons = np.where(clock.school | free, 1.0, 1.0 - 0.6 * school)
    mean = float(station.signal["daily"]) * share / 1000 * warm * dry * lessons * length / 3600
    return _count(noise, station.device, mean, time)


def _crossings(noise: Noise, station: Station, time: Floats, length: float, *, southbound: bool) -> Floats:
    clock = local(time + length / 2, station.timezone, station.country)
    # Danes shop in Germany: south before noon, north in the afternoon; Saturdays and Danish holidays are the busiest days.
    lean = np.tanh((clock.hour - 13.5) / 3.5) * (-1 if southbound else 1)
    shopping = _curve(_SHOPPING, clock.hour) * (1 + 0.4 * lean) * np.where(clock.saturday, 1.35, np.where(clock.sunday, 1.1, 0.9))
    share = 0.55 * _by_day(clock) + 0.45 * shopping
    mean = 0.5 * float(station.signal["daily"]) * share / 1000 * length / 3600
    drift = 1 + 0.05 * noise.smooth(f"border/{station.device}", time, 4 * 3600.0)
    return _count(noise, f"{station.device}/{southbound}", mean * drift, time)


def northbound(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Motor vehicles into Denmark in the interval."""
    return _crossings(noise, station, time, length, southbound=False)


def southbound(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Motor vehicles into Germany in the interval."""
    return _crossings(noise, station, time, length, southbound=True)


def stop_delay(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Delay of the last departure in s: more in the rush hours, sometimes a minute early; none by night, when no bus runs."""
    clock = local(time, station.timezone, station.country)
    rush = _by_day(clock) / 86
    slow = noise.smooth(f"delay/{station.device}", time, 3600.0)
    late = (
        210 * float(station.signal["busy"]) * rush * np.exp(0.55 * slow)
        - 30
        + 45 * noise.normal(f"stop/{station.device}", _at(time))
    )
    return np.where((clock.hour >= 5) & (clock.hour < 23.5), np.rint(late), np.nan)


def _at(time: Floats) -> Ints:
    return np.floor(time).astype(np.int64)


# ---------------------------------------------------------------- parking


def bay_occupied(noise: Noise, station: Station, time: Floats, _length: float) -> npt.NDArray[np.bool_]:
    """Whether a vehicle stands in the bay: stays of about the bay's usual length."""
    slot = np.floor(time / (60 * float(station.signal["turnover_min"]))).astype(np.int64)
    clock = local(slot * 60 * float(station.signal["turnover_min"]), station.timezone, station.country)
    demand = np.where(clock.sunday, 0.5, 1.0) * np.clip(_curve(_SHOPPING, clock.hour) / 100, 0.12, 0.93)
    return noise.uniform(f"bay/{station.device}", slot) < demand


def occupied_spaces(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Occupied spaces, never more than there are."""
    clock = local(time, station.timezone, station.country)
    leisure = float(station.signal.get("leisure", 0.0))
    work = 0.08 + 0.92 * np.exp(-(((clock.hour - 12.8) / 4.3) ** 4)) * np.where(
        clock.sunday, 0.35, np.where(clock.saturday, 0.85, 1.0)
    )
    away = 0.55 + 0.3 * np.where(clock.school, 0.0, 1.0) + 0.15 * np.cos(2 * np.pi * (clock.hour - 15) / 24)
    share = float(station.signal["fill"]) * ((1 - leisure) * work + leisure * away)
    share = share * (1 + 0.08 * noise.rough(f"carpark/{station.device}", time, 4 * 3600.0))
    return np.rint(float(station.signal["capacity"]) * np.clip(share, 0, 1))


def free_spaces(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Capacity less the occupied spaces."""
    return float(station.signal["capacity"]) - occupied_spaces(noise, station, time, length)


def capacity(_noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Spaces of the car park."""
    return np.full_like(time, float(station.signal["capacity"]))


# ---------------------------------------------------------------- noise, air, class rooms


def laeq(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """dB(A) of the interval: traffic's energy over the night's quiet, and something loud now and then."""
    clock = local(time, station.timezone, station.country)
    day, night = float(station.signal["day"]), float(station.signal["night"])
    load = np.clip(_by_day(clock) / 70, 0.02, 1.2)
    level = 10 * np.log10(10 ** (night / 10) + load * 10 ** (day / 10)) + 0.9 * noise.normal(f"laeq/{station.device}", _at(time))
    loud = noise.uniform(f"loud/{station.device}", _at(time)) < 0.004
    return level + np.where(loud, 9.0, 0.0)


def pm25(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """ug/m3: air masses, wood stoves in the evening, traffic; and the first hours of the year."""
    clock = local(time, station.timezone, station.country)
    cold = np.clip((12 - weather.air_temperature(noise, station, time, 0)) / 15, 0, 1)
    stoves = 5 * cold * np.exp(-(((clock.hour - 20.5) / 2.8) ** 2))
    base = 6.5 * np.exp(0.5 * noise.smooth("aerosol", time - (station.lon - 8.2) * 5_800, 50 * 3600.0))
    clean = 1.5 / (1 + 0.12 * weather.wind_speed(noise, station, time, 0))
    traffic = 2.2 * float(station.signal["traffic"]) * _by_day(clock) / 86
    new_year = np.where((clock.day == _new_year(clock.day)) & (clock.hour < 3), 160 * np.exp(-clock.hour / 0.9), 0.0)
    wobble = 1 + 0.08 * noise.smooth(f"pm/{station.device}", time, 900.0)
    return (base * clean + stoves + traffic + new_year) * wobble


def _new_year(day: Ints) -> Ints:
    """Day number of the first of January of each day's year."""
    years = day.astype("datetime64[D]").astype("datetime64[Y]")
    return years.astype("datetime64[D]").astype(np.int64)


def pm10(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """ug/m3: the fine part, sea salt when it blows, dust of the road."""
    salt = 0.35 * weather.wind_speed(noise, station, time, 0)
    return 1.35 * pm25(noise, station, time, length) + salt + 1.1 + 0.5 * noise.smooth(f"pm10/{station.device}", time, 1200.0) ** 2


def no2(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """ug/m3: traffic, diluted by the wind."""
    clock = local(time, station.timezone, station.country)
    wind = weather.wind_speed(noise, station, time, 0)
    wobble = np.exp(0.22 * noise.smooth(f"no2/{station.device}", time, 1800.0))
    return (5 + 40 * float(station.signal["traffic"]) * _by_day(clock) / 86 / (0.6 + 0.22 * wind)) * wobble


def o3(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """ug/m3: made by the sun, eaten by nitrogen oxides."""
    sun = weather.global_radiation(noise, station, time - 5400.0, 0)
    return np.maximum(52 + 0.05 * sun + 9 * noise.smooth("ozone", time, 30 * 3600.0) - 0.6 * no2(noise, station, time, length), 2)


def co2(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Give ppm in the class room: rises in lessons, falls in breaks and afterwards."""
    clock = local(time, station.timezone, station.country)
    taught = np.where(clock.school, 1.0, 0.0)
    room = np.interp(clock.hour, *_school_day(int(station.signal["pupils"])))
    daily = 1 + 0.12 * noise.normal(f"airing/{station.device}", clock.day)
    return 425 + taught * np.clip(daily, 0.6, 1.5) * room + 6 * noise.smooth(f"co2/{station.device}", time, 900.0)


@lru_cache
def _school_day(pupils: int) -> tuple[Floats, Floats]:
    """Hours of a day with lessons and the ppm above outside: a box that is filled in lessons and aired in breaks."""
    hours = np.arange(0, 24, 1 / 12)
    above, level = np.zeros_like(hours), 0.0
    for index, hour in enumerate(hours):
        lesson = 8.0 <= hour < 13.5 and not 9.5 <= hour < 9.85 and not 11.4 <= hour < 11.75
        change_per_h = 6.4 if not lesson and 7.5 < hour < 14 else 0.9
        level += (pupils * 62.0 * lesson - change_per_h * level) / 12
        above[index] = level
    return hours, above


def room_temperature(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Cel: heated by day, warmed by the class and the summer."""
    clock = local(time, station.timezone, station.country)
    outside = weather.air_temperature(noise, station, time - 4 * 3600.0, 0)
    by_day = np.exp(-(((clock.hour - 12.5) / 5.0) ** 4)) * np.where(clock.school, 2.6, 0.6)
    return 18.2 + by_day + 0.32 * np.maximum(outside - 14, 0) + 0.25 * noise.smooth(f"room/{station.device}", time, 3600.0)


def room_humidity(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """%: dry in winter, damper with people in the room."""
    outside = weather.air_temperature(noise, station, time, 0)
    breath = (co2(noise, station, time, length) - 420) / 110
    return np.clip(32 + 0.9 * outside + breath + 2 * noise.smooth(f"damp/{station.device}", time, 7200.0), 15, 85)
