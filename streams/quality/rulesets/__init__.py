"""Rulesets: versioned data files, one per observed property, and the rules of one Datastream out of them (docs/quality.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.quality.rules import Rules

LATEST = 1


class RulesetError(ValueError):
    """A ruleset, or what a Datastream sets itself, can't be used; the message names the key and what was expected."""


def rules_for(
    observed_property: str,
    station: str | None,
    properties: Mapping[str, Any],
    version: int = LATEST,
    *,
    timezone: str = "Europe/Berlin",
) -> Rules | None:
    """Give a Datastream's rules, None where no test in context is enabled. Equal arguments give the same object.

    `observed_property` is the catalogue's key, `station` the device's name, `timezone` (IANA) the Thing's. Of the Datastream's
    `properties`, `ruleset` names another ruleset than the observed property's ("none": no test), `interval_s` is the usual
    time between two readings, and `quality` overrides parameters: `{"spike": {"suspect": 3.5}, "flat_line": false}`.
    Raises `RulesetError` for an unknown version, ruleset, test or parameter.
    """
    raise NotImplementedError
