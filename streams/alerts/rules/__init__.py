"""Rules as data: what an alert is, versioned, in TOML files; the platform's and an operator's own (docs/alerts.md)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, cast

import msgspec

from devices.units import UnitError, unit

FOLDER = Path(__file__).parent
LANGUAGES = ("de", "da", "en")
EVERY = "*"
QUARTER_MIN = 15

Span = Literal["quarter_hour", "hour", "day", "year"]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_.]{0,62}$")]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class RuleError(ValueError):
    """A file of rules can't be used; the message names file, rule and what is wrong, in one line."""


class Level(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One level of a rule: it begins at `raise` and lasts until the value is beyond `clear`; None: the same as `raise`."""

    name: Name
    titles: dict[str, str]
    raise_at: float | None = msgspec.field(name="raise", default=None)
    clear: float | None = None


class AlertRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all kinds have in common.

    `properties`: keys of observed properties, `*` for all. `where`: values that properties of the Datastream or, there absent,
    of its Thing must have; `needs`: properties they must have, whatever the value. `unit`: UCUM code of the levels, which are
    converted to the Datastream's unit. `least_level`: the lowest level that is an event; below it lasts none.
    """

    name: Name
    version: Annotated[int, msgspec.Meta(ge=1)]
    properties: tuple[str, ...]
    titles: dict[str, str]
    levels: Annotated[tuple[Level, ...], msgspec.Meta(min_length=1, max_length=9)]
    where: dict[str, str] = {}
    needs: tuple[str, ...] = ()
    unit: str = "1"
    strict: bool = False
    direction: Literal["above", "below"] = "above"
    least_level: Annotated[int, msgspec.Meta(ge=1)] = 1
    valid_from: date | None = None  # first local day
    valid_until: date | None = None  # first local day on which it does not hold any more

    @property
    def kind(self) -> str:
        """Name of the kind, as the files have it."""
        return cast("str", self.__struct_config__.tag)

    def value_unit(self, unit: str | None) -> str | None:
        """Give the unit of an alert's value; `unit` is the Datastream's."""
        return unit


class Threshold(AlertRule, frozen=True, kw_only=True, tag="threshold"):
    """Usable values at or beyond a limit; `hold_min`: for so long before it is an event.

    `reference`: property that holds the zero of the levels, in `unit`; `mean_water_m` holds from `mean_water_valid_from` on.
    """

    hold_min: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    reference: str | None = None


class Rate(AlertRule, frozen=True, kw_only=True, tag="rate"):
    """Change in `unit` an hour, between means of quarter hours `over_min` apart: noise of single readings is no change."""

    over_min: Annotated[int, msgspec.Meta(ge=QUARTER_MIN, le=1440, multiple_of=QUARTER_MIN)] = 60

    def value_unit(self, unit: str | None) -> str:
        """Give the Datastream's unit by the hour."""
        return f"{unit or ''}/h"


class NoData(AlertRule, frozen=True, kw_only=True, tag="no_data"):
    """Nothing for longer than `intervals` expected ones and `least_min`; begins when the next reading was allowed to come last."""

    intervals: Positive
    least_min: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Quality(AlertRule, frozen=True, kw_only=True, tag="quality"):
    """Percentage of readings flagged 3 or 4 in a bucket that has at least so many readings."""

    span: Span
    least: Annotated[int, msgspec.Meta(ge=1)] = 1

    def value_unit(self, unit: str | None) -> str:  # noqa: ARG002 - whatever the readings are in
        """Give the percentage."""
        return "%"


class Mean(AlertRule, frozen=True, kw_only=True, tag="mean"):
    """Mean of usable readings over a bucket that is over, beyond (`strict`) a limit.

    `allowed`: times in a local calendar year; level 2 begins with the next. `coverage`: share of the expected readings needed.
    """

    span: Span
    strict: bool = True
    allowed: Annotated[int, msgspec.Meta(ge=0)] | None = None
    coverage: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.75


Rule = Threshold | Rate | NoData | Quality | Mean


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


@cache
def alert_rules(folder: str = "") -> tuple[Rule, ...]:
    """Give the platform's rules and those in the `*.toml` of an operator's `folder`, by name; raises `RuleError`.

    One of the operator's replaces the platform's of the same name.
    """
    rules = {rule.name: rule for rule in _folder(FOLDER)}
    if folder:
        rules |= {rule.name: rule for rule in _folder(Path(folder))}
    return tuple(rules[name] for name in sorted(rules))


def _folder(folder: Path) -> list[Rule]:
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise RuleError(f"rules of alerts: {folder}: {error.strerror}") from error
    rules = [rule for path in files for rule in read(path)]
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RuleError(f"rules of alerts: {folder}: there twice: {', '.join(twice)}")
    return rules


def read(path: Path) -> tuple[Rule, ...]:
    """Read one file; raises `RuleError`."""
    try:
        rules = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).rule
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise RuleError(f"rules of alerts: {path}: {error}") from error
    for rule in rules:
        if wrong := "; ".join(_wrong(rule)):
            raise RuleError(f"rules of alerts: {path}: {rule.name}: {wrong}")
    return rules


def _wrong(rule: Rule) -> Iterable[str]:
    for owner in (rule, *rule.levels):
        if missing := [language for language in LANGUAGES if not owner.titles.get(language)]:
            yield f"{owner.name} has no title in {', '.join(missing)}"
    try:
        unit(rule.unit)
    except UnitError as error:
        yield error.detail
    if rule.least_level > len(rule.levels):
        yield f"least_level {rule.least_level} of {len(rule.levels)} levels"
    if rule.valid_from and rule.valid_until and rule.valid_until <= rule.valid_from:
        yield "valid_until is not after valid_from"
    if isinstance(rule, NoData):
        if [level.raise_at for level in rule.levels] != [None]:
            yield "no_data has one level without a limit"
    else:
        yield from _wrong_limits(rule)
    if isinstance(rule, Mean) and rule.allowed is not None:
        limit, *others = [level.raise_at for level in rule.levels]
        if others != [limit]:
            yield "with allowed it has two levels of the same limit"


def _wrong_limits(rule: Rule) -> Iterable[str]:
    if any(level.raise_at is None for level in rule.levels):
        yield "each level needs raise"
        return
    sign = 1 if rule.direction == "above" else -1
    raises, clears = limits(rule)
    if raises != sorted(raises) or clears != sorted(clears):
        yield f"levels must go up (direction {rule.direction})"
    if any(clear > limit for clear, limit in zip(clears, raises, strict=True)):
        yield f"clear must not lie {'above' if sign > 0 else 'below'} raise"


def limits(rule: Rule) -> tuple[list[float], list[float]]:
    """Give where levels are raised and cleared, mirrored for `below`, so that more is worse."""
    sign = 1.0 if rule.direction == "above" else -1.0
    raises = [sign * (level.raise_at or 0.0) for level in rule.levels]
    clears = [limit if level.clear is None else sign * level.clear for limit, level in zip(raises, rule.levels, strict=True)]
    return raises, clears
