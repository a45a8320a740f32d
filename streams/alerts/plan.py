"""What becomes of stored alerts when their rule finds these events: the same event keeps its alert, whatever else has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from streams.alerts.events import Event
from streams.alerts.transitions import Cause, Kind, Transition

RAISED, CLEARED, WITHDRAWN = "raised", "cleared", "withdrawn"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A stored alert; `ever`: the highest level in any of its transitions, `version`: of the rule that found it."""

    id: int
    version: int
    begins: datetime
    ends: datetime | None
    state: str
    level: int
    highest: int
    value: float | None
    value_at: datetime | None
    number: int
    ever: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An alert (None: a new one) that becomes this event (None: it is withdrawn). No transitions: only its figures differ."""

    alert: Alert | None
    event: Event | None
    version: int
    transitions: tuple[Transition, ...]


def plan(stored: Sequence[Alert], events: Sequence[Event], cause: Cause, version: int) -> list[Change]:
    """Compare the alerts of one rule and Datastream with its events; nothing to do gives nothing."""
    changes: list[Change] = []
    matched = _matched(stored, events)
    for event, alert in matched:
        if alert is None:
            steps = _steps(["raised"], event, cause, None)
            changes.append(Change(alert=None, event=event, version=version, transitions=steps))
        elif not _same(alert, event, version):
            changes.append(
                Change(alert=alert, event=event, version=version, transitions=_steps(_kinds(alert, event), event, cause, alert))
            )
    kept = {alert.id for _, alert in matched if alert is not None}
    gone = [alert for alert in stored if alert.id not in kept and alert.state != WITHDRAWN]
    return changes + [Change(alert=alert, event=None, version=version, transitions=(_withdrawal(alert, cause),)) for alert in gone]


def _matched(stored: Sequence[Alert], events: Sequence[Event]) -> list[tuple[Event, Alert | None]]:
    """Give each event its alert: one that began when it begins, else one that overlaps it; the living before the withdrawn."""
    living = [alert for alert in stored if alert.state != WITHDRAWN]
    buried = [alert for alert in stored if alert.state == WITHDRAWN]
    found: dict[int, Alert] = {}
    for alerts, fits in ((living, _begins_alike), (living, _overlap), (buried, _begins_alike), (buried, _overlap)):
        _pair(alerts, events, fits, found)
    return [(event, found.get(place)) for place, event in enumerate(events)]


def _pair(alerts: Sequence[Alert], events: Sequence[Event], fits: Callable[[Alert, Event], bool], found: dict[int, Alert]) -> None:
    taken = {alert.id for alert in found.values()}
    for place, event in enumerate(events):
        if place in found:
            continue
        for alert in sorted(alerts, key=lambda each: (each.begins, each.id)):
            if alert.id not in taken and fits(alert, event):
                found[place] = alert
                taken.add(alert.id)
                break


def _begins_alike(alert: Alert, event: Event) -> bool:
    return alert.begins == event.begins


def _overlap(alert: Alert, event: Event) -> bool:
    until = alert.begins if alert.state == WITHDRAWN and alert.ends is None else alert.ends
    return (event.ends is None or alert.begins <= event.ends) and (until is None or event.begins <= until)


def _same(alert: Alert, event: Event, version: int) -> bool:
    return alert.state != WITHDRAWN and alert.version == version and _figures(alert) == _figures(event)


def _figures(either: Alert | Event) -> tuple[object, ...]:
    return either.begins, either.ends, either.level, either.highest, either.value, either.value_at


def _kinds(alert: Alert, event: Event) -> list[Kind]:
    if alert.state == WITHDRAWN:
        return ["reopened"]
    kinds: list[Kind] = []
    if alert.ends is not None and event.ends is None:
        kinds.append("reopened")
    if alert.begins != event.begins or (alert.ends is not None and event.ends is not None and alert.ends != event.ends):
        kinds.append("moved")
    if (alert.level, alert.highest) != (event.level, event.highest):
        kinds.append("level")
    return kinds


def _steps(kinds: Sequence[Kind], event: Event, cause: Cause, alert: Alert | None) -> tuple[Transition, ...]:
    """Give transitions of these kinds, and the end where the alert lasted until now."""
    lasted = alert is None or alert.state != CLEARED
    begins = event.begins
    ends = None if lasted else event.ends

    def step(kind: Kind, at: datetime, ends: datetime | None) -> Transition:
        state = RAISED if ends is None else CLEARED
        return Transition(
            kind=kind, cause=cause, event_time=at, state=state, begins=begins, ends=ends, level=event.level, value=event.value
        )

    steps = [step(kind, event.level_at if kind == "level" else begins, ends) for kind in kinds]
    if lasted and event.ends is not None:
        steps.append(step("cleared", event.ends, event.ends))
    return tuple(steps)


def _withdrawal(alert: Alert, cause: Cause) -> Transition:
    return Transition(
        kind="withdrawn", cause=cause, event_time=alert.begins, state=WITHDRAWN, begins=alert.begins, ends=alert.ends,
        level=alert.level, value=alert.value,
    )  # fmt: skip
