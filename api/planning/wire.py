"""How figures look on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

Span = Literal["quarter_hour", "hour", "day", "month"]
FigureName = Literal[
    "statistics",
    "circular_mean",
    "percentiles",
    "bathing_water",
    "time_weighted_mean",
    "increase",
    "state_shares",
    "distribution",
    "lden",
    "noise_levels",
]


class Bucket(BaseModel):
    """One bucket [start, end) with its figure, and what it rests on."""

    start: datetime
    end: datetime
    value: dict[str, Any] | None = Field(description="the figure's numbers; null where there is nothing to make it from")
    n: int = Field(description="readings that came, of every flag")
    flags: dict[str, int] = Field(description="how many of each QARTOD flag")
    expected: float | None = Field(description="readings that were due; null without an interval")
    completeness: float | None = Field(description="n / expected, at most 1; null where nothing was due")
    good_share: float | None = Field(description="share of flag 1 in n")
    rulesets: list[int] = Field(description="lowest and highest version of the rules that judged the readings")
    changed: datetime | None = Field(description="when a value was last changed after the bucket had been closed")


class Figures(BaseModel):
    """A figure of one Datastream over a time range."""

    datastream: int
    name: str
    property: str
    figure: FigureName
    span: Span
    timezone: str
    country: str | None
    unit: str | None
    datum: str | None = Field(description="vertical datum of a height")
    used_flags: list[int] = Field(description="only readings of these flags make the value")
    as_of: datetime | None
    buckets: list[Bucket]


class Revised(BaseModel):
    """A closed bucket that changed."""

    datastream: int
    name: str
    station: str
    span: Span
    bucket: datetime
    revisions: int
    first_change: datetime
    last_change: datetime
    causes: list[str]


class Revisions(BaseModel):
    """Closed figures that changed, the latest change first."""

    since: datetime
    until: datetime
    revised: list[Revised]
    more: bool = Field(description="there are more than are listed: ask for a shorter time")
