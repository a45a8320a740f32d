from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.derived.catalogue import FIGURES
from streams.derived.noise import equivalent
from streams.derived.numbers import direction_of, percentile
from streams.derived.window import COUNTER_RESET, Reading, Site, Window

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(minute: float, value: Any, flag: int = 1, tests: int = 0) -> Reading:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Reading(
        time=START + timedelta(minutes=minute),
        number=float(value) if is_number else None,
        result=None if is_number else value,
        flag=flag,
        tests=tests,
    )


def hour(*readings: Reading, **more: Any) -> Window:
    return Window(readings=readings, start=START, end=START + HOUR, **more)


def value(figure: str, window: Window) -> dict[str, Any]:
    found = FIGURES[figure](window)
    assert found is not None
    return found


@pytest.mark.parametrize("figure", sorted(FIGURES))
def test_no_figure_is_made_of_nothing(figure: str) -> None:
    assert FIGURES[figure](hour()) is None
    assert FIGURES[figure](hour(at(5, 1, flag=4), at(60, 1), at(-1, 1, flag=3))) is None


def test_statistics_are_of_the_asked_flags_within_the_bucket() -> None:
    readings = [at(-1, 100), at(0, 0.1), at(1, 0.2), at(2, 50, flag=3), at(59.9, 0.3), at(60, 100)]
    assert value("statistics", hour(*readings)) == {"mean": 0.2, "sum": 0.6, "min": 0.1, "max": 0.3}
    assert value("statistics", hour(*readings, flags={1, 3}))["max"] == 50


@pytest.mark.parametrize(
    ("degrees", "direction", "length"),
    [
        ([350, 10], 0, math.cos(math.radians(10))),
        ([0, 90], 45, math.sqrt(0.5)),
        ([270], 270, 1),
        ([359.9, 0.1], 0, 1),
        ([180], 180, 1),
    ],
)
def test_directions_are_averaged_around_the_circle(degrees: list[float], direction: float, length: float) -> None:
    found = value("circular_mean", hour(*(at(minute, angle) for minute, angle in enumerate(degrees))))
    assert abs((found["direction"] - direction + 180) % 360 - 180) < 1e-4
    assert found["resultant_length"] == pytest.approx(length, abs=1e-5)
    assert 0 <= found["direction"] < 360


def test_opposite_directions_have_no_mean() -> None:
    assert value("circular_mean", hour(at(0, 90), at(1, 270))) == {
        "direction": None,
        "resultant_length": pytest.approx(0, abs=1e-6),
    }


def test_a_direction_just_below_north_stays_below_360() -> None:
    found = direction_of(-1, 10**17, 100_000_000_000)
    assert found is not None
    assert 0 <= found["direction"] < 360


def test_percentiles_are_exact_and_do_not_depend_on_the_order() -> None:
    numbers = [float(n) for n in range(1, 102)]
    expected = {"p5": 6.0, "p10": 11.0, "p50": 51.0, "p90": 91.0, "p95": 96.0}
    random.Random(1).shuffle(numbers)
    assert value("percentiles", hour(*(at(n / 2, number) for n, number in enumerate(numbers)))) == expected


@pytest.mark.parametrize(
    ("ordered", "percent", "expected"), [([7.0], 95, 7.0), ([1.0, 2.0], 50, 1.5), ([1.0, 2.0], 100, 2.0), ([1.0, 2.0], 0, 1.0)]
)
def test_percentiles_interpolate_between_ranks(ordered: Sequence[float], percent: float, expected: float) -> None:
    assert percentile(ordered, percent) == expected


def test_bathing_water_follows_the_directives_annex() -> None:
    found = value("bathing_water", hour(*(at(n, number) for n, number in enumerate([10, 100, 1000]))))
    assert found["mu"] == pytest.approx(2)
    assert found["sigma"] == pytest.approx(1)
    assert found["p95"] == pytest.approx(10 ** (2 + 1.65))
    assert found["p90"] == pytest.approx(10 ** (2 + 1.282))


def test_bathing_water_counts_zero_as_the_detection_limit_and_needs_two() -> None:
    assert value("bathing_water", hour(at(0, 0), at(1, 10), at(2, 10))) == {"p95": 10, "p90": 10, "mu": 1, "sigma": 0}
    assert FIGURES["bathing_water"](hour(at(0, 10))) is None
    assert FIGURES["bathing_water"](hour(at(0, 0), at(1, 0))) is None


def test_each_number_weighs_as_long_as_it_stands() -> None:
    found = value("time_weighted_mean", hour(at(-30, 1), at(15, 2), at(45, 10)))
    assert found == {"mean": (15 * 1 + 30 * 2 + 15 * 10) / 60, "known_share": 1}


def test_what_follows_a_bad_reading_is_not_known() -> None:
    assert value("time_weighted_mean", hour(at(0, 1), at(15, 99, flag=4), at(30, 3))) == {
        "mean": (15 + 90) / 45,
        "known_share": 0.75,
    }


def test_a_reading_stands_no_longer_than_its_hold() -> None:
    site = Site(hold=timedelta(minutes=20))
    assert value("time_weighted_mean", hour(at(-10, 6), at(30, 2), site=site)) == {
        "mean": (10 * 6 + 20 * 2) / 30,
        "known_share": 0.5,
    }
    assert FIGURES["time_weighted_mean"](hour(at(-20, 6), at(59, "x"), site=site)) is None


def test_a_bays_share_leaves_the_unknown_out() -> None:
    readings = [at(0, True), at(15, False), at(30, "UNKNOWN"), at(45, None, flag=1)]
    assert value("state_shares", hour(*readings)) == {"shares": {"false": 0.5, "true": 0.5}, "known_share": 0.5}


def test_charging_is_a_share_of_the_known_minutes_and_blocked_stands_apart() -> None:
    readings = [at(0, "CHARGING"), at(30, "BLOCKED"), at(40, "UNKNOWN")]
    assert value("state_shares", hour(*readings))["shares"] == {"BLOCKED": 0.25, "CHARGING": 0.75}


def test_a_distribution_counts_reports_and_never_averages() -> None:
    found = value("distribution", hour(*(at(n, number) for n, number in enumerate([0, 24.9, 25, 100, 120, -1]))))
    assert found["counts"] == {"< 0": 1, ">= 0": 2, ">= 100": 2, ">= 25": 1}
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert value("distribution", hour(at(0, "full"), at(1, "full"), at(2, None)))["counts"] == {"full": 2}


def test_a_counters_increase_is_exact_and_belongs_to_the_bucket_in_which_it_ended() -> None:
    readings = [at(-5, 1.1), at(0, 1.2), at(30, 1.5), at(60, 1.9), at(65, 3)]
    assert value("increase", hour(*readings)) == {"increase": 0.7, "resets": 0}
    following = Window(readings=readings, start=START + HOUR, end=START + 2 * HOUR)
    assert value("increase", following) == {"increase": 1.1, "resets": 0}


def test_a_reset_adds_nothing_and_counting_goes_on_from_it() -> None:
    assert value("increase", hour(at(-5, 100), at(5, 103), at(10, 2), at(20, 4))) == {"increase": 5, "resets": 1}
    flagged = at(10, 200, flag=3, tests=3 << COUNTER_RESET)
    assert value("increase", hour(at(-5, 100), at(5, 103), flagged, at(20, 204))) == {"increase": 7, "resets": 1}


def test_a_bad_reading_of_a_counter_is_passed_by() -> None:
    readings = [at(-9, 1), at(-5, 9, flag=4), at(5, 9999, flag=4), at(10, None, flag=1), at(20, 4)]
    assert value("increase", hour(*readings)) == {"increase": 3, "resets": 0}
    assert FIGURES["increase"](hour(at(-5, 9, flag=4), at(5, 3))) is None


# ---------------------------------------------------------------- noise


def profile(day: datetime, country: str = "DE", **more: Any) -> Window:
    """65 dB from 6 to 18, 57 until 22, 55 at night, local time."""
    levels: list[Reading] = []
    for quarter in range(96):
        time = day + timedelta(minutes=15 * quarter)
        local = (time + timedelta(hours=1)).hour
        level = 65.0 if 6 <= local < 18 else 57.0 if 18 <= local < 22 else 55.0
        levels.append(Reading(time=time, number=level, flag=1))
    return Window(
        readings=levels, start=day, end=day + timedelta(days=1), site=Site(country=country, timezone="Europe/Berlin"), **more
    )


MIDNIGHT = datetime(2026, 3, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize(("country", "level"), [("DE", 64.6), ("DK", 66.1)])
def test_the_country_of_the_site_decides_the_lden_of_one_profile(country: str, level: float) -> None:
    assert round(value("lden", profile(MIDNIGHT, country))["lden"], 1) == level


def test_a_constant_level_has_a_higher_lden_in_both_countries() -> None:
    def constant(country: str) -> float:
        readings = [Reading(time=MIDNIGHT + timedelta(hours=h), number=60.0, flag=1) for h in range(24)]
        window = Window(readings=readings, start=MIDNIGHT, end=MIDNIGHT + timedelta(days=1), site=Site(country=country))
        return value("lden", window)["lden"]

    assert constant("DE") == pytest.approx(66.395, abs=0.001)
    assert constant("DK") == pytest.approx(66.670, abs=0.001)


def test_lden_waits_for_every_period() -> None:
    evening_less = [r for r in profile(MIDNIGHT).readings if not 17 <= r.time.hour < 21]
    found = value("lden", Window(readings=evening_less, start=MIDNIGHT, end=MIDNIGHT + timedelta(days=1)))
    assert found["lden"] is None
    assert found["levening"] is None
    assert found["lday"] == pytest.approx(65)
    assert FIGURES["lden"](hour(at(0, "loud"))) is None


def test_there_is_no_lden_for_other_countries() -> None:
    with pytest.raises(KeyError):
        FIGURES["lden"](hour(at(0, 60), site=Site(country="SE")))


def test_levels_exceeded_are_percentiles_from_above() -> None:
    found = value("noise_levels", hour(*(at(n / 2, n) for n in range(101))))
    assert (found["l10"], found["l50"], found["l90"]) == (90, 50, 10)
    assert found["laeq"] == pytest.approx(equivalent([float(n) for n in range(101)]))
    assert equivalent([60, 60]) == pytest.approx(60)
    assert equivalent([60, 70]) == pytest.approx(67.404, abs=0.001)
