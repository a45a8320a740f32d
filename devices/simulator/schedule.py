"""When each simulated station sends what: messages for any span of time, the same ones however the span is cut."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from devices.inventory import SIMULATED, Channel, Inventory, Station
from devices.simulator import buses
from devices.simulator.faults import Fault, faults_on, faulty_values
from devices.simulator.noise import Floats, Noise

# Kinds of stations that speak SenML; all others native JSON, and so do values over intervals, which SenML does not have.
FORMATS: Mapping[str, str] = {"weather": "senml-json", "indoor": "senml-cbor", "district_heating": "senml-json"}
_WITH_UNIT = ("weather", "indoor", "district_heating", "air")
_DAY_S = 86_400.0
_PER_MESSAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Channels of a station that send together: every `interval_s`, at `phase_s` past, instants or the interval just ended."""

    station: Station
    channels: tuple[Channel, ...]
    interval_s: int
    phase_s: int
    over_interval: bool

    @property
    def format(self) -> str:
        """How this group's messages are written."""
        return "json" if self.over_interval else FORMATS.get(self.station.kind, "json")

    def due(self, after: float) -> float:
        """Give the first moment later than `after` at which this group sends."""
        return (np.floor((after - self.phase_s) / self.interval_s) + 1) * self.interval_s + self.phase_s


def groups(inventory: Inventory, speed: float) -> list[Group]:
    """Group all simulated channels; `speed` says how many times more often than usual they send, once a second at most."""
    found: list[Group] = []
    for station in inventory.stations:
        if station.source != SIMULATED:
            continue
        channels = [replace(channel, interval_s=max(1, round(channel.interval_s / speed))) for channel in station.channels]
        quick = replace(station, channels=tuple(channels))
        for interval_s, over_interval in sorted({(channel.interval_s, channel.over_interval) for channel in channels}):
            phase = 0 if over_interval else zlib.crc32(station.device.encode()) % interval_s
            together = tuple(c for c in channels if (c.interval_s, c.over_interval) == (interval_s, over_interval))
            found.append(Group(station=quick, channels=together, interval_s=interval_s, phase_s=phase, over_interval=over_interval))
    return found


def messages(noise: Noise, group: Group, after: float, until: float, *, with_faults: bool) -> Iterator[list[dict[str, Any]]]:
    """Give the readings that fall due later than `after` and not later than `until`, a message at a time."""
    first = group.due(after)
    if first > until:
        return
    sent = np.arange(first, until + 0.5, group.interval_s, dtype=np.float64)
    time = sent - group.interval_s if group.over_interval else sent
    faults = _faults(noise, group.station, time) if with_faults else ()
    columns = [faulty_values(noise, group.station, channel, time, faults) for channel in group.channels]
    places = _places(noise, group.station, time)
    readings: list[dict[str, Any]] = []
    for row, moment in enumerate(time.tolist()):
        when = _when(moment, group)
        for channel, column in zip(group.channels, columns, strict=True):
            if column[row] is not None:
                readings.append(_reading(group, channel, when, column[row], places[row] if places else None))
    for start in range(0, len(readings), _PER_MESSAGE):
        yield readings[start : start + _PER_MESSAGE]


def _faults(noise: Noise, station: Station, time: Floats) -> Sequence[Fault]:
    days = range(int(time[0] // _DAY_S), int(time[-1] // _DAY_S) + 1)
    return [fault for day in days for fault in faults_on(noise, station, day)]


def _places(noise: Noise, station: Station, time: Floats) -> list[list[float]] | None:
    if not station.moving:
        return None
    lon, lat = buses.position(noise, station, time)
    return [[round(x, 5), round(y, 5)] for x, y in zip(lon.tolist(), lat.tolist(), strict=True)]


def _when(moment: float, group: Group) -> dict[str, datetime]:
    start = datetime.fromtimestamp(moment, UTC)
    if not group.over_interval:
        return {"time": start}
    return {"start": start, "end": datetime.fromtimestamp(moment + group.interval_s, UTC)}


def _reading(
    group: Group, channel: Channel, when: Mapping[str, datetime], value: object, place: list[float] | None
) -> dict[str, Any]:
    reading: dict[str, Any] = {**when, "property": channel.name, "value": value}
    if channel.property.unit is not None and group.station.kind in _WITH_UNIT:
        reading["unit"] = channel.property.unit
    if place is not None:
        reading["position"] = place
    return reading
