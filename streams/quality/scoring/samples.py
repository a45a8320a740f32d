"""Readings whose truth is known: what the simulator's sensors send under injected faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from devices.catalogue import Property
from devices.inventory import SIMULATED, Channel, Inventory, Station
from devices.simulator.faults import Fault, faulty_values, truth
from devices.simulator.noise import Noise
from devices.simulator.signals import Value, values
from streams.quality.rules import Rules
from streams.quality.rulesets import rules_for
from streams.quality.window import Floats, Mask

Spans = tuple[float, float, float, float]  # of gross_range: fail low and high, suspect low and high
NAN = float("nan")
# A bay that stays taken for hours is in order: no test can tell, and the kind is counted apart from flat lines of numbers.
STUCK_STATE = "stuck_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fault: its kind, its span in Unix seconds, and whether it can be seen.

    It can when a reading that was sent differs from the truth, a gap when one is missing.
    """

    kind: str
    start_s: float
    end_s: float
    visible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The readings of one Datastream in order of time, NaN where a value is no number, and what is wrong with them."""

    name: str
    theme: str
    time_s: Floats
    value: Floats
    wrong: Mask  # (n,) readings within a fault
    events: tuple[Event, ...]
    rules: Rules | None
    spans: Spans


def simulated(inventory: Inventory, seed: int, start: datetime, end: datetime, *, every: int = 1) -> Iterator[Sample]:
    """Give the samples of the region's stations, of each `every`-th only."""
    noise = Noise(seed=seed)
    stations = [station for station in inventory.stations if station.source == SIMULATED][::every]
    faults = truth(noise, stations, start, end)
    for station in stations:
        for channel in station.channels:
            own = [fault for fault in faults if (fault.device, fault.channel) == (station.device, channel.name)]
            yield _sample(noise, station, channel, own, start, end)


def _sample(noise: Noise, station: Station, channel: Channel, faults: list[Fault], start: datetime, end: datetime) -> Sample:
    time = np.arange(start.timestamp(), end.timestamp(), channel.interval_s, dtype=np.float64)
    right = values(noise, station, channel, time)
    sent = faulty_values(noise, station, channel, time, faults)
    there = np.array([value is not None for value in sent], dtype=np.bool_)
    differs = np.array([a != b for a, b in zip(right, sent, strict=True)], dtype=np.bool_)
    events = tuple(_event(fault, channel, time, differs & (there | (fault.kind == "gap"))) for fault in faults)
    wrong = np.zeros(len(time), dtype=np.bool_)
    for event in events:
        wrong |= (time >= event.start_s) & (time < event.end_s)
    return Sample(
        name=f"{station.device}/{channel.name}",
        theme=channel.property.key,
        time_s=time[there],
        value=_numbers(sent)[there],
        wrong=wrong[there],
        events=events,
        rules=rules_of(station, channel),
        spans=spans_of(channel.property),
    )


def _event(fault: Fault, channel: Channel, time: Floats, differs: Mask) -> Event:
    start_s, end_s = fault.span_s
    inside = (time >= start_s) & (time < end_s)
    state = channel.property.type_name in ("Category", "Truth") and fault.kind == "flat_line"
    kind = STUCK_STATE if state else fault.kind
    return Event(kind=kind, start_s=start_s, end_s=end_s, visible=bool(differs[inside].any()))


def _numbers(sent: list[Value]) -> Floats:
    return np.array([NAN if isinstance(value, (str, bool)) or value is None else value for value in sent], dtype=np.float64)


def rules_of(station: Station, channel: Channel) -> Rules | None:
    """Give the rules that the inventory chooses for a channel."""
    properties = {"interval_s": channel.interval_s, **channel.properties}
    return rules_for(channel.property.key, station.device, properties, timezone=station.timezone, unit=channel.property.unit or "1")


def spans_of(entry: Property) -> Spans:
    """Give the spans of gross_range, NaN where there is none."""
    return (*(entry.fail_span or (NAN, NAN)), *(entry.suspect_span or (NAN, NAN)))
