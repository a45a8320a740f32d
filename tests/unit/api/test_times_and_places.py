from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidEntityError
from api.sensorthings.writer.geojson import check_geojson, check_geometry
from api.sensorthings.writer.times import instant, instant_or_interval, interval

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES))  # noqa: DTZ001 -- the zone is drawn beside it
def test_every_time_comes_back_as_the_same_instant(time: datetime) -> None:
    found = instant(time.isoformat(), "time")
    assert found == time
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T10:15:00Z", datetime(2026, 11, 22, 10, 15, tzinfo=UTC)),
        ("2026-11-22t10:15:00z", datetime(2026, 11, 22, 10, 15, tzinfo=UTC)),
        ("2026-11-22T10:15:00+0100", datetime(2026, 11, 22, 9, 15, tzinfo=UTC)),
        ("2026-11-22T10:15:00,5Z", datetime(2026, 11, 22, 10, 15, 0, 500_000, tzinfo=UTC)),
        ("2026-11-22T10:15:00.123456789Z", datetime(2026, 11, 22, 10, 15, 0, 123_456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_forms_of_a_time(text: str, expected: datetime) -> None:
    assert instant(text, "time") == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-11-22", "2026-11-22T10:15:00", "2026-11-22T10:15Z", "2026-11-22 10:15:00Z", "2026-W47-7T10:15:00Z",
        "20261122T101500Z",
        "2026-11-22T24:00:00Z", "2026-11-22T10:15:60Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z", "2026-11-22T10:15:00.1234567890Z",
        "2026-11-22T10:15:00+25:00", "２０２６-11-22T10:15:00Z", " 2026-11-22T10:15:00Z", "2026-11-22T10:15:00Z\n", "now()",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(InvalidEntityError) as caught:
        instant(text, "a.time")
    assert caught.value.field == "a.time"


def test_intervals() -> None:
    a, b = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"
    assert interval(f"{a}/{b}", "t")[0] == interval(f"{a}/{b}", "t")[1]
    assert instant_or_interval(a, "t") == (datetime(2026, 1, 1, tzinfo=UTC), None)
    for text in (a, f"{a}/", f"/{a}", f"{a}/{a}/{a}", f"{a}/PT1H", "2026-01-01T00:00:01Z/2026-01-01T00:00:00Z", 5, None):
        with pytest.raises(InvalidEntityError):
            interval(text, "t")


RING = [[0, 0], [1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "Point", "coordinates": [180, -90]},
        {"type": "Point", "coordinates": [-180.0, 90.0, 12.5]},
        {"type": "MultiPoint", "coordinates": [[1, 2]]},
        {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
        {"type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]]]},
        {"type": "Polygon", "coordinates": [RING, RING]},
        {"type": "MultiPolygon", "coordinates": [[RING]]},
        {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}]},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {}},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}]},
    ],
)
def test_places_of_every_type(value: Any) -> None:
    check_geojson(value, "location")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "g"),
        ([], "g"),
        ({"type": "Point", "coordinates": [180.000001, 0]}, "g.coordinates"),
        ({"type": "Point", "coordinates": [0, -90.000001]}, "g.coordinates"),
        ({"type": "Point", "coordinates": [1, 2, 3, 4]}, "g.coordinates"),
        ({"type": "Point", "coordinates": [True, 2]}, "g.coordinates"),
        ({"type": "MultiPoint", "coordinates": []}, "g.coordinates"),
        ({"type": "LineString", "coordinates": [[1, 2]]}, "g.coordinates"),
        ({"type": "Polygon", "coordinates": []}, "g.coordinates"),
        ({"type": "Polygon", "coordinates": [RING[:3]]}, "g.coordinates[0]"),
        ({"type": "Polygon", "coordinates": [RING, [*RING[:3], [0, 1]]]}, "g.coordinates[1]"),
        ({"type": "MultiPolygon", "coordinates": [[RING], [[[0, 0]]]]}, "g.coordinates[1][0]"),
        ({"type": "GeometryCollection", "geometries": [{"type": "Feature"}]}, "g.geometries[0].type"),
        ({"type": "GeometryCollection"}, "g.geometries"),
        ({"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}, "g.type"),
    ],
)
def test_what_is_no_geometry(value: Any, field: str) -> None:
    with pytest.raises(InvalidEntityError) as caught:
        check_geometry(value, "g")
    assert caught.value.field == field
