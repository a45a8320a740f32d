"""What every simulated channel shows: a pure function of seed, station, channel and time.

`values` answers for many moments at once, in any order; None means that nothing is sent then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.inventory import Channel, Station
from devices.simulator import buses, charging, people, weather
from devices.simulator.noise import Floats, Noise

Signal = Callable[[Noise, Station, Floats, float], npt.NDArray[Any]]
Value = float | int | bool | str | None

_WEATHER: Mapping[str, Signal] = {
    "air_temperature": weather.air_temperature,
    "relative_humidity": weather.relative_humidity,
    "air_pressure": weather.air_pressure,
    "wind_speed": weather.wind_speed,
    "wind_direction": weather.wind_direction,
    "precipitation": weather.precipitation,
    "global_radiation": weather.global_radiation,
}
# kind of station → channel → signal
SIGNALS: Mapping[str, Mapping[str, Signal]] = {
    "bus_stop": {"delay": people.stop_delay},
    "bus": {
        "delay": buses.delay,
        "occupancy": buses.occupancy,
        "speed": buses.speed,
        "heading": buses.heading,
        "stop": buses.next_stop,
    },
    "cycle_counter": {"cycle_count": people.cycle_count},
    "traffic_counter": {
        "vehicle_count": people.vehicle_count,
        "heavy_vehicle_count": people.heavy_vehicle_count,
        "speed": people.road_speed,
    },
    "parking_bay": {"occupied": people.bay_occupied},
    "car_park": {"free_spaces": people.free_spaces, "occupied_spaces": people.occupied_spaces, "capacity": people.capacity},
    "charging_point": {
        "charging_status": charging.status,
        "charging_power": charging.power,
        "charging_energy": charging.energy,
    },
    "air": {"pm2.5": people.pm25, "pm10": people.pm10, "no2": people.no2, "o3": people.o3},
    "noise": {"laeq": people.laeq},
    "weather": _WEATHER,
    "water_north_sea": {"water_level": weather.level_north_sea, "water_temperature": weather.water_temperature},
    "water_baltic": {"water_level": weather.level_baltic, "water_temperature": weather.water_temperature},
    "wind_park": {
        "wind_power": weather.wind_power,
        "wind_power_available": weather.wind_available,
        "feed_in_step": weather.feed_in_step,
    },
    "pv": {"pv_power": weather.pv_power},
    "district_heating": {
        "supply_temperature": weather.supply_temperature,
        "return_temperature": weather.return_temperature,
        "heat_power": weather.heat_power,
    },
    "border_crossing": {"northbound": people.northbound, "southbound": people.southbound},
    "indoor": {"co2": people.co2, "room_temperature": people.room_temperature, "room_humidity": people.room_humidity},
}


def numbers(noise: Noise, station: Station, channel: Channel, time: Floats) -> npt.NDArray[Any]:
    """Give the signal as the array that its function makes: numbers (NaN: nothing is sent), truths or texts, not yet rounded."""
    length = float(channel.interval_s) if channel.over_interval else 0.0
    return SIGNALS[station.kind][channel.name](noise, station, time, length)


def as_values(channel: Channel, drawn: npt.NDArray[Any]) -> list[Value]:
    """Turn a signal into what a device sends: rounded to the property's decimals, whole numbers as such."""
    if drawn.dtype.kind in "bO":
        return drawn.tolist()
    decimals = channel.property.decimals
    if decimals == 0:
        return [None if np.isnan(number) else int(np.rint(number)) for number in drawn]
    return [None if np.isnan(number) else round(float(number), decimals) for number in drawn]


def values(noise: Noise, station: Station, channel: Channel, time: Floats) -> list[Value]:
    """Give what a sound sensor would send at each moment (Unix seconds; for intervals their start)."""
    return as_values(channel, numbers(noise, station, channel, time))
