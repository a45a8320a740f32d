"""Times that clients of the planning API give."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import HTTPException


def aware(name: str, time: datetime | None) -> datetime | None:
    """Give the time in UTC, None for none; answers 400 for a time without zone or out of range."""
    if time is None:
        return None
    if time.tzinfo is None:
        raise HTTPException(400, f"{name}: a time without zone; append Z or an offset")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise HTTPException(400, f"{name}: out of range") from None
