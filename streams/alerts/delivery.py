"""What came of telling a sink of an alert, and when to try again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 900.0
LONGEST_WISH_S = 86_400.0  # a server may ask for no longer rest
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The sink did not take it. `final`: another try would end the same; `rest_s`: the sink asks not to come back before."""

    reason: str
    final: bool = False
    rest_s: float = 0.0


def pause_s(attempts: int, rest_s: float = 0.0) -> float:
    """Give the seconds until the try after `attempts`: twice as long each time, up to 15 min, or what the sink asks for.

    A random part keeps the alerts of an outage from coming all at once.
    """
    longest = min(FIRST_PAUSE_S * 2 ** min(attempts - 1, 20), LONGEST_PAUSE_S)
    return max(longest * random.uniform(0.5, 1.0), min(rest_s, LONGEST_WISH_S))  # noqa: S311 - jitter


def rest_of(header: str | None, now: datetime) -> float:
    """Give the seconds of a `Retry-After` (RFC 9110, 10.2.3: seconds or a date); 0 for none and for nonsense."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())
