"""From tables of a ruleset (TOML or JSON) to the parameters of tests, with every key and value checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from zoneinfo import ZoneInfo

from streams.quality import rules
from streams.quality.tests import TESTS

NAN = float("nan")
HOUR_S = 3600.0
# Of the sigma of a property: how far a spike is suspect, and how far it fails (domain.md).
SPIKE_SUSPECT, SPIKE_FAIL = 3.0, 6.0
# How many intervals may lie between the beginning of a span and the last value before it.
SLACK_INTERVALS = 2.0
_MOST_READINGS = 99


class RulesetError(ValueError):
    """A ruleset, or what a Datastream sets itself, can't be used; the message names the key and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What besides a test's own parameters says how a Datastream is judged. `interval_s` NaN: not known."""

    interval_s: float
    timezone: str


Table = Mapping[str, Any]


def checked(table: Table, where: str) -> dict[str, dict[str, Any] | bool | tuple[str, ...]]:
    """Check a table of tests: give each test's parameters by name, False where it is switched off, and `mandatory`.

    Parameters that say the same in another way come in one form, so that a later table can override an earlier one.
    """
    found: dict[str, dict[str, Any] | bool | tuple[str, ...]] = {}
    for name, given in table.items():
        if name == "mandatory":
            found[name] = _mandatory(given, where)
        elif name == "duplicate":
            found[name] = _switch(given, f"{where}: duplicate")
        elif name not in _PARAMETERS:
            raise RulesetError(f"{where}: there is no test {name!r}; there are {', '.join(sorted((*_PARAMETERS, 'duplicate')))}")
        elif given is False:
            found[name] = False
        else:
            found[name] = _test(name, given, f"{where}: {name}")
    return found


def built(tests: Mapping[str, Any], version: int, setting: Setting, where: str) -> rules.Rules:
    """Make the rules of one Datastream out of `checked` tables that were laid over each other."""
    made: dict[str, Any] = {name: tests[name] for name in ("mandatory", "duplicate") if name in tests}
    for name, given in tests.items():
        if name not in made and given is not False:
            try:
                made[name] = _BUILD[name](given, setting)
            except KeyError as error:
                raise RulesetError(f"{where}: {name} needs {error.args[0]!r}") from None
            _in_order(made[name], f"{where}: {name}")
    return rules.Rules(version=version, **made)


def _mandatory(given: Any, where: str) -> tuple[str, ...]:
    names = _list(given)
    if names is None or not all(name in TESTS for name in names):
        raise RulesetError(f"{where}: mandatory must be a list of tests ({', '.join(TESTS)}), not {given!r}")
    return tuple(name for name in TESTS if name in names)


def _list(given: Any) -> list[Any] | None:
    return cast("list[Any]", given) if isinstance(given, list) else None


def _switch(given: Any, where: str) -> bool:
    if not isinstance(given, bool):
        raise RulesetError(f"{where} must be true or false, not {given!r}")
    return given


def _test(name: str, given: Any, where: str) -> dict[str, Any]:
    known = _PARAMETERS[name]
    if not isinstance(given, Mapping):
        raise RulesetError(f"{where} must be a table of parameters or false, not {given!r}")
    table = cast("Table", given)
    for key in table:
        if key not in known:
            raise RulesetError(f"{where} has no parameter {key!r}; it takes {', '.join(sorted(known))}")
    read = {key: known[key](value, f"{where}.{key}") for key, value in table.items()}
    if "sigma" in read:
        sigma = read.pop("sigma")
        read = {"suspect": SPIKE_SUSPECT * sigma, "fail": SPIKE_FAIL * sigma, **read}
    return read


def _number(given: Any, where: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise RulesetError(f"{where} must be a finite number, not {given!r}")
    return float(given)


def _positive(given: Any, where: str) -> float:
    if (number := _number(given, where)) <= 0:
        raise RulesetError(f"{where} must be more than 0, not {given!r}")
    return number


def _not_negative(given: Any, where: str) -> float:
    if (number := _number(given, where)) < 0:
        raise RulesetError(f"{where} must not be negative, not {given!r}")
    return number


def _count(given: Any, where: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= _MOST_READINGS:
        raise RulesetError(f"{where} must be a whole number of 1 to {_MOST_READINGS}, not {given!r}")
    return given


def _hours(given: Any, where: str) -> tuple[float, float]:
    ends = _list(given)
    if ends is None or len(ends) != 2:  # noqa: PLR2004 - both
        raise RulesetError(f"{where} must be two local hours, not {given!r}")
    begin, end = (_number(hour, where) for hour in ends)
    if not (0 <= begin < 24 and 0 <= end < 24 and begin != end):  # noqa: PLR2004 - a day
        raise RulesetError(f"{where} must be two different local hours of 0 to 24, not {given!r}")
    return begin, end


def _band(given: Any, where: str) -> tuple[float, ...]:
    """12 numbers, or 12 lists of 24: month by month, then hour by hour. The list [] is a month without a band."""
    months = _list(given)
    if months is None or len(months) != 12:  # noqa: PLR2004 - of a year
        raise RulesetError(f"{where} must be a list of 12 months, not {given!r}")
    return tuple(bound for month in months for bound in _month(month, where))


def _month(given: Any, where: str) -> list[float]:
    hours = _list(given)
    if hours is None:
        return [_number(given, where)] * 24
    if len(hours) not in (0, 24):
        raise RulesetError(f"{where}: a month must be a number, 24 numbers or [], not {given!r}")
    return [_number(hour, where) for hour in hours] or [NAN] * 24


_SPREAD = {"suspect": _positive, "fail": _positive}
_STILL = {"slack_h": _not_negative, "least": _count, "exclude_to": _number, "exclude_from": _number}
_PARAMETERS: Mapping[str, Mapping[str, Callable[[Any, str], Any]]] = {
    "timing_gap": {
        "suspect_intervals": _positive,
        "fail_intervals": _positive,
        "suspect_s": _positive,
        "fail_s": _positive,
        "pause": _hours,
    },
    "climatology": {"low": _band, "high": _band},
    "spike": {**_SPREAD, "sigma": _positive, "within_intervals": _positive, "modulus": _positive},
    "rate_of_change": {"suspect_per_h": _positive, "fail_per_h": _positive, "least_s": _positive, "modulus": _positive},
    "flat_line": {"suspect_h": _positive, "fail_h": _positive, "tolerance": _not_negative, **_STILL},
    "attenuated_signal": {"window_h": _positive, **_SPREAD, **_STILL},
    "hampel": {**_SPREAD, "readings": _count, "floor": _not_negative},
    "neighbour": {**_SPREAD, "radius_km": _positive, "within_s": _positive, "least": _count},
    "counter_reset": {"tolerance": _not_negative, "rollover": _positive},
}


def _timing_gap(given: Table, setting: Setting) -> rules.TimingGap | None:
    suspect, fail = (
        given.get(f"{level}_s", given.get(f"{level}_intervals", NAN) * setting.interval_s) for level in ("suspect", "fail")
    )
    if math.isnan(suspect):
        return None  # without an interval nobody can say what a gap is
    begin, end = given.get("pause", (NAN, NAN))
    return rules.TimingGap(suspect_s=suspect, fail_s=fail, pause_begin_h=begin, pause_end_h=end, timezone=setting.timezone)


def _climatology(given: Table, setting: Setting) -> rules.Climatology:
    return rules.Climatology(low=given["low"], high=given["high"], timezone=setting.timezone)


def _spike(given: Table, setting: Setting) -> rules.Spike:
    return rules.Spike(
        suspect=given["suspect"],
        fail=given.get("fail", NAN),
        within_s=given.get("within_intervals", 6.0) * setting.interval_s,
        modulus=given.get("modulus", NAN),
    )


def _rate_of_change(given: Table, _setting: Setting) -> rules.RateOfChange:
    return rules.RateOfChange(
        suspect_per_s=given["suspect_per_h"] / HOUR_S,
        fail_per_s=given.get("fail_per_h", NAN) / HOUR_S,
        least_s=given.get("least_s", 1.0),
        modulus=given.get("modulus", NAN),
    )


def _still(given: Table, setting: Setting, span_s: float) -> dict[str, Any]:
    """Give what flat_line and attenuated_signal share: at least half of the readings that the span should have must be there."""
    unknown = math.isnan(setting.interval_s)
    slack_s = given["slack_h"] * HOUR_S if "slack_h" in given else span_s / 6 if unknown else SLACK_INTERVALS * setting.interval_s
    expected = 0 if unknown else int(span_s / setting.interval_s / 2)
    excluded = {name: given.get(name, NAN) for name in ("exclude_to", "exclude_from")}
    return {"slack_s": slack_s, "least": given.get("least", max(3, expected)), **excluded}


def _flat_line(given: Table, setting: Setting) -> rules.FlatLine:
    span_s = given.get("suspect_h", 3.0) * HOUR_S
    return rules.FlatLine(
        suspect_s=span_s,
        fail_s=given.get("fail_h", 6.0) * HOUR_S,
        tolerance=given.get("tolerance", 0.0),
        **_still(given, setting, span_s),
    )


def _attenuated_signal(given: Table, setting: Setting) -> rules.AttenuatedSignal:
    span_s = given.get("window_h", 6.0) * HOUR_S
    return rules.AttenuatedSignal(
        window_s=span_s, suspect=given["suspect"], fail=given.get("fail", NAN), **_still(given, setting, span_s)
    )


def _hampel(given: Table, _setting: Setting) -> rules.Hampel:
    return rules.Hampel(**given)


def _neighbour(given: Table, _setting: Setting) -> rules.Neighbour:
    return rules.Neighbour(
        suspect=given["suspect"],
        fail=given.get("fail", NAN),
        radius_m=given.get("radius_km", 10.0) * 1000,
        within_s=given.get("within_s", HOUR_S),
        least=given.get("least", 3),
    )


def _counter_reset(given: Table, _setting: Setting) -> rules.CounterReset:
    return rules.CounterReset(**given)


_BUILD: Mapping[str, Callable[[Table, Setting], Any]] = {
    "timing_gap": _timing_gap,
    "climatology": _climatology,
    "spike": _spike,
    "rate_of_change": _rate_of_change,
    "flat_line": _flat_line,
    "attenuated_signal": _attenuated_signal,
    "hampel": _hampel,
    "neighbour": _neighbour,
    "counter_reset": _counter_reset,
}
# The milder bound of each pair must come first.
_ORDER = (("suspect_s", "fail_s", 1), ("suspect_per_s", "fail_per_s", 1), ("suspect", "fail", 1))


def _in_order(test: Any, where: str) -> None:
    for mild, severe, sign in _ORDER:
        first, second = getattr(test, mild, NAN), getattr(test, severe, NAN)
        if isinstance(test, rules.AttenuatedSignal):
            first, second = second, first
        if sign * first > sign * second:
            raise RulesetError(f"{where}: fail must be a severer bound than suspect, not {second:g} beside {first:g}")


def known_timezone(name: str) -> str:
    """Give the name back if the time zone exists; raises `RulesetError`."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise RulesetError(f"there is no time zone {name!r}") from error
    return name
