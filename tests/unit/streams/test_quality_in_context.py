"""Each test in context on both sides of its bounds, with missing history, and with the traps of domain.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.quality import tests
from streams.quality.context import judge_window
from streams.quality.flags import of_test
from streams.quality.rules import (
    AttenuatedSignal,
    Climatology,
    CounterReset,
    FlatLine,
    Hampel,
    RateOfChange,
    Rules,
    Spike,
    TimingGap,
)
from streams.quality.seasons import local_us, month_and_hour, waking_us
from streams.quality.window import Window

NAN = float("nan")
NOON_US = 1_750_000_000_000_000


def flags_of(
    name: str, test: Any, values: list[float], seconds: list[float] | None = None, *, bad: tuple[int, ...] = (), **more: Any
) -> list[int]:
    """The flags of one test on one Datastream, 10 s apart where no times are given; rows in `bad` failed alone."""
    times = seconds if seconds is not None else [10.0 * place for place in range(len(values))]
    window = Window(
        segment=np.zeros(len(values), dtype=np.intp),
        time_us=np.array([NOON_US + round(second * 1e6) for second in times], dtype=np.int64),
        value=np.array(values, dtype=np.float64),
        usable=np.array([place not in bad for place in range(len(values))], dtype=np.bool_),
        rules=[Rules(version=1, **{name: test}, **more)],
    )
    return of_test(judge_window(window), name).tolist()


# ---------------------------------------------------------------- timing_gap, duplicate


@pytest.mark.parametrize(("second", "flag"), [(20.0, 1), (20.000001, 3), (60.0, 3), (60.000001, 4)])
def test_a_gap_is_suspect_beyond_one_bound_and_fails_beyond_the_other(second: float, flag: int) -> None:
    assert flags_of("timing_gap", TimingGap(suspect_s=20, fail_s=60), [1, 1], [0, second]) == [2, flag]


def test_one_row_alone_has_no_gap_and_the_row_before_counts_even_if_it_failed_or_has_no_number() -> None:
    gap = TimingGap(suspect_s=20, fail_s=60)
    assert flags_of("timing_gap", gap, [1]) == [2]
    assert flags_of("timing_gap", gap, [1, NAN, 1, 1], bad=(2,)) == [2, 1, 1, 1]


HOUR = 3600.0


@pytest.mark.parametrize(
    ("begin_h", "end_h", "flag"),
    [(22, 30, 1), (22, 30.25, 1), (22, 30.26, 3), (21.74, 30, 3), (21.75, 30, 1), (21.9, 30.2, 3), (12, 36, 4), (12, 12.2, 1)],
)
def test_no_time_runs_in_the_daily_pause(begin_h: float, end_h: float, flag: int) -> None:
    # NOON_US is 17:06:40 in Berlin; hours count from that day's midnight
    midnight = -(17 * 3600 + 6 * 60 + 40)
    gap = TimingGap(suspect_s=0.25 * HOUR, fail_s=8 * HOUR, pause_begin_h=22, pause_end_h=6, timezone="Europe/Berlin")
    assert flags_of("timing_gap", gap, [1, 1], [midnight + begin_h * HOUR, midnight + end_h * HOUR]) == [2, flag]


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24", "2026-06-10"])
def test_the_hour_that_clocks_leave_out_or_repeat_in_the_pause_is_no_gap(day: str) -> None:
    evening, morning = (
        np.array([np.datetime64(text, "us").astype(np.int64) - offset])
        for text, offset in (
            (f"{day}T23:00", local_offset_us(f"{day}T12:00")),
            (f"{np.datetime64(day) + 1}T05:00", local_offset_us(f"{np.datetime64(day) + 1}T12:00")),
        )
    )
    assert waking_us(evening, morning, (23.0, 5.0), "Europe/Berlin").tolist() == [0]


def local_offset_us(text: str) -> int:
    moment = np.array([np.datetime64(text, "us").astype(np.int64)])
    return int((local_us(moment, "Europe/Berlin") - moment)[0])


def test_of_rows_at_one_time_the_later_ones_are_suspect_and_serve_nobody_as_reference() -> None:
    assert flags_of("duplicate", True, [1, 1, 5, 1, NAN], [0, 10, 10, 10, 20]) == [1, 1, 3, 3, 1]
    # the second value at 10 s is judged like the first, against 0 s and 20 s, and neither sees the other
    assert flags_of("spike", Spike(suspect=2), [0, 0, 9, 0], [0, 10, 10, 20]) == [2, 1, 3, 2]
    assert flags_of("rate_of_change", RateOfChange(suspect_per_s=0.5), [0, 0, 9, 0], [0, 10, 10, 20]) == [2, 1, 3, 1]


# ---------------------------------------------------------------- climatology


@pytest.mark.parametrize(("value", "flag"), [(-1, 1), (-1.001, 3), (5, 1), (5.001, 3), (NAN, 0)])
def test_climatology_is_suspect_outside_its_band_and_never_fails(value: float, flag: int) -> None:
    assert flags_of("climatology", Climatology(low=(-1.0,) * 288, high=(5.0,) * 288), [value]) == [flag]


@pytest.mark.parametrize(("low", "high"), [(NAN, 5.0), (-1.0, NAN)])
def test_climatology_without_a_band_is_not_evaluated(low: float, high: float) -> None:
    assert flags_of("climatology", Climatology(low=(low,) * 288, high=(high,) * 288), [2]) == [2]


def test_climatology_goes_by_the_local_month_and_hour() -> None:
    warm_hours = tuple(20.0 if place == 24 * 5 + 17 else 0.0 for place in range(288))  # June, from 17 o'clock
    there = Climatology(low=(-1.0,) * 288, high=warm_hours, timezone="Europe/Berlin")
    in_utc = Climatology(low=(-1.0,) * 288, high=warm_hours, timezone="UTC")
    assert (flags_of("climatology", there, [15]), flags_of("climatology", in_utc, [15])) == ([1], [3])


@pytest.mark.parametrize(
    ("utc", "place"),
    [
        ("2026-03-29T00:59:59.999999", 2 * 24 + 1),
        ("2026-03-29T01:00:00", 2 * 24 + 3),
        ("2026-10-25T00:59:59", 9 * 24 + 2),
        ("2026-10-25T01:00:00", 9 * 24 + 2),
        ("2026-12-31T22:59:59", 11 * 24 + 23),
        ("2026-12-31T23:00:00", 0),
        ("1969-12-31T23:30:00", 0),
        ("2100-07-01T12:00:00", 6 * 24 + 13),
    ],
)
def test_local_months_and_hours_follow_the_clocks(utc: str, place: int) -> None:
    assert month_and_hour(np.array([np.datetime64(utc, "us").astype(np.int64)]), "Europe/Berlin").tolist() == [place]


# ---------------------------------------------------------------- spike


@pytest.mark.parametrize(("value", "flag"), [(3, 1), (3.001, 3), (-3, 1), (-3.001, 3), (6, 3), (6.001, 4), (-6.001, 4)])
def test_a_spike_is_suspect_beyond_one_bound_and_fails_beyond_the_other(value: float, flag: int) -> None:
    assert flags_of("spike", Spike(suspect=3, fail=6), [0, value, 0]) == [2, flag, 2]


def test_one_spike_does_not_mark_its_neighbours_and_two_opposite_ones_are_both_marked() -> None:
    spike = Spike(suspect=1, fail=20)
    assert flags_of("spike", spike, [0, 0.1, 30, -0.1, 0, 0]) == [2, 1, 4, 1, 1, 2]
    assert flags_of("spike", spike, [0, 0, 8, -8, 0, 0]) == [2, 1, 3, 3, 1, 2]


def test_a_step_and_a_slope_are_no_spikes() -> None:
    assert flags_of("spike", Spike(suspect=1), [0, 0, 9, 9, 9]) == [2, 1, 1, 1, 2]
    assert flags_of("spike", Spike(suspect=1), [0, 5, 10, 15]) == [2, 1, 1, 2]


@pytest.mark.parametrize(("other", "flag"), [(5, 3), (5.001, 1)])
def test_a_spike_stands_out_from_both_sides_at_least_half_as_far_from_the_nearer(other: float, flag: int) -> None:
    assert flags_of("spike", Spike(suspect=1), [0, 10, other])[1] == flag


def test_a_spike_is_open_until_the_next_reading_and_bridges_one_bad_row_but_not_two() -> None:
    spike = Spike(suspect=2)
    assert flags_of("spike", spike, [0, 9]) == [2, 2]
    assert flags_of("spike", spike, [0, 9, 100, 0], bad=(2,))[:2] == [2, 3]
    assert flags_of("spike", spike, [0, 9, NAN, 0])[:3] == [2, 3, 0]
    assert flags_of("spike", spike, [0, 9, 100, 100, 0], bad=(2, 3))[:2] == [2, 2]
    assert flags_of("spike", spike, [0, 100, 100, 9, 0], bad=(1, 2))[3] == 2


@pytest.mark.parametrize(("second", "flag"), [(40.0, 3), (40.000001, 2)])
def test_a_neighbour_too_far_away_in_time_is_none(second: float, flag: int) -> None:
    assert flags_of("spike", Spike(suspect=2, within_s=30), [0, 9, 0], [0, 10, second])[1] == flag
    assert flags_of("spike", Spike(suspect=2, within_s=30), [0, 9, 0], [10, second, second + 10])[1] == flag


def test_a_reading_that_failed_alone_is_judged_itself() -> None:
    assert flags_of("spike", Spike(suspect=2, fail=50), [0, 99, 0], bad=(1,)) == [2, 4, 2]


def test_directions_are_compared_the_short_way_round() -> None:
    assert flags_of("spike", Spike(suspect=20, modulus=360), [350, 10, 355]) == [2, 1, 2]
    assert flags_of("spike", Spike(suspect=20, modulus=360), [350, 100, 355]) == [2, 3, 2]
    assert flags_of("rate_of_change", RateOfChange(suspect_per_s=2, modulus=360), [350, 10, 31]) == [2, 1, 3]


# ---------------------------------------------------------------- rate_of_change


@pytest.mark.parametrize(("value", "flag"), [(5, 1), (5.001, 3), (-5.001, 3), (10, 3), (10.001, 4), (-10.001, 4)])
def test_a_change_is_suspect_beyond_one_rate_and_fails_beyond_the_other(value: float, flag: int) -> None:
    assert flags_of("rate_of_change", RateOfChange(suspect_per_s=0.5, fail_per_s=1), [0, value]) == [2, flag]


@pytest.mark.parametrize(("value", "flag"), [(5, 1), (5.001, 3)])
def test_two_stamps_a_microsecond_apart_give_no_infinite_rate(value: float, flag: int) -> None:
    assert flags_of("rate_of_change", RateOfChange(suspect_per_s=0.5, least_s=10), [0, value], [0, 1e-6]) == [2, flag]


def test_a_rate_at_one_time_alone_is_not_evaluated() -> None:
    assert flags_of("rate_of_change", RateOfChange(suspect_per_s=0.5), [0, 99], [0, 0]) == [2, 2]


def test_going_back_after_a_spike_is_no_change_and_after_a_bad_row_neither() -> None:
    rate = RateOfChange(suspect_per_s=0.5)
    assert flags_of("rate_of_change", rate, [0, 0, 9, 0, 0], spike=Spike(suspect=2)) == [2, 1, 3, 1, 1]
    assert flags_of("rate_of_change", rate, [0, 0, 9, 0, 0]) == [2, 1, 3, 3, 1]
    assert flags_of("rate_of_change", rate, [0, 0, 99, 0, 0], bad=(2,)) == [2, 1, 3, 1, 1]


# ---------------------------------------------------------------- flat_line, attenuated_signal

FLAT = {"suspect_s": 30, "fail_s": 60, "slack_s": 0}


def test_a_constant_series_is_flat_at_tolerance_0_once_it_is_long_enough() -> None:
    assert flags_of("flat_line", FlatLine(**FLAT), [7.1] * 8) == [2, 2, 2, 3, 3, 3, 4, 4]


@pytest.mark.parametrize(("tolerance", "flag"), [(0.5, 3), (0.499, 1)])
def test_a_range_of_at_most_the_tolerance_is_flat(tolerance: float, flag: int) -> None:
    assert flags_of("flat_line", FlatLine(**FLAT, tolerance=tolerance), [1, 1.5, 1, 1.5])[3] == flag


def test_what_moves_is_good_before_the_span_is_whole() -> None:
    assert flags_of("flat_line", FlatLine(**FLAT), [1, 2, 1, 1, 1, 1, 1]) == [2, 1, 1, 1, 1, 3, 3]


@pytest.mark.parametrize(("opening", "flag"), [(15.0, 3), (14.999999, 2)])
def test_a_span_is_whole_if_a_value_lies_within_the_slack_before_it(opening: float, flag: int) -> None:
    assert flags_of("flat_line", FlatLine(suspect_s=30, slack_s=5), [1, 1, 1], [opening, 25, 50])[2] == flag


@pytest.mark.parametrize(("least", "flag"), [(3, 3), (4, 2)])
def test_a_span_with_too_few_values_proves_nothing(least: int, flag: int) -> None:
    assert flags_of("flat_line", FlatLine(suspect_s=30, slack_s=0, least=least), [1, 1, 1, 1], [0, 10, 30, 31])[2] == flag


def test_bad_rows_and_missing_values_neither_break_nor_make_a_flat_line() -> None:
    assert flags_of("flat_line", FlatLine(**FLAT | {"slack_s": 10}), [1, 99, 1, NAN, 1, 1], bad=(1,))[4:] == [3, 3]
    assert flags_of("flat_line", FlatLine(**FLAT), [1, 99, 1, NAN, 1, 1], bad=(1,))[4:] == [2, 3]
    # a row that failed alone is compared with the others
    assert flags_of("flat_line", FlatLine(**FLAT), [1, 1, 1, 99], bad=(3,))[3] == 1


@pytest.mark.parametrize(("value", "flag"), [(0, 1), (0.001, 3), (7.999, 3), (8, 1)])
def test_genuine_zero_counts_and_full_load_are_no_flat_lines(value: float, flag: int) -> None:
    assert flags_of("flat_line", FlatLine(**FLAT, exclude_to=0, exclude_from=8), [value] * 4)[3] == flag


def test_a_longer_span_that_is_not_asked_for_never_fails() -> None:
    assert flags_of("flat_line", FlatLine(suspect_s=30, slack_s=0), [1] * 9)[3:] == [3] * 6


@pytest.mark.parametrize(("suspect", "fail", "flag"), [(1, 0.5, 1), (1.001, 0.5, 3), (2, 1, 3), (2, 1.001, 4), (2, NAN, 3)])
def test_a_deviation_below_one_bound_is_suspect_and_below_the_other_fails(suspect: float, fail: float, flag: int) -> None:
    test = AttenuatedSignal(window_s=30, suspect=suspect, fail=fail, slack_s=0)
    assert flags_of("attenuated_signal", test, [3, 5, 3, 5]) == [2, 2, 2, flag]


def test_a_signal_may_be_weak_where_it_is_excluded() -> None:
    test = AttenuatedSignal(window_s=30, suspect=1, slack_s=0, exclude_to=0.5, exclude_from=9)
    assert [flags_of("attenuated_signal", test, [v, v, v, v])[3] for v in (0.5, 0.501, 8.999, 9)] == [1, 3, 3, 1]


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e6, 1e8])
def test_the_deviation_does_not_suffer_from_a_large_mean(offset: float) -> None:
    test = AttenuatedSignal(window_s=30, suspect=1.01, fail=0.99, slack_s=0)
    assert flags_of("attenuated_signal", test, [offset + 3, offset + 5, offset + 3, offset + 5])[3] == 3


@given(st.lists(st.floats(-50, 50).map(lambda number: round(number, 3)), min_size=4, max_size=30))
def test_the_deviation_is_that_of_the_definition(values: list[float]) -> None:
    span_s = 10.0 * (len(values) - 1)
    deviation = float(np.std(values))
    for bound, flag in ((deviation * 1.01 + 0.01, 3), (deviation * 0.99 - 0.01, 1)):
        if bound > 0:
            test = AttenuatedSignal(window_s=span_s, suspect=bound, slack_s=0)
            assert flags_of("attenuated_signal", test, values)[-1] == flag


def test_values_far_beyond_the_bound_are_not_weak() -> None:
    test = AttenuatedSignal(window_s=30, suspect=1e-6, slack_s=0)
    assert flags_of("attenuated_signal", test, [0, 1e9, -1e300, 1e300])[3] == 1


# ---------------------------------------------------------------- hampel, neighbour, counter_reset


@pytest.mark.parametrize(("value", "flag"), [(4.4478, 1), (4.4479, 3), (8.8956, 3), (8.8957, 4), (-4.4479, 3)])
def test_hampel_counts_in_deviations_from_the_median(value: float, flag: int) -> None:
    # median 0 and MAD 1 with the value itself among the five
    assert flags_of("hampel", Hampel(readings=5, suspect=3, fail=6), [1, -1, 0, 0, value])[4] == flag


def test_hampel_without_spread_is_not_evaluated_and_never_fails() -> None:
    assert flags_of("hampel", Hampel(readings=3, suspect=3, fail=4), [1, 1, 1, 99]) == [2, 2, 2, 2]


@pytest.mark.parametrize(("floor", "flag"), [(8.9, 3), (9, 1)])
def test_hampel_lets_pass_what_is_near_the_median(floor: float, flag: int) -> None:
    assert flags_of("hampel", Hampel(readings=5, suspect=3, floor=floor), [0, 1, -1, 0, 9])[4] == flag


def test_hampel_needs_all_its_readings_and_more_than_half_of_them_usable() -> None:
    hampel = Hampel(readings=5, suspect=3)
    assert flags_of("hampel", hampel, [0, 1, -1, 9]) == [2, 2, 2, 2]
    assert flags_of("hampel", hampel, [0, 50, 1, 50, 9], bad=(1, 3))[4] == 3
    assert flags_of("hampel", hampel, [0, 50, 50, 50, 9], bad=(1, 2, 3))[4] == 2


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(("value", "flag"), [(15, 1), (15.1, 3), (4.9, 3), (20, 3), (20.1, 4), (NAN, 0)])
def test_neighbour_goes_by_the_difference_from_the_median(value: float, flag: int) -> None:
    nearby = np.array([[9, 10, 99, NAN]])
    assert tests.neighbour(floats(value), nearby, floats(5), floats(10), floats(3)).tolist() == [flag]


@pytest.mark.parametrize(("nearby", "flag"), [([[9.0, 10.0]], 2), ([[9.0, 10.0, NAN]], 2), ([[9.0, 10.0, 11.0]], 3), ([[]], 2)])
def test_neighbour_with_too_few_stations_is_not_evaluated(nearby: list[list[float]], flag: int) -> None:
    given = np.array(nearby, dtype=np.float64)
    assert tests.neighbour(floats(20), given, floats(5), floats(50), floats(3)).tolist() == [flag]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_a_median_does_not_depend_on_the_order(values: list[float], random: Any) -> None:
    shuffled = values.copy()
    random.shuffle(shuffled)
    padded = np.array([[*shuffled, NAN, NAN]])
    (median,), (count,) = tests.median_of(padded)
    assert (median, count) == (pytest.approx(float(np.median(values))), len(values))
    assert median == tests.median_of(np.array([values]))[0][0]


@pytest.mark.parametrize(("value", "flag"), [(100, 1), (99, 1), (98.999, 3), (101, 1)])
def test_a_counter_that_falls_is_suspect(value: float, flag: int) -> None:
    assert flags_of("counter_reset", CounterReset(tolerance=1), [100, value]) == [2, flag]


@pytest.mark.parametrize(("value", "flag"), [(465, 3), (464, 1), (5, 1)])
def test_a_counter_may_roll_over(value: float, flag: int) -> None:
    assert flags_of("counter_reset", CounterReset(rollover=1000), [965 - 0.5, value])[1] == flag


def test_only_the_first_reading_after_a_reset_is_suspect() -> None:
    assert flags_of("counter_reset", CounterReset(), [10, 20, 3, 4, NAN, 5]) == [2, 1, 3, 1, 0, 1]


# ---------------------------------------------------------------- the window


def test_tests_that_are_off_and_segments_without_rules_get_nothing() -> None:
    window = Window(
        segment=np.array([0, 0, 2, 2]),  # a segment may have no rows
        time_us=np.array([1, 2, 1, 2], dtype=np.int64),
        value=floats(1, 2, 3, 4),
        usable=np.ones(4, dtype=np.bool_),
        rules=[None, None, Rules(version=1, duplicate=True)],
    )
    assert judge_window(window).tolist() == [0, 0, 1 << 48, 1 << 48]


def test_an_empty_window_is_judged() -> None:
    nothing = np.empty(0)
    window = Window(
        segment=nothing.astype(np.intp),
        time_us=nothing.astype(np.int64),
        value=nothing,
        usable=nothing.astype(np.bool_),
        rules=[Rules(version=1, duplicate=True, spike=Spike(suspect=1))],
    )
    assert judge_window(window).tolist() == []
    assert (
        judge_window(
            Window(**{name: getattr(window, name) for name in ("segment", "time_us", "value", "usable")}, rules=[])
        ).tolist()
        == []
    )


def test_equal_rules_are_equal_and_say_how_far_they_look() -> None:
    def rules(**more: Any) -> Rules:
        return Rules(version=1, spike=Spike(suspect=1), timing_gap=TimingGap(suspect_s=3), **more)

    assert rules() == rules()
    assert hash(rules()) == hash(rules())
    assert rules() != rules(duplicate=True)
    assert (rules().history_s, rules().history_rows, rules().ahead_rows) == (0, 3, 2)
    far = rules(flat_line=FlatLine(**FLAT), rate_of_change=RateOfChange(suspect_per_s=1), hampel=Hampel(readings=9))
    assert (far.history_s, far.history_rows, far.ahead_rows) == (60, 9, 2)
    only = Rules(version=1, attenuated_signal=AttenuatedSignal(window_s=7.2, suspect=1, slack_s=0.5))
    assert (only.history_s, only.history_rows, only.ahead_rows) == (8, 0, 0)
    assert Rules(version=1, duplicate=True).history_rows == 1
    assert far.in_context == ("timing_gap", "spike", "rate_of_change", "flat_line", "hampel")
