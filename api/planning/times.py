"""Times that clients of the planning API give."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import HTTPException

EARLIEST, LATEST = 2, 9998


def aware(name: str, time: datetime | None) -> datetime | None:
    """Give the time in UTC, None for none; answers 400 for a time without zone or not within the years 2 to 9998.

    Edges of the buckets around it are then dates too, in any time zone.
    """
    if time is None:
        return None
    if time.tzinfo is None:
        raise HTTPException(400, f"{name}: a time without zone; append Z or an offset")
    if not EARLIEST <= time.year <= LATEST:
        raise HTTPException(400, f"{name}: out of range")
    return time.astimezone(UTC)
