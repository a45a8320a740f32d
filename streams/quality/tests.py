"""QARTOD's tests as pure functions over arrays.

Each takes float64 arrays of equal shape (n,) in the unit of the Datastream and returns int8 flags (n,): 1 good, 2 not evaluated,
3 suspect, 4 fail; 0 where the test does not apply. NaN in a parameter means that it is not set. Source: QARTOD manuals (IOOS).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.int8]

# In the order of their nibbles in observation.tests, 4 bits each, the first lowest (domain.md's table).
TESTS = (
    "syntax", "timing_gap", "location", "gross_range", "climatology", "spike", "rate_of_change", "flat_line",
    "attenuated_signal", "hampel", "neighbour", "counter_reset", "duplicate",
)  # fmt: skip

EARTH_RADIUS_M = 6_371_008.8
EAST_MOST, NORTH_MOST = 180.0, 90.0


def gross_range(values: Floats, fail_low: Floats, fail_high: Floats, suspect_low: Floats, suspect_high: Floats) -> Flags:
    """Flag 4 outside the sensor's span, 3 outside the user's, ends included; 2 without any span, 0 where there is no number."""
    # A comparison with NaN is false: a bound that is not set accuses nobody.
    failed = (values < fail_low) | (values > fail_high)
    suspect = (values < suspect_low) | (values > suspect_high)
    unset = np.isnan(fail_low) & np.isnan(fail_high) & np.isnan(suspect_low) & np.isnan(suspect_high)
    flags = np.select([np.isnan(values), failed, suspect, unset], [0, 4, 3, 2], default=1)
    return flags.astype(np.int8)


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


def ahead_of_time(ahead_s: Floats, limit_s: float) -> Flags:
    """Flag 4 for a reading stamped more than `limit_s` seconds after its reception, a part of timing_gap; else 0: no verdict."""
    return np.where(ahead_s > limit_s, 4, 0).astype(np.int8)
