"""Injected sensor faults: on a seeded schedule, so that the truth about every reading is known.

A fault lies within one UTC day. `faults_on` gives a station's faults of a day, `faulty_values` what its sensors then send.
"""

# ruff: noqa: PLR2004 (a model is its numbers)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from devices.inventory import Channel, Station
from devices.simulator.noise import Floats, Noise
from devices.simulator.signals import Value, as_values, numbers

DAY_S = 86_400.0
PER_CHANNEL_DAY = 0.03  # chance of a fault per channel and day
_PER_PAIR_DAY = 0.02

SWAPPABLE = (
    ("pm2.5", "pm10"),
    ("supply_temperature", "return_temperature"),
    ("northbound", "southbound"),
    ("free_spaces", "occupied_spaces"),
)
# How long a kind lasts, in hours.
_HOURS = {
    "spike": (0.0, 0.0),
    "flat_line": (3.0, 8.0),
    "drift": (8.0, 16.0),
    "gap": (1.0, 6.0),
    "stuck_counter": (3.0, 8.0),
    "counter_reset": (4.0, 12.0),
    "unit_mixup": (2.0, 6.0),
    "noise": (2.0, 6.0),
    "swapped": (4.0, 12.0),
}
KINDS = tuple(_HOURS)
_CONTINUOUS = ("spike", "flat_line", "drift", "gap", "noise", "unit_mixup")
_COUNTING = ("spike", "gap", "stuck_counter")
_METERING = ("gap", "stuck_counter", "counter_reset")
_STATES = ("gap", "flat_line")
_METERS = ("charging_energy", "odometer")

# Size of a spike, and a multiplier and offset for a sensor set to the wrong unit, by the right unit.
_SIZES = {
    "Cel": 9.0,
    "m": 0.9,
    "dB": 18.0,
    "ug/m3": 80.0,
    "hPa": 18.0,
    "%": 30.0,
    "m/s": 14.0,
    "deg": 120.0,
    "W/m2": 350.0,
    "[ppm]": 1200.0,
    "s": 900.0,
    "km/h": 35.0,
    "mm": 8.0,
    "kW": 0.0,
}
_MIXUPS = {
    "Cel": (1.8, 32.0),
    "m": (100.0, 0.0),
    "ug/m3": (0.001, 0.0),
    "kW": (1000.0, 0.0),
    "m/s": (3.6, 0.0),
    "hPa": (100.0, 0.0),
    "%": (0.01, 0.0),
    "[ppm]": (0.0001, 0.0),
    "W/m2": (0.001, 0.0),
    "s": (1 / 60, 0.0),
    "km/h": (1 / 3.6, 0.0),
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about one fault: every reading of that channel from `start` until before `end` is wrong, or missing for a gap."""

    device: str
    channel: str
    kind: str
    start: datetime
    end: datetime

    @property
    def span_s(self) -> tuple[float, float]:
        """Start and end in Unix seconds."""
        return self.start.timestamp(), self.end.timestamp()


def truth(noise: Noise, stations: Iterable[Station], start: datetime, end: datetime) -> list[Fault]:
    """Give all faults that touch the span, by start."""
    days = range(int(start.timestamp() // DAY_S), int(end.timestamp() // DAY_S) + 1)
    found = [fault for station in stations for day in days for fault in faults_on(noise, station, day)]
    touching = [fault for fault in found if fault.start < end and fault.end > start]
    return sorted(touching, key=lambda fault: (fault.start, fault.device, fault.channel))


def faults_on(noise: Noise, station: Station, day: int) -> list[Fault]:
    """Give a station's faults of one UTC day (days since 1970): at most one per channel."""
    found: dict[str, Fault] = {}
    names = {channel.name for channel in station.channels}
    for pair in SWAPPABLE:
        if names.issuperset(pair) and _draw(noise, station, f"swap/{pair[0]}", day) < _PER_PAIR_DAY:
            found |= {name: _fault(noise, station, station.channel(name), "swapped", day, key=pair[0]) for name in pair}
    for channel in station.channels:
        if channel.name not in found and _draw(noise, station, f"fault/{channel.name}", day) < PER_CHANNEL_DAY:
            kinds = kinds_for(channel)
            kind = kinds[int(_draw(noise, station, f"kind/{channel.name}", day) * len(kinds))]
            found[channel.name] = _fault(noise, station, channel, kind, day, key=channel.name)
    return list(found.values())


def kinds_for(channel: Channel) -> tuple[str, ...]:
    """Give the kinds of fault that this channel can have."""
    if channel.property.key in _METERS:
        return _METERING
    if channel.property.type_name == "Count":
        return _COUNTING
    if channel.property.type_name in ("Category", "Truth"):
        return _STATES
    return _CONTINUOUS if channel.property.unit in _MIXUPS else _CONTINUOUS[:-1]


def faulty_values(noise: Noise, station: Station, channel: Channel, time: Floats, faults: Sequence[Fault]) -> list[Value]:
    """Give what the sensor sends at each moment under these faults; None: nothing is sent."""
    drawn = numbers(noise, station, channel, time)
    for fault in faults:
        if fault.device != station.device or fault.channel != channel.name:
            continue
        start, end = fault.span_s
        inside = (time >= start) & (time < end)
        if inside.any():
            drawn = drawn.astype(object) if drawn.dtype.kind == "b" else drawn.copy()
            drawn[inside] = _wrong(noise, station, channel, fault, time[inside], drawn[inside])
    return as_values(channel, drawn)


def _draw(noise: Noise, station: Station, name: str, day: int) -> float:
    return float(noise.uniform(f"{station.device}/{name}", np.array([day]))[0])


def _fault(noise: Noise, station: Station, channel: Channel, kind: str, day: int, *, key: str) -> Fault:
    """Place a fault within the day; `key` is shared by the channels of a pair, so that theirs coincide."""
    shortest, longest = _HOURS[kind]
    length = 3600 * (shortest + (longest - shortest) * _draw(noise, station, f"length/{key}", day)) or float(channel.interval_s)
    start = day * DAY_S + np.floor((DAY_S - length) * _draw(noise, station, f"start/{key}", day))
    return Fault(
        device=station.device,
        channel=channel.name,
        kind=kind,
        start=datetime.fromtimestamp(float(start), UTC),
        end=datetime.fromtimestamp(float(np.floor(start + length)), UTC),
    )


def _wrong(  # noqa: PLR0911  one return per kind of fault reads best
    noise: Noise, station: Station, channel: Channel, fault: Fault, time: Floats, right: npt.NDArray[Any]
) -> npt.NDArray[Any] | float | str | None:
    """Give what a faulty sensor sends instead of the right values."""
    start, end = fault.span_s
    name = f"{station.device}/{channel.name}"
    match fault.kind:
        case "gap":
            return None if right.dtype == object else np.nan
        case "flat_line" | "stuck_counter":
            return numbers(noise, station, channel, np.array([start]))[0]
        case "counter_reset":
            return right - numbers(noise, station, channel, np.array([start]))[0]
        case "swapped":
            pair = next(pair for pair in SWAPPABLE if channel.name in pair)
            other = pair[1] if channel.name == pair[0] else pair[0]
            return numbers(noise, station, station.channel(other), time)
        case "unit_mixup":
            factor, offset = _MIXUPS[channel.property.unit or ""]
            return right * factor + offset
        case "drift":
            return right + _size(station, channel) * (time - start) / (end - start)
        case "noise":
            return right + 0.6 * _size(station, channel) * noise.normal(f"{name}/jitter", np.floor(time).astype(np.int64))
        case _:
            sign = (
                1.0
                if channel.property.type_name == "Count" or noise.uniform(f"{name}/sign", np.array([int(start)]))[0] < 0.7
                else -1.0
            )
            return right + sign * (_size(station, channel) + 4.0 * (right + 10) * (channel.property.type_name == "Count"))


def _size(station: Station, channel: Channel) -> float:
    rated = float(station.signal.get("rated_kw") or station.signal.get("peak_kw") or station.signal.get("max_kw") or 100.0)
    return _SIZES.get(channel.property.unit or "", 0.0) or (0.4 * rated if channel.property.unit == "kW" else 0.0)
