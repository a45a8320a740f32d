"""Randomness as a pure function of seed, name and time: any moment can be asked for, in any order, and gives the same number."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Randomness of one seed. `name` in every method keeps one quantity's numbers apart from another's."""

    seed: int

    def uniform(self, name: str, index: Ints) -> Floats:
        """Independent numbers in [0, 1), one per whole number."""
        key = np.uint64((zlib.crc32(name.encode()) << 32) ^ (self.seed & 0xFFFFFFFF))
        with np.errstate(over="ignore"):
            mixed = (index.astype(np.uint64) + key) * _STEP ^ key
            mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
            mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
            mixed = mixed ^ (mixed >> np.uint64(31))
        return (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)

    def normal(self, name: str, index: Ints) -> Floats:
        """Independent standard normal numbers, one per whole number (Box and Muller)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(f"{name}/r", index)))
        return radius * np.cos(2.0 * np.pi * self.uniform(f"{name}/a", index))

    def smooth(self, name: str, time: Floats, period_s: float) -> Floats:
        """Give a smooth curve over time with mean 0 and deviation about 1 that changes its mind every `period_s` seconds."""
        place = np.asarray(time, dtype=np.float64) / period_s
        below = np.floor(place)
        part = place - below
        weight = part * part * (3.0 - 2.0 * part)
        index = below.astype(np.int64)
        left, right = self.normal(name, index), self.normal(name, index + 1)
        # Blending two independent values narrows them; the divisor keeps the deviation at 1 throughout.
        return (left * (1.0 - weight) + right * weight) / np.sqrt((1.0 - weight) ** 2 + weight**2)

    def rough(self, name: str, time: Floats, period_s: float) -> Floats:
        """Like `smooth`, with finer movement on top: three octaves, deviation about 1."""
        coarse = self.smooth(f"{name}/1", time, period_s)
        middle = self.smooth(f"{name}/2", time, period_s / 3.1)
        fine = self.smooth(f"{name}/3", time, period_s / 9.7)
        return (coarse + 0.45 * middle + 0.2 * fine) / 1.115
