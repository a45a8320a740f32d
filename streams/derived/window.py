"""What every figure is made from: the readings around a bucket, in time order, and what is known of their site."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from streams.quality.tests import TESTS

COUNTER_RESET = 4 * TESTS.index("counter_reset")
SUSPECT, FAIL = 3, 4


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored reading: aware UTC `time`, a `number` or else a `result` (boolean, text), QARTOD's flag, packed tests, ruleset."""

    time: datetime
    number: float | None
    result: Any = None
    flag: int
    tests: int = 0
    ruleset: int = 1

    @property
    def is_reset(self) -> bool:
        """Whether counter_reset says that the counter began anew here."""
        return self.tests >> COUNTER_RESET & 15 in (SUSPECT, FAIL)


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """IANA `timezone`, ISO 3166 `country`, and how long a reading stands for the time after it when no other follows."""

    timezone: str = "Europe/Berlin"
    country: str = "DE"
    hold: timedelta = timedelta(days=1)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket [start, end) and the readings in and around it, ascending by time; only `flags` are used for values."""

    readings: Sequence[Reading]
    start: datetime
    end: datetime
    flags: Collection[int] = frozenset({1})
    site: Site = Site()

    def inside(self) -> Sequence[Reading]:
        """Give the readings of the bucket, of all flags."""
        return self.readings[self._place(self.start) : self._place(self.end)]

    def used(self) -> list[Reading]:
        """Give the readings of the bucket whose flag is asked for."""
        return [reading for reading in self.inside() if reading.flag in self.flags]

    def numbers(self) -> list[float]:
        """Give the numbers of the used readings, in time order."""
        return [reading.number for reading in self.used() if reading.number is not None]

    def with_former(self) -> Sequence[Reading]:
        """Give the readings of the bucket and the one before it."""
        return self.readings[max(0, self._place(self.start) - 1) : self._place(self.end)]

    def until_end(self) -> Sequence[Reading]:
        """Give the readings of the bucket, those exactly at its end, and before them as many as it takes to have a used one."""
        first = self._place(self.start)
        while first > 0:
            first -= 1
            if self.readings[first].flag in self.flags:
                break
        return self.readings[first : bisect_right(self.readings, self.end, key=_time_of)]

    def _place(self, time: datetime) -> int:
        return bisect_left(self.readings, time, key=_time_of)


def _time_of(reading: Reading) -> datetime:
    return reading.time
