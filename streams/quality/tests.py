"""QARTOD's tests as pure functions over arrays.

Each takes float64 arrays of equal shape (n,) in the unit of the Datastream and returns int8 flags (n,): 1 good, 2 not evaluated,
3 suspect, 4 fail; 0 where the test does not apply. NaN in a parameter means that it is not set. Source: QARTOD manuals (IOOS).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.int8]

# In the order of their nibbles in observation.tests, 4 bits each, the first lowest (domain.md's table).
TESTS = (
    "syntax", "timing_gap", "location", "gross_range", "climatology", "spike", "rate_of_change", "flat_line",
    "attenuated_signal", "hampel", "neighbour", "counter_reset", "duplicate",
)  # fmt: skip

MAD_TO_SIGMA = 1.4826
EARTH_RADIUS_M = 6_371_008.8
EAST_MOST, NORTH_MOST = 180.0, 90.0


def gross_range(values: Floats, fail_low: Floats, fail_high: Floats, suspect_low: Floats, suspect_high: Floats) -> Flags:
    """Flag 4 outside the sensor's span, 3 outside the user's, ends included; 2 without any span, 0 where there is no number."""
    # A comparison with NaN is false: a bound that is not set accuses nobody.
    failed = (values < fail_low) | (values > fail_high)
    suspect = (values < suspect_low) | (values > suspect_high)
    unset = np.isnan(fail_low) & np.isnan(fail_high) & np.isnan(suspect_low) & np.isnan(suspect_high)
    return first_of(((np.isnan(values), 0), (failed, 4), (suspect, 3), (unset, 2)), otherwise=1)


def first_of(cases: Sequence[tuple[npt.NDArray[np.bool_], int]], *, otherwise: int) -> Flags:
    """Give for each row the flag of the first condition (n,) that holds; quicker for few rows than `np.select`."""
    flags = np.full(len(cases[0][0]), otherwise, dtype=np.int8)
    for condition, flag in reversed(cases):
        flags[condition] = flag
    return flags


def location(lon: Floats, lat: Floats, site_lon: Floats, site_lat: Floats, radius_m: Floats) -> Flags:
    """Flag 4 for no place on Earth, 3 further than `radius_m` metres (great circle) from the site; degrees; 2 without a site."""
    impossible = (np.abs(lon) > EAST_MOST) | (np.abs(lat) > NORTH_MOST)
    phi, site_phi = np.radians(lat), np.radians(site_lat)
    half = np.sin((phi - site_phi) / 2) ** 2 + np.cos(phi) * np.cos(site_phi) * np.sin(np.radians(lon - site_lon) / 2) ** 2
    distance = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    flags = np.select([np.isnan(lon), impossible, np.isnan(distance), distance > radius_m], [0, 4, 2, 3], default=1)
    return flags.astype(np.int8)


def location_in_box(lon: Floats, lat: Floats, west: Floats, south: Floats, east: Floats, north: Floats) -> Flags:
    """Flag 3 outside the bounding box (degrees, edges included); 2 where no box is set."""
    outside = (lon < west) | (lon > east) | (lat < south) | (lat > north)
    impossible = (np.abs(lon) > EAST_MOST) | (np.abs(lat) > NORTH_MOST)
    flags = np.select([np.isnan(lon), impossible, np.isnan(west), outside], [0, 4, 2, 3], default=1)
    return flags.astype(np.int8)


# ---------------------------------------------------------------- in context: what a row is compared with is given, NaN: none


def timing_gap(gap_s: Floats, suspect_s: Floats, fail_s: Floats) -> Flags:
    """Flag 3 more than `suspect_s` after the row before, 4 more than `fail_s`; 2 for the first row."""
    return _graded(gap_s, suspect_s, fail_s)


def duplicate(gap_s: Floats) -> Flags:
    """Flag 3 at the same time as the row before (the order within a time is the discriminator's, never that of arrival)."""
    return np.where(gap_s == 0, 3, 1).astype(np.int8)


def climatology(values: Floats, low: Floats, high: Floats) -> Flags:
    """Flag 3 outside the band of the season and hour, ends included; 2 without a band."""
    flags = np.where((values < low) | (values > high), 3, 1).astype(np.int8)
    flags[np.isnan(low) | np.isnan(high)] = 2
    return _of_numbers(flags, values)


def spike(up: Floats, down: Floats, suspect: Floats, fail: Floats) -> Flags:
    """Flag by abs(x[n] - (x[n-1] + x[n+1]) / 2); `up` is x[n] - x[n-1], `down` is x[n] - x[n+1]; 2 while either is missing.

    The reading beside a spike deviates half as much as the spike. It is told apart by standing out from one side only: in a spike
    the smaller difference has the sign of the larger and at least half its size.
    """
    both = np.abs(up + down) / 2
    beside = 2 * np.minimum(np.abs(up), np.abs(down)) < np.maximum(np.abs(up), np.abs(down))
    within = ~np.isnan(both) & (beside | ((up > 0) != (down > 0)))
    return _graded(np.where(within, 0.0, both), suspect, fail)


def rate_of_change(change: Floats, seconds: Floats, suspect_per_s: Floats, fail_per_s: Floats, least_s: Floats) -> Flags:
    """Flag by abs(dx) / dt; a dt below `least_s` counts as that, so no stamps give an infinite rate; 2 without a value before."""
    return _graded(np.abs(change) / np.maximum(seconds, least_s), suspect_per_s, fail_per_s)


class Span(NamedTuple):
    """What lies in a span of time up to each row (n,): least and greatest value, and whether it is known from end to end."""

    low: Floats
    high: Floats
    whole: npt.NDArray[np.bool_]


def flat_line(suspect: Span, fail: Span, tolerance: Floats, exclude_to: Floats, exclude_from: Floats) -> Flags:
    """Flag 3 where the range is at most `tolerance` over the shorter span, 4 over the longer one.

    A shorter piece of the span that moves proves that all of it does: 1; one that does not proves nothing: 2. A series that
    stays up to `exclude_to` or from `exclude_from` on may stand still: no vehicles by night are a genuine count.
    """
    still, long_still = suspect.high - suspect.low <= tolerance, fail.high - fail.low <= tolerance
    flags = np.where(still, np.where(suspect.whole, 3, 2), 1).astype(np.int8)
    flags[still & long_still & fail.whole] = 4
    flags[(suspect.high <= exclude_to) | (suspect.low >= exclude_from)] = 1
    return flags


def attenuated_signal(
    deviation: Floats, span: Span, suspect: Floats, fail: Floats, exclude_to: Floats, exclude_from: Floats
) -> Flags:
    """Flag 3 for a standard deviation below `suspect`, 4 below `fail`; 2 where the span is not whole."""
    flags = np.where(deviation < suspect, 3, 1).astype(np.int8)
    flags[deviation < fail] = 4
    flags[~span.whole] = 2
    flags[(span.high <= exclude_to) | (span.low >= exclude_from)] = 1
    return flags


def hampel(values: Floats, recent: Floats, suspect: Floats, fail: Floats, floor: Floats, least: Floats) -> Flags:
    """Flag by abs(x - median) / (1.4826 MAD) of `recent` (n, k), NaN: none; 2 for MAD = 0 or fewer than `least` values.

    A value within `floor` of the median is good at whatever MAD above 0.
    """
    median, count = median_of(recent)
    mad, _ = median_of(np.abs(recent - median[:, None]))
    off = np.abs(values - median)
    measure = np.where((count < least) | (mad == 0), np.nan, off)
    scale = MAD_TO_SIGMA * mad
    return _graded(measure, np.maximum(suspect * scale, floor), np.maximum(fail * scale, floor))


def neighbour(values: Floats, nearby: Floats, suspect: Floats, fail: Floats, least: Floats) -> Flags:
    """Flag by the difference from the median of the `nearby` stations' values (n, m), NaN: none; 2 with fewer than `least`."""
    median, count = median_of(nearby)
    flags = _graded(np.where(count < least, np.nan, np.abs(values - median)), suspect, fail)
    return _of_numbers(flags, values)


def counter_reset(values: Floats, before: Floats, tolerance: Floats, rollover: Floats) -> Flags:
    """Flag 3 for a decrease by more than `tolerance`, but not for one by more than half of `rollover`, the counter's modulus."""
    fall = before - values
    flags = np.where((fall > tolerance) & ~(fall > rollover / 2), 3, 1).astype(np.int8)
    flags[np.isnan(before)] = 2
    return _of_numbers(flags, values)


def median_of(values: Floats) -> tuple[Floats, Integers]:
    """Median along the rows of (n, m), NaN left out, and how many there were; NaN for none. Independent of the order in a row."""
    if not values.shape[1]:
        return np.full(len(values), np.nan), np.zeros(len(values), dtype=np.int64)
    ordered = np.sort(values, axis=1)  # NaN come last
    count = values.shape[1] - np.count_nonzero(np.isnan(values), axis=1)
    rows = np.arange(len(values))
    return (ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, np.minimum(count // 2, values.shape[1] - 1)]) / 2, count


def _graded(measure: Floats, suspect: Floats, fail: Floats) -> Flags:
    flags = np.where(measure > suspect, 3, 1).astype(np.int8)
    flags[measure > fail] = 4
    flags[np.isnan(measure)] = 2
    return flags


def _of_numbers(flags: Flags, values: Floats) -> Flags:
    flags[np.isnan(values)] = 0
    return flags
