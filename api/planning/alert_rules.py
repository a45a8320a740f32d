"""Rules of alerts in a reader's language, and the alerts that they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from api.sensorthings.languages import preferred
from streams.contract import AlertRule, names_of


class RuleWords:
    """Titles of rules and levels; a rule that is gone is told by its name."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self._rules = {rule.name: rule for rule in rules}

    @staticmethod
    def language(header: str | None) -> str:
        """Give the language that a client likes best, English where it says nothing."""
        return next(iter(preferred(header or "")), "en")

    def told(self, row: Mapping[str, Any], language: str, *, sees_all: bool) -> dict[str, Any]:
        """Give an alert as it is told; `row` is one of alerts.sql."""
        rule = self._rules.get(row["rule"])
        number: int = row["level"]
        level = rule.levels[number - 1].titles[language] if rule and number <= len(rule.levels) else ""
        return {
            "id": row["id"],
            "number": row["number"],
            "rule": row["rule"],
            "version": row["rule_version"],
            "title": rule.titles[language] if rule else row["rule"],
            "state": row["state"],
            "level": number,
            "level_name": level,
            "highest": row["highest"],
            "value": row["value"],
            "unit": rule.value_unit(row["unit"]) if rule else row["unit"],
            "value_at": row["value_at"],
            "begins": row["begins"],
            "ends": row["ends"],
            "acknowledged": _acknowledged(row, sees_all=sees_all),
            "changed": row["changed_at"],
            "thing": {
                "id": row["thing_id"],
                "name": row["thing"],
                "names": names_of(row["thing_names"]),
                "tenant": row["tenant"],
                "device": row["device"],
                "timezone": row["timezone"],
            },
            "datastream": {
                "id": row["datastream_id"],
                "name": row["datastream"],
                "names": names_of(row["names"]),
                "property": row["property"],
            },
        }


def _acknowledged(row: Mapping[str, Any], *, sees_all: bool) -> dict[str, Any] | None:
    if row["acknowledged_at"] is None:
        return None
    who = {"by": row["acknowledged_by"], "note": row["note"]} if sees_all else {"by": None, "note": None}
    return {"at": row["acknowledged_at"], **who}


def asked_of(rules: Sequence[AlertRule]) -> str:
    """Give as JSON what the rules ask of a Datastream, as alert_watched.sql takes it."""
    return msgspec.json.encode(
        [{"name": r.name, "properties": r.properties, "conditions": r.where, "needs": _needs(r)} for r in rules]
    ).decode()


def _needs(rule: AlertRule) -> list[str]:
    reference: str | None = getattr(rule, "reference", None)
    return [*rule.needs, *([reference] if reference else []), *(["interval_s"] if rule.kind == "no_data" else [])]


def rules_answer(rules: Sequence[AlertRule], watched: Mapping[str, int], language: str) -> dict[str, Any]:
    """Give all rules; `watched` counts the Datastreams of each."""
    return {"rules": [_rule(rule, watched.get(rule.name, 0), language) for rule in rules]}


def _rule(rule: AlertRule, datastreams: int, language: str) -> dict[str, Any]:
    return {
        "name": rule.name,
        "version": rule.version,
        "kind": rule.kind,
        "title": rule.titles[language],
        "titles": rule.titles,
        "properties": rule.properties,
        "unit": rule.unit,
        "direction": rule.direction,
        "levels": [
            {
                "level": number,
                "name": level.name,
                "title": level.titles[language],
                "titles": level.titles,
                "limit": level.raise_at,
                "clear": level.raise_at if level.clear is None else level.clear,
            }
            for number, level in enumerate(rule.levels, 1)
        ],
        "least_level": rule.least_level,
        "valid_from": rule.valid_from,
        "valid_until": rule.valid_until,
        "datastreams": datastreams,
    }
