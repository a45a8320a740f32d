"""What day it is where: local clock, working days, public and school holidays of both countries, and the height of the sun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from devices.simulator.noise import Floats, Ints

DAY_S = 86_400
_EPOCH = date(1970, 1, 1)
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Local time of each moment: hour with its fraction, day number since 1970, weekday (Monday 0), and what kind of day it is.

    `sunday` is true on public holidays too; `school` is true on days with lessons.
    """

    hour: Floats
    day: Ints
    weekday: Ints
    sunday: np.ndarray[tuple[int], np.dtype[np.bool_]]
    saturday: np.ndarray[tuple[int], np.dtype[np.bool_]]
    friday: np.ndarray[tuple[int], np.dtype[np.bool_]]
    school: np.ndarray[tuple[int], np.dtype[np.bool_]]


def local(time: Floats, timezone: str, country: str) -> Local:
    """Take moments (Unix seconds, UTC) to the local clock and calendar."""
    shifted = time + _each(np.floor(time / 3600.0).astype(np.int64), lambda hour: _offset_s(timezone, hour))
    day = np.floor(shifted / DAY_S).astype(np.int64)
    weekday = (day + 3) % 7
    public = _each(day, lambda number: float(is_public_holiday(country, _date(number)))) > 0
    lessons = _each(day, lambda number: float(is_school_day(country, _date(number)))) > 0
    return Local(
        hour=(shifted - day * DAY_S) / 3600.0,
        day=day,
        weekday=weekday,
        sunday=(weekday == _SUNDAY) | public,
        saturday=(weekday == _SATURDAY) & ~public,
        friday=(weekday == _FRIDAY) & ~public,
        school=lessons,
    )


def is_public_holiday(country: str, day: date) -> bool:
    """Whether the day is a public holiday in Schleswig-Holstein (DE) or Denmark (DK)."""
    return day in _public(country, day.year)


def is_school_day(country: str, day: date) -> bool:
    """Whether schools teach on that day."""
    if day.weekday() >= _SATURDAY or is_public_holiday(country, day):
        return False
    return not is_school_holiday(country, day)


def is_school_holiday(country: str, day: date) -> bool:
    """Whether the day lies in the school holidays: the state's published dates for DE, the usual rule of Sønderjylland for DK."""
    return day in _german_school(day.year) if country == "DE" else _danish_school(day)


def sun_height(time: Floats, lon: float, lat: float) -> Floats:
    """Sine of the sun's elevation (Cooper's declination and a short equation of time: good to half a degree)."""
    days = time / DAY_S
    turn = 2.0 * np.pi * ((days - 10_957.5) % 365.2425) / 365.2425
    declination = np.radians(23.45) * np.sin(turn - 1.387)
    minutes = 9.87 * np.sin(2 * (turn - 1.387)) - 7.53 * np.cos(turn - 1.387) - 1.5 * np.sin(turn - 1.387)
    hour_angle = np.radians((((days % 1.0) * 24.0 - 12.0) + minutes / 60.0) * 15.0 + lon)
    phi = np.radians(lat)
    return np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)


def _each(numbers: Ints, value: Callable[[int], float]) -> Floats:
    """Ask for the value of each different number once."""
    unique, where = np.unique(numbers, return_inverse=True)
    return np.array([value(int(number)) for number in unique], dtype=np.float64)[where]


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


@lru_cache(maxsize=50_000)
def _offset_s(timezone: str, hour: int) -> float:
    offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    return offset.total_seconds() if offset else 0.0


@lru_cache
def _public(country: str, year: int) -> frozenset[date]:
    if country == "DE":
        return frozenset(holidays.country_holidays("DE", subdiv="SH", years=year))
    return frozenset(holidays.country_holidays("DK", years=year))


@lru_cache
def _german_school(year: int) -> frozenset[date]:
    known = frozenset(holidays.country_holidays("DE", subdiv="SH", years=year, categories=("school",)))
    if known:
        return known
    # Beyond the published dates: six weeks of summer and two of Christmas are closer to the truth than none.
    summer = {date(year, 7, 8) + timedelta(days=n) for n in range(42)}
    winter = {date(year, 1, 1) + timedelta(days=n) for n in range(6)} | {date(year, 12, 22) + timedelta(days=n) for n in range(10)}
    return frozenset(summer | winter)


@lru_cache(maxsize=20_000)
def _danish_school(day: date) -> bool:
    week = day.isocalendar().week
    if week in (7, 42):
        return True
    maundy = _maundy_thursday(day.year)
    june = date(day.year, 6, 30)
    summer = june - timedelta(days=(june.weekday() - _SATURDAY) % 7)
    return (
        summer <= day < summer + timedelta(days=44)
        or maundy - timedelta(days=5) <= day <= maundy + timedelta(days=4)
        or (day.month, day.day) >= (12, 21)
        or (day.month, day.day) <= (1, 3)
    )


@lru_cache
def _maundy_thursday(year: int) -> date:
    names = holidays.country_holidays("DK", years=year, language="en_US")
    return next(day for day, name in names.items() if "Maundy Thursday" in name)
