"""Charging points: sessions in slots of two hours, the states around them, and a meter that never runs back."""

# ruff: noqa: PLR2004 (a model is its numbers)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.inventory import Station
from devices.simulator.days import DAY_S, local
from devices.simulator.noise import Floats, Ints, Noise

SLOT_S = 7_200.0
_METER_ZERO_S = 1_735_689_600.0  # 2025-01-01: the meter's start
_FULL_SHARE = 0.8  # of a session at full power, then it tapers to a fifth
_HOURLY = (4, 3, 2, 2, 3, 6, 14, 28, 36, 40, 44, 50, 52, 50, 48, 50, 56, 62, 60, 48, 34, 22, 12, 7)  # per cent of slots in use


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slots:
    """The sessions of some slots: start and length in s, power in kW (0: no session), and whether the point is out of order."""

    start: Floats
    length: Floats
    power_kw: Floats
    blocks: npt.NDArray[np.bool_]
    broken: npt.NDArray[np.bool_]


def _slots(noise: Noise, station: Station, slot: Ints) -> _Slots:
    name = station.device
    begin = slot * SLOT_S
    clock = local(begin + SLOT_S / 2, station.timezone, station.country)
    demand = np.array(_HOURLY, dtype=np.float64)[np.floor(clock.hour).astype(np.int64)] / 100
    broken = noise.uniform(f"{name}/broken", np.floor(begin / DAY_S).astype(np.int64)) < 0.015
    used = (noise.uniform(f"{name}/used", slot) < demand) & ~broken
    level = 0.35 + 0.65 * noise.uniform(f"{name}/level", slot)
    return _Slots(
        start=begin + 300 + 1_800 * noise.uniform(f"{name}/start", slot),
        length=1_200 + 3_600 * noise.uniform(f"{name}/length", slot),
        power_kw=np.where(used, float(station.signal["max_kw"]) * level, 0.0),
        blocks=used & (noise.uniform(f"{name}/blocks", slot) < 0.3),
        broken=broken,
    )


def _of(time: Floats) -> Ints:
    return np.floor(time / SLOT_S).astype(np.int64)


def status(noise: Noise, station: Station, time: Floats, _length: float) -> npt.NDArray[np.object_]:
    """State after OCPI 2.2.1."""
    slots = _slots(noise, station, _of(time))
    after = time - slots.start
    charging = (slots.power_kw > 0) & (after >= 0) & (after < slots.length)
    blocked = slots.blocks & (after >= slots.length)
    chosen = np.select([slots.broken, charging, blocked], ["OUTOFORDER", "CHARGING", "BLOCKED"], "AVAILABLE")
    return chosen.astype(object)


def power(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """Power delivered now, in kW."""
    slots = _slots(noise, station, _of(time))
    part = (time - slots.start) / slots.length
    inside = (part >= 0) & (part < 1)
    return np.where(inside, slots.power_kw * (1 - 4 * np.maximum(part - _FULL_SHARE, 0)), 0.0)


def energy(noise: Noise, station: Station, time: Floats, _length: float) -> Floats:
    """KWh on the meter: all sessions since its start, the present one up to now."""
    slot = _of(time)
    first = int(_METER_ZERO_S / SLOT_S)
    last = max(int(slot.max()), first)
    every = np.arange(first, last + 1)
    whole = _delivered(_slots(noise, station, every), np.full(every.shape, np.inf))
    before = np.concatenate(([0.0], np.cumsum(whole)))
    now = _delivered(_slots(noise, station, slot), time)
    return np.where(slot >= first, before[np.clip(slot - first, 0, last - first + 1)] + now, 0.0)


def _delivered(slots: _Slots, until: Floats) -> Floats:
    """KWh of each slot's session up to a moment: the integral of `power`."""
    part = np.clip((until - slots.start) / slots.length, 0, 1)
    taper = np.maximum(part - _FULL_SHARE, 0)
    return slots.power_kw * slots.length / 3600 * (part - 2 * taper**2)
