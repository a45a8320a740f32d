"""Noise: Lden by the country of the site (34. BImSchV; Miljøstyrelsen), the equivalent level, and levels exceeded.

Levels are LAeq in dB(A) over equal intervals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from streams.derived.numbers import percentile
from streams.derived.window import Window

HOURS = 24


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """Local hours at which day, evening and night begin."""

    day: int
    evening: int
    night: int

    def of_hour(self, hour: int) -> str:
        """Name the period of a local hour."""
        if self.day <= hour < self.evening:
            return "day"
        return "evening" if self.evening <= hour < self.night else "night"

    def lengths(self) -> dict[str, int]:
        """Hours of each period."""
        evening = self.night - self.evening
        return {"day": self.evening - self.day, "evening": evening, "night": HOURS - (self.night - self.day)}


PERIODS: Mapping[str, Periods] = {"DE": Periods(day=6, evening=18, night=22), "DK": Periods(day=7, evening=19, night=22)}
PENALTIES: Mapping[str, float] = {"day": 0.0, "evening": 5.0, "night": 10.0}


def equivalent(levels: Sequence[float]) -> float:
    """Average levels by their energy; raises `ValueError` for none."""
    return 10 * math.log10(math.fsum(10 ** (level / 10) for level in levels) / len(levels))


def lden(window: Window) -> dict[str, Any] | None:
    """Lday, Levening and Lnight, and Lden of all three; Lden is None while a period has no level. None without any level.

    A local day's night is its hours before the morning and those after the evening. Raises `KeyError` for another country.
    """
    periods = PERIODS[window.site.country]
    zone = ZoneInfo(window.site.timezone)
    heard: dict[str, list[float]] = {"day": [], "evening": [], "night": []}
    for reading in window.used():
        if reading.number is not None:
            heard[periods.of_hour(reading.time.astimezone(zone).hour)].append(reading.number)
    if not any(heard.values()):
        return None
    levels = {name: equivalent(given) if given else None for name, given in heard.items()}
    return {"lden": _lden(levels, periods), **{f"l{name}": level for name, level in levels.items()}, "country": window.site.country}


def _lden(levels: Mapping[str, float | None], periods: Periods) -> float | None:
    energy = 0.0
    for name, hours in periods.lengths().items():
        level = levels[name]
        if level is None:
            return None
        energy += hours / HOURS * 10 ** ((level + PENALTIES[name]) / 10)
    return 10 * math.log10(energy)


def noise_levels(window: Window) -> dict[str, Any] | None:
    """LAeq, and the levels exceeded in 10, 50 and 90 % of the intervals: L10 is the 90th percentile; None without a level."""
    ordered = sorted(window.numbers())
    if not ordered:
        return None
    return {"laeq": equivalent(ordered), **{f"l{share}": percentile(ordered, 100 - share) for share in (10, 50, 90)}}
