"""Local stamps without offset, made into instants: the doubled hour of autumn is told apart by the order of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def instants(stamps: Iterable[datetime], timezone: str) -> Iterator[datetime]:
    """Give the UTC instant of each naive local stamp, in the order in which the source wrote them.

    A stamp that exists twice is taken as its first occurrence until the clock of the rows goes back (or stands still) within the
    doubled hour; from there it is the second. Raises `ValueError` for a stamp that never existed (the hour lost in spring).
    """
    zone = ZoneInfo(timezone)
    last: datetime | None = None
    second = False
    for stamp in stamps:
        first_time, second_time = (stamp.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first_time == second_time:
            second = False
        elif first_time > second_time:
            raise ValueError(f"{stamp} never was in {timezone}")
        elif last is not None and stamp <= last:
            second = True
        last = stamp
        yield second_time if second else first_time
