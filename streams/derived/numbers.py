"""Figures of numbers: sums that do not depend on an order, mean directions, percentiles, and bathing water's P95."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from streams.derived.window import Window

MILLION = 1_000_000
CALM = 1e-4  # a resultant shorter than this has no direction: the rounding of the sines decides
FULL_CIRCLE = 360.0
P95_SIGMAS, P90_SIGMAS = 1.65, 1.282  # 2006/7/EC, annex II


def exact(number: float) -> Decimal:
    """Give the shortest decimal that is the same double, as the aggregates sum it (ADR 7)."""
    return Decimal(repr(number))


def mean_of(total: Decimal, n: int) -> float | None:
    """Divide an exact sum; None for no readings. Correctly rounded, so that every way to the sum gives the same mean."""
    return float(Fraction(total) / n) if n else None


def statistics(window: Window) -> dict[str, Any] | None:
    """Mean, sum, least and greatest number; None without a number."""
    numbers = window.numbers()
    if not numbers:
        return None
    total = sum((exact(number) for number in numbers), Decimal(0))
    return {
        "mean": mean_of(total, len(numbers)),
        "sum": float(total),
        "min": min(numbers),
        "max": max(numbers),
    }


def circular_mean(window: Window) -> dict[str, Any] | None:
    """Mean direction in degrees [0, 360) and the length of the resultant (1: all the same); None without a number.

    `direction` is None where the directions cancel out.
    """
    numbers = window.numbers()
    sines = sum(round(math.sin(math.radians(number)) * MILLION) for number in numbers)
    cosines = sum(round(math.cos(math.radians(number)) * MILLION) for number in numbers)
    return direction_of(sines, cosines, len(numbers))


def direction_of(sines: int, cosines: int, n: int) -> dict[str, Any] | None:
    """Make the mean direction of sums of sines and cosines in millionths, as the aggregates hold them."""
    if n == 0:
        return None
    length = math.hypot(sines, cosines) / (n * MILLION)
    if length < CALM:
        return {"direction": None, "resultant_length": length}
    # A tiny negative angle becomes 360.0 by rounding: the second remainder makes it 0.
    return {"direction": math.degrees(math.atan2(sines, cosines)) % FULL_CIRCLE % FULL_CIRCLE, "resultant_length": length}


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Give a percentile of ascending numbers, interpolated linearly between the two next ranks; raises `IndexError` for none."""
    rank = Fraction(percent) / 100 * (len(ordered) - 1)
    below = math.floor(rank)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return float(Fraction(low) + (Fraction(high) - Fraction(low)) * (rank - below))


def percentiles(window: Window) -> dict[str, Any] | None:
    """P5, P10, P50, P90 and P95 from the readings themselves; None without a number."""
    ordered = sorted(window.numbers())
    if not ordered:
        return None
    return {f"p{percent}": percentile(ordered, percent) for percent in (5, 10, 50, 90, 95)}


def bathing_water(window: Window) -> dict[str, Any] | None:
    """P95 and P90 as 2006/7/EC, annex II: the antilog of mu + 1.65 (1.282) sigma of the decadic logarithms.

    sigma is that of the sample (n - 1). A zero or less counts as the least positive number, the detection limit. None for fewer
    than two numbers or none positive.
    """
    numbers = window.numbers()
    positive = [number for number in numbers if number > 0]
    if len(numbers) < 2 or not positive:  # noqa: PLR2004 -- a deviation needs two
        return None
    logs = [math.log10(max(number, min(positive))) for number in numbers]
    mu = math.fsum(logs) / len(logs)
    sigma = math.sqrt(math.fsum((log - mu) ** 2 for log in logs) / (len(logs) - 1))
    return {"p95": 10 ** (mu + P95_SIGMAS * sigma), "p90": 10 ** (mu + P90_SIGMAS * sigma), "mu": mu, "sigma": sigma}
