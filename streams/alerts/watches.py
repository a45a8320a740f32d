"""Which rules watch a Datastream, in its own unit and over its own zero; and which do not, for something is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from devices.units import UnitError, converter
from streams.alerts.rules import EVERY, Mean, NoData, Quality, Rate, Rule, Threshold, limits
from streams.rows import microseconds

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
SHORTEST_S, LONGEST_S = 0.001, 366 * 86_400.0
DAY_S = {"quarter_hour": 900.0, "hour": 3_600.0, "day": 86_400.0, "year": 365 * 86_400.0}


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What rules ask of a Datastream. `observed`: the property's key; `unit`: UCUM code; `own` and `thing`: their properties."""

    datastream: int
    observed: str
    unit: str
    timezone: str
    own: Mapping[str, Any]
    thing: Mapping[str, Any]

    def get(self, name: str) -> Any:
        """Give a property of the Datastream, else of its Thing, else None."""
        return self.own.get(name, self.thing.get(name))

    @property
    def zone(self) -> ZoneInfo:
        """The Thing's time zone."""
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("Europe/Berlin")


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """A rule for one Datastream. Limits are in its unit and mirrored by `sign`, so that more is worse; times are microseconds.

    `since` and `until` bound its validity; of kind `no_data` `silence` is how long nothing may come.
    """

    rule: str
    version: int
    kind: str
    sign: float = 1.0
    strict: bool = False
    raises: tuple[float, ...] = ()
    clears: tuple[float, ...] = ()
    least_level: int = 1
    since: int | None = None
    until: int | None = None
    hold: int = 0
    silence: int = 0
    span: str = ""
    timezone: str = ""  # of local days and years
    over: int = 0
    least: float = 0.0  # readings that a bucket needs
    allowed: int | None = None

    @property
    def of_rows(self) -> bool:
        """Whether it looks at readings, not at buckets."""
        return self.kind in {"threshold", "no_data"}


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that would watch a Datastream if `missing` were there."""

    rule: str
    missing: str


class _MissingError(Exception):
    """What a rule needs is not there; the message says what."""


def watches_of(site: Site, rules: Iterable[Rule]) -> tuple[list[Watch], list[Gap]]:
    """Give the rules that watch a Datastream, and those that can't."""
    watches: list[Watch] = []
    gaps: list[Gap] = []
    for rule in rules:
        if EVERY not in rule.properties and site.observed not in rule.properties:
            continue
        try:
            if _is_meant(site, rule):
                watches.append(_watch(site, rule))
        except _MissingError as missing:
            gaps.append(Gap(rule=rule.name, missing=str(missing)))
    return watches, gaps


def fingerprint(watches: Sequence[Watch], gaps: Sequence[Gap]) -> str:
    """Give what is another text when any rule of a Datastream is another."""
    return hashlib.sha256(msgspec.json.encode((watches, gaps))).hexdigest()[:16]


def _is_meant(site: Site, rule: Rule) -> bool:
    for name, value in rule.where.items():
        found = site.get(name)
        if found is None:
            raise _MissingError(name)
        if found != value:
            return False
    for name in rule.needs:
        if site.get(name) is None:
            raise _MissingError(name)
    return True


def _watch(site: Site, rule: Rule) -> Watch:
    common: dict[str, Any] = {
        "rule": rule.name,
        "version": rule.version,
        "kind": rule.kind,
        "since": _midnight(rule.valid_from, site.zone),
        "until": _midnight(rule.valid_until, site.zone),
        "least_level": rule.least_level,
    }
    if isinstance(rule, NoData):
        silence = max(rule.intervals * _interval_s(site), rule.least_min * 60)
        return Watch(**common, silence=round(silence * SECOND_US))
    raises, clears = limits(rule)
    common |= {"sign": 1.0 if rule.direction == "above" else -1.0, "strict": rule.strict}
    match rule:
        case Quality():
            limit: dict[str, Any] = {"raises": tuple(raises), "clears": tuple(clears)}
            return Watch(**common, **limit, span=rule.span, timezone=site.zone.key, least=float(rule.least))
        case Mean():
            limit = _in_unit(site, rule, raises, clears)
            least = rule.coverage * DAY_S[rule.span] / _interval_s(site) if rule.coverage else 0.0
            local = site.zone.key if rule.span in {"day", "year"} or rule.allowed is not None else ""
            return Watch(**common, **limit, span=rule.span, timezone=local, least=least, allowed=rule.allowed)
        case Rate():
            return Watch(**common, **_in_unit(site, rule, raises, clears), span="quarter_hour", over=rule.over_min * MINUTE_US)
        case Threshold():
            zero, since = _reference(site, rule)
            if since is not None:
                common["since"] = since if common["since"] is None else max(since, common["since"])
            limit = _in_unit(site, rule, raises, clears, zero)
            return Watch(**common, **limit, hold=round(rule.hold_min * MINUTE_US))


def _in_unit(
    site: Site, rule: Rule, raises: Sequence[float], clears: Sequence[float], zero: Decimal = Decimal(0)
) -> dict[str, Any]:
    """Give limits in the Datastream's unit; sums are decimal, so that a value on a limit is on it."""
    try:
        conversion = converter(rule.unit, site.unit)
    except UnitError as error:
        raise _MissingError(f"unit {rule.unit}: {error.detail}") from None
    sign = 1 if rule.direction == "above" else -1

    def turned(limit: float) -> float:
        value = float(zero + sign * Decimal(repr(limit)))
        return sign * (value * conversion.factor if isinstance(rule, Rate) else conversion.convert(value))

    try:
        return {"raises": tuple(map(turned, raises)), "clears": tuple(map(turned, clears))}
    except UnitError as error:  # a zero beyond all numbers
        raise _MissingError(f"unit {rule.unit}: {error.detail}") from None


def _reference(site: Site, rule: Threshold) -> tuple[Decimal, int | None]:
    """Give the zero of a rule's levels and since when it holds."""
    if rule.reference is None:
        return Decimal(0), None
    zero = site.get(rule.reference)
    if isinstance(zero, bool) or not isinstance(zero, int | float):
        raise _MissingError(rule.reference)
    since = site.get(f"{rule.reference.rpartition('_')[0]}_valid_from")
    try:
        return Decimal(repr(zero)), None if since is None else _midnight(date.fromisoformat(since), site.zone)
    except (TypeError, ValueError):
        raise _MissingError(f"{rule.reference.rpartition('_')[0]}_valid_from as YYYY-MM-DD") from None


def _interval_s(site: Site) -> float:
    interval = site.own.get("interval_s")
    # Entities are written by anyone; bounds as in the boards' views.
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not SHORTEST_S <= interval <= LONGEST_S:
        raise _MissingError("interval_s")
    return float(interval)


def _midnight(day: date | None, zone: ZoneInfo) -> int | None:
    return None if day is None else microseconds(datetime(day.year, day.month, day.day, tzinfo=zone))
