"""Weather over the region, and what follows from it: water, wind and solar power, heat.

Fields drift from west to east, so a station sees what its western neighbour saw a while ago: that makes them correlated in space.
"""

# ruff: noqa: PLR2004 (a model is its numbers)

from __future__ import annotations

import numpy as np

from devices.inventory import Station
from devices.simulator.days import DAY_S, local, sun_height
from devices.simulator.noise import Floats, Noise

_DRIFT_S_PER_DEGREE = 64_000 / 11.0  # a degree of longitude at 11 m/s
_WEST = 8.2
_YEAR_D = 365.2425


def _field(noise: Noise, name: str, station: Station, time: Floats, period_s: float, *, own: float = 0.2) -> Floats:
    """Give a drifting regional field plus a share of the station's own, deviation about 1."""
    lag = (station.lon - _WEST) * _DRIFT_S_PER_DEGREE
    regional = noise.rough(name, time - lag, period_s)
    single = noise.rough(f"{name}/{station.device}", time, period_s / 6)
    return (regional + own * single) / np.sqrt(1 + own**2)


def _season(time: Floats, coldest_day: float) -> Floats:
    """-1 on the coldest day of the year, +1 half a year later."""
    return -np.cos(2 * np.pi * ((time / DAY_S - 10_957.0 - coldest_day) % _YEAR_D) / _YEAR_D)


def cloud(noise: Noise, station: Station, time: Floats) -> Floats:
    """Share of the sky that is covered, 0 to 1."""
    return 1 / (1 + np.exp(-1.6 * _field(noise, "cloud", station, time, 9 * 3600.0)))


def global_radiation(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """W/m2: clear sky after Haurwitz, less what the clouds take."""
    height = np.maximum(sun_height(time, station.lon, station.lat), 0.0)
    clear = np.where(height > 0, 1098 * height * np.exp(-0.057 / np.maximum(height, 0.01)), 0.0)
    return clear * (1 - 0.78 * cloud(noise, station, time) ** 1.8)


def air_temperature(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Cel: season, time of day (less at the coast and under clouds), air masses."""
    coast = float(station.signal.get("coast", 0.5))
    swing = (2.2 + 1.8 * _season(time, 20)) * (1 - 0.6 * coast) * (1.3 - cloud(noise, station, time))
    solar_hour = (time / 3600.0 + station.lon / 15.0) % 24
    day = swing * np.cos(2 * np.pi * (solar_hour - 14.5) / 24)
    return 9.2 + 7.9 * _season(time, 24) + day + 2.8 * _field(noise, "air-mass", station, time, 60 * 3600.0, own=0.1)


def relative_humidity(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """%: damp by night and under clouds."""
    height = np.maximum(sun_height(time, station.lon, station.lat), 0.0)
    field = _field(noise, "humidity", station, time, 20 * 3600.0)
    return np.clip(80 + 9 * cloud(noise, station, time) - 24 * height + 6 * field, 28, 100)


def air_pressure(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Give hPa at sea level: highs and lows of a few days."""
    return 1013.2 + 11.0 * _field(noise, "pressure", station, time, 80 * 3600.0, own=0.01)


def _steady_wind(noise: Noise, station: Station, time: Floats) -> Floats:
    """m/s at 10 m without gusts: stronger in winter and at the west coast."""
    coast = float(station.signal.get("coast", 0.5))
    mean = 4.2 + 2.6 * coast - 0.7 * _season(time, 15)
    return np.clip(mean * np.exp(0.48 * _field(noise, "wind", station, time, 26 * 3600.0, own=0.12)) * 0.9, 0, 36)


def wind_speed(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """m/s at 10 m, with its gusts."""
    return _steady_wind(noise, station, time) * np.clip(1 + 0.1 * noise.smooth(f"gust/{station.device}", time, 600.0), 0.7, 1.2)


def _steady_direction(noise: Noise, station: Station, time: Floats) -> Floats:
    """Give whence the wind comes in deg, below 0 and above 360 too: mostly the west."""
    return 250 + 75 * _field(noise, "wind-direction", station, time, 34 * 3600.0, own=0.05)


def wind_direction(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Give whence the wind comes in deg, veering a little."""
    veer = 8 * noise.smooth(f"veer/{station.device}", time, 900.0)
    return np.floor(_steady_direction(noise, station, time) + veer) % 360


def precipitation(noise: Noise, station: Station, time: Floats, length: float) -> Floats:
    """Give mm in the interval: showers where it is cloudy."""
    wet = np.maximum(_field(noise, "rain", station, time, 5 * 3600.0) - 1.0, 0) * cloud(noise, station, time)
    return np.floor(10 * wet * 2.4 * length / 600.0) / 10


# ---------------------------------------------------------------- water

# Period in hours, amplitude relative to M2, phase in turns: principal lunar and solar, elliptic, diurnal and shallow-water tides.
_TIDES = (
    (12.4206, 1.0, 0.0),
    (12.0, 0.25, 0.31),
    (12.6583, 0.16, 0.77),
    (25.8193, 0.06, 0.12),
    (23.9345, 0.05, 0.54),
    (6.2103, 0.07, 0.2),
)


def level_north_sea(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Give m above datum: tide, and the surge that wind from west to north-west piles up."""
    signal = station.signal
    hours = time / 3600.0 - float(signal["phase_h"])
    tide = sum(float(signal["m2"]) * size * np.cos(2 * np.pi * (hours / period - phase)) for period, size, phase in _TIDES)
    return tide + float(signal["surge"]) * _setup(noise, station, time, onshore_from=290.0)


def level_baltic(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Give m above datum: filling of the Baltic, seiche, wind from the east, hardly any tide."""
    signal = station.signal
    seiche = float(signal["seiche"]) * noise.smooth("seiche", time, 60 * 3600.0)
    swing = seiche * np.cos(2 * np.pi * time / (27.3 * 3600.0)) + 0.4 * seiche * np.cos(2 * np.pi * time / (13.1 * 3600.0))
    filling = 0.16 * noise.smooth("baltic-filling", time, 9 * DAY_S)
    tide = 0.05 * np.cos(2 * np.pi * time / (12.4206 * 3600.0))
    return 0.04 + filling + swing + tide + 0.6 * float(signal["surge"]) * _setup(noise, station, time, onshore_from=70.0)


def _setup(noise: Noise, station: Station, time: Floats, *, onshore_from: float) -> Floats:
    """Water piled up by the wind of the last hours, in m."""
    total = np.zeros_like(time)
    for lag_h, weight in ((0.0, 0.2), (2.0, 0.3), (4.0, 0.3), (7.0, 0.2)):
        then = time - lag_h * 3600.0
        angle = np.radians(_steady_direction(noise, station, then) - onshore_from)
        total += weight * 0.0045 * _steady_wind(noise, station, then) ** 2 * np.cos(angle)
    return total


def water_temperature(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Cel: the year with a month's delay, a little sun."""
    day = 0.4 * np.cos(2 * np.pi * ((time / 3600.0 + station.lon / 15) % 24 - 16) / 24)
    return np.maximum(10.2 + 8.0 * _season(time, 48) + day + 0.8 * _field(noise, "water", station, time, 9 * DAY_S, own=0.3), -1.0)


# ---------------------------------------------------------------- energy and heat


def wind_available(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Give the kW that the wind offers: cut-in at 3 m/s, rated from 12.5, cut-out from 25, at hub height."""
    hub = 1.38 * wind_speed(noise, station, time, 0)
    share = np.clip((hub**3 - 27) / (12.5**3 - 27), 0, 1) * np.clip(26 - hub, 0, 1)
    return float(station.signal["rated_kw"]) * share * 0.97


def feed_in_step(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Give % of rated power that the grid allows: for two hours at a time, steps only while the region's wind is strong."""
    slot = np.floor(time / 7200.0).astype(np.int64)
    start = slot * 7200.0
    strong = wind_available(noise, station, start, 0) > 0.65 * float(station.signal["rated_kw"])
    drawn = noise.uniform("feed-in", slot)
    step = np.select([drawn < 0.06, drawn < 0.2, drawn < 0.45], [0.0, 30.0, 60.0], 100.0)
    return np.where(strong, step, 100.0)


def wind_power(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Power fed in, in kW: what the wind gives, up to the step; a standing park draws a little."""
    allowed = float(station.signal["rated_kw"]) * feed_in_step(noise, station, time, 0) / 100
    fed = np.minimum(wind_available(noise, station, time, 0), allowed)
    return np.where(fed > 0, fed, -0.002 * float(station.signal["rated_kw"]))


def pv_power(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """kW: radiation, less what heat takes, up to the inverters' limit."""
    sun = global_radiation(noise, station, time, 0) / 1000
    cooling = 1 - 0.004 * np.maximum(air_temperature(noise, station, time, 0) + 25 * sun - 25, 0)
    return float(station.signal["peak_kw"]) * np.minimum(1.08 * sun * cooling, 0.9)


def heat_power(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Power into the network in kW: heating below 17 Cel, hot water in the morning and the evening."""
    clock = local(time, station.timezone, station.country)
    heating = np.clip((17 - air_temperature(noise, station, time - 3 * 3600.0, 0)) / 32, 0, 1)
    morning = np.exp(-(((clock.hour - 7.0) / 1.6) ** 2)) + 0.8 * np.exp(-(((clock.hour - 19.0) / 2.4) ** 2))
    flicker = 1 + 0.02 * noise.smooth(f"heat/{station.device}", time, 1800.0)
    return float(station.signal["peak_kw"]) * (0.06 + 0.78 * heating + 0.09 * morning * (0.4 + heating)) * flicker


def supply_temperature(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Cel: slides from 75 to 105 as it gets colder outside."""
    outside = air_temperature(noise, station, time - 2 * 3600.0, 0)
    return 75 + 30 * np.clip((12 - outside) / 24, 0, 1) + 0.6 * noise.smooth(f"supply/{station.device}", time, 2400.0)


def return_temperature(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Cel: lower the more heat the customers take."""
    load = heat_power(noise, station, time, 0) / float(station.signal["peak_kw"])
    return 52 - 12 * load + 0.5 * noise.smooth(f"return/{station.device}", time, 3000.0)
