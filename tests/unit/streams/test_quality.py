from __future__ import annotations

import numpy as np
import pytest

from streams.quality.tests import TESTS, gross_range, location, location_in_box

NAN = float("nan")
DEGREE_M = 111_195.08  # of a great circle on a sphere of 6,371,008.8 m


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(
    ("value", "flag"),
    [(-40.001, 4), (-40, 3), (-30.001, 3), (-30, 1), (0, 1), (45, 1), (45.001, 3), (60, 3), (60.001, 4), (NAN, 0)],
)
def test_gross_range_flags_outside_its_spans_and_takes_their_ends(value: float, flag: int) -> None:
    assert gross_range(floats(value), floats(-40), floats(60), floats(-30), floats(45)).tolist() == [flag]


@pytest.mark.parametrize(
    ("spans", "flag"),
    [
        ((NAN, NAN, NAN, NAN), 2),
        ((100, NAN, NAN, NAN), 4),
        ((NAN, 1, NAN, NAN), 4),
        ((NAN, NAN, 100, NAN), 3),
        ((NAN, NAN, NAN, 1), 3),
        ((0, NAN, NAN, NAN), 1),
    ],
)
def test_gross_range_uses_the_bounds_that_are_set(spans: tuple[float, ...], flag: int) -> None:
    assert gross_range(floats(10), *(floats(bound) for bound in spans)).tolist() == [flag]


@pytest.mark.parametrize(("radius_m", "flag"), [(DEGREE_M - 1, 3), (DEGREE_M + 1, 1), (NAN, 1)])
def test_location_is_suspect_beyond_the_sites_radius(radius_m: float, flag: int) -> None:
    assert location(floats(9), floats(55), floats(9), floats(54), floats(radius_m)).tolist() == [flag]


@pytest.mark.parametrize(
    ("lon", "lat", "flag"),
    [(180, 54, 3), (180.001, 54, 4), (-180.001, 54, 4), (9, 90, 3), (9, 90.001, 4), (9, -90.001, 4), (NAN, NAN, 0)],
)
def test_location_fails_where_no_place_on_earth_is(lon: float, lat: float, flag: int) -> None:
    assert location(floats(lon), floats(lat), floats(9), floats(54), floats(250)).tolist() == [flag]


def test_location_knows_the_short_way_across_the_date_line() -> None:
    assert location(floats(179.999), floats(0), floats(-179.999), floats(0), floats(250)).tolist() == [1]


def test_location_without_a_site_is_not_evaluated() -> None:
    assert location(floats(9), floats(54), floats(NAN), floats(NAN), floats(250)).tolist() == [2]


@pytest.mark.parametrize(
    ("lon", "lat", "flag"),
    [
        (8, 54, 1),
        (10, 55, 1),
        (7.999, 54, 3),
        (10.001, 54, 3),
        (9, 53.999, 3),
        (9, 55.001, 3),
        (181, 54, 4),
        (9, 91, 4),
        (NAN, NAN, 0),
    ],
)
def test_location_in_box_takes_the_edges(lon: float, lat: float, flag: int) -> None:
    assert location_in_box(floats(lon), floats(lat), floats(8), floats(54), floats(10), floats(55)).tolist() == [flag]


def test_location_in_box_without_a_box_is_not_evaluated() -> None:
    assert location_in_box(floats(9), floats(54), *(floats(NAN) for _ in range(4))).tolist() == [2]


def test_every_test_has_its_own_nibble_of_a_signed_bigint() -> None:
    assert len(set(TESTS)) == len(TESTS) <= 15
