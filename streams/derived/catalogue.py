"""Every figure by its name."""

from __future__ import annotations

from collections.abc import Mapping

from streams.derived import courses, noise, numbers
from streams.derived.courses import Figure

FIGURES: Mapping[str, Figure] = {
    "statistics": numbers.statistics,
    "circular_mean": numbers.circular_mean,
    "percentiles": numbers.percentiles,
    "bathing_water": numbers.bathing_water,
    "time_weighted_mean": courses.time_weighted_mean,
    "increase": courses.increase,
    "state_shares": courses.state_shares,
    "distribution": courses.distribution,
    "lden": noise.lden,
    "noise_levels": noise.noise_levels,
}
