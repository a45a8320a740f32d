"""How alerts and their rules look on the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

State = Literal["raised", "cleared", "withdrawn"]
Kind = Literal["raised", "level", "acknowledged", "cleared", "reopened", "withdrawn", "moved"]
Cause = Literal["reading", "revision", "clock", "person", "rule"]

LONGEST_BY, LONGEST_NOTE = 100, 1_000


def _printable(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise ValueError("empty")
    if any(not (c.isprintable() or c in "\n\t") for c in stripped):
        raise ValueError("a character that can't be printed")
    return stripped


Words = Annotated[str, AfterValidator(_printable)]


class Acknowledgement(BaseModel):
    """Who has taken note of an alert."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"by": "Leitstelle Nord", "note": "Deich wird geprüft"}]}
    )

    by: Words = Field(min_length=1, max_length=LONGEST_BY, description="who; kept for good")
    note: Words | None = Field(default=None, min_length=1, max_length=LONGEST_NOTE)


class Acknowledged(BaseModel):
    """When somebody took note; who and what they wrote only for writers."""

    at: datetime
    by: str | None = None
    note: str | None = None


class AlertThing(BaseModel):
    """Where it is."""

    id: int
    name: str
    names: dict[str, str] = Field(description="by language")
    tenant: str
    device: str | None
    timezone: str


class AlertDatastream(BaseModel):
    """What was measured."""

    id: int
    name: str
    names: dict[str, str] = Field(description="by language")
    property: str | None = Field(description="key of the observed property")


class Alert(BaseModel):
    """One event that a rule found in one Datastream."""

    id: int
    number: int = Field(description="of its newest transition")
    rule: str
    version: int = Field(description="of the rule")
    title: str = Field(description="of the rule, in the language asked for")
    state: State
    level: int = Field(description="now, or the last before it cleared; from 1")
    level_name: str = Field(description="in the language asked for; empty where the rule has it no more")
    highest: int
    value: float | None = Field(description="the utmost")
    unit: str | None = Field(description="of value: the Datastream's symbol; % for a share of bad readings, by the hour for a rate")
    value_at: datetime | None
    begins: datetime
    ends: datetime | None = Field(description="null while it lasts")
    acknowledged: Acknowledged | None
    changed: datetime
    thing: AlertThing
    datastream: AlertDatastream


class Alerts(BaseModel):
    """Alerts, the newest event first."""

    alerts: list[Alert]
    next: str | None = Field(description="`after` of the next page")


class Transition(BaseModel):
    """What happened to an alert."""

    number: int
    kind: Kind
    at: datetime = Field(description="when the platform noticed")
    event_time: datetime
    level: int
    value: float | None
    cause: Cause
    state: State = Field(description="after it")
    begins: datetime
    ends: datetime | None


class Delivery(BaseModel):
    """Who has not been told of a transition."""

    number: int
    sink: str
    attempts: int
    next_at: datetime
    last_error: str | None
    given_up_at: datetime | None


class WholeAlert(Alert):
    """An alert with its history."""

    transitions: list[Transition]
    deliveries: list[Delivery] | None = Field(description="what is not delivered; for writers alone")


class RuleLevel(BaseModel):
    """One level of a rule."""

    level: int
    name: str
    title: str
    titles: dict[str, str]
    limit: float | None = Field(description="where it begins")
    clear: float | None = Field(description="where it ends")


class AlertRule(BaseModel):
    """A rule as it holds now."""

    name: str
    version: int
    kind: str
    title: str
    titles: dict[str, str]
    properties: list[str]
    unit: str | None = Field(description="UCUM code of the limits")
    direction: Literal["above", "below"]
    levels: list[RuleLevel]
    least_level: int = Field(description="the lowest level that begins an event")
    valid_from: date | None = Field(description="first local day")
    valid_until: date | None = Field(description="first local day on which it does not hold any more")
    datastreams: int = Field(description="public Datastreams that it watches")


class AlertRules(BaseModel):
    """All rules, by name."""

    rules: list[AlertRule]
