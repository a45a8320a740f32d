"""Limits of what is taken in and how it is judged, from the settings that worker, API and commands share."""

from __future__ import annotations

from datetime import datetime, timedelta

from infra.settings import WorkerSettings
from streams.store import StoreLimits
from streams.taken import Limits


def limits_of(settings: WorkerSettings) -> tuple[Limits, StoreLimits]:
    """Limits of the intake and of the store."""
    intake = Limits(earliest=datetime.fromisoformat(settings.earliest), ahead=timedelta(days=settings.future_days))
    return intake, StoreLimits(future_s=settings.future_minutes * 60, grace=timedelta(minutes=settings.close_minutes))
