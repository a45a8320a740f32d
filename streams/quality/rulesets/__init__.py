"""Rulesets: versioned data files, one per observed property, and the rules of one Datastream out of them (docs/quality.md)."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

from devices.units import canonical
from streams.quality.rules import IN_CONTEXT, Rules
from streams.quality.rulesets.parameters import NAN, RulesetError, Setting, Table, built, checked, known_timezone

__all__ = ["LATEST", "NONE", "RulesetError", "rules_for", "ruleset_names", "versions"]

FOLDER = Path(__file__).parent
LATEST = 1
NONE = "none"
_HEAD = ("unit", "station")
_REMEMBERED = 20_000


@cache
def versions() -> tuple[int, ...]:
    """Give the versions there are, ascending."""
    return tuple(sorted(int(folder.name) for folder in FOLDER.iterdir() if folder.name.isdecimal()))


@cache
def ruleset_names(version: int) -> frozenset[str]:
    """Give the names of a version's rulesets: mostly keys of observed properties."""
    return frozenset(path.stem for path in (FOLDER / str(version)).glob("*.toml"))


def rules_for(
    observed_property: str,
    station: str | None,
    properties: Mapping[str, Any],
    version: int = LATEST,
    *,
    timezone: str = "Europe/Berlin",
    unit: str | None = None,
) -> Rules | None:
    """Give a Datastream's rules, None where no test in context is enabled. Equal arguments give the same object.

    `observed_property` is the catalogue's key, `station` the device's name, `timezone` (IANA) the Thing's, `unit` the Datastream's
    UCUM code, None: that of the ruleset. Of the Datastream's `properties`, `ruleset` names another ruleset than the observed
    property's ("none": no test), `interval_s` is the usual time between two readings, and `quality` overrides parameters:
    `{"spike": {"suspect": 3.5}, "flat_line": false}`.
    Raises `RulesetError` for an unknown version, ruleset, test or parameter, and for a unit that is not the ruleset's.
    """
    own = properties.get("quality")
    return _rules(
        _name(observed_property, properties, version),
        station,
        json.dumps(own, sort_keys=True) if own else "",
        _interval_s(properties),
        version,
        timezone,
        unit,
    )


def _name(observed_property: str, properties: Mapping[str, Any], version: int) -> str:
    if version not in versions():
        raise RulesetError(f"there is no version {version!r} of the rulesets; there are {', '.join(map(str, versions()))}")
    name = properties.get("ruleset")
    if name is None:
        return observed_property if observed_property in ruleset_names(version) else NONE
    if name != NONE and name not in ruleset_names(version):
        raise RulesetError(f"there is no ruleset {name!r} in version {version}")
    return name


def _interval_s(properties: Mapping[str, Any]) -> float:
    interval = properties.get("interval_s")
    if interval is None:
        return NAN
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not interval > 0:
        raise RulesetError(f"interval_s must be a number of more than 0, not {interval!r}")
    return float(interval)


@lru_cache(maxsize=_REMEMBERED)
def _rules(
    name: str, station: str | None, own: str, interval_s: float, version: int, timezone: str, unit: str | None
) -> Rules | None:
    layers: list[tuple[str, Table]] = []
    if name != NONE:
        table = _ruleset(name, version)
        wanted = table.get("unit", "1")
        if unit is not None and canonical(unit) != wanted:
            raise RulesetError(f"ruleset {name} is in {wanted!r}, the Datastream in {unit!r}")
        layers.append((f"{name}.toml", {key: value for key, value in table.items() if key not in _HEAD}))
        layers.append((f"{name}.toml, station {station}", table.get("station", {}).get(station, {})))
    if own:
        layers.append(("properties.quality", _own(own)))
    tests: dict[str, Any] = {}
    for where, layer in layers:
        for key, given in checked(layer, where).items():
            below = tests.get(key)
            tests[key] = {**below, **given} if isinstance(below, dict) and isinstance(given, dict) else given
    rules = built(
        tests, version, Setting(interval_s=interval_s, timezone=known_timezone(timezone)), layers[-1][0] if layers else name
    )
    return rules if any(getattr(rules, test) for test in (*IN_CONTEXT, "neighbour")) else None


def _own(text: str) -> Table:
    own = json.loads(text)
    if not isinstance(own, dict):
        raise RulesetError(f"properties.quality must be an object of tests, not {own!r}")
    return cast("Table", own)


@cache
def _ruleset(name: str, version: int) -> Table:
    """Read a ruleset with all its stations checked."""
    path = FOLDER / str(version) / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RulesetError(f"{path.name}: {error}") from error
    for station, given in table.get("station", {}).items():
        checked(given, f"{path.name}, station {station}")
    return table
