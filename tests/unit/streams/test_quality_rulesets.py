"""Rulesets: every one is sound, the inventory chooses, a Datastream overrides, and what is wrong is told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from devices.catalogue import load_catalogue
from devices.inventory import load_inventory
from streams.quality import rulesets
from streams.quality.rulesets import LATEST, RulesetError, rules_for, ruleset_names, versions

CATALOGUE = load_catalogue()
NAMED = {"vehicle_speed": "speed", "water_level_hourly": "water_level"}  # rulesets that a Datastream names itself


def water(**properties: Any) -> Any:
    return rules_for("water_level", "gauge", {"interval_s": 300, **properties})


def test_every_property_that_is_measured_has_a_ruleset_and_each_is_in_its_unit() -> None:
    measured = {channel.property.key for station in load_inventory().stations for channel in station.channels}
    assert measured <= ruleset_names(LATEST) <= set(CATALOGUE) | set(NAMED)
    for name in ruleset_names(LATEST):
        unit = CATALOGUE[NAMED.get(name, name)].unit
        assert rules_for(NAMED.get(name, name), None, {"ruleset": name, "interval_s": 300}, unit=unit or "1") is not None


def test_every_station_of_a_ruleset_and_every_ruleset_of_the_inventory_is_there() -> None:
    inventory = load_inventory()
    devices = {station.device for station in inventory.stations}
    for name in ruleset_names(LATEST):
        assert set(rulesets._ruleset(name, LATEST).get("station", {})) <= devices
    for station in inventory.stations:
        for channel in station.channels:
            given = {"interval_s": channel.interval_s, **channel.properties}
            unit = channel.property.unit or "1"
            assert rules_for(channel.property.key, station.device, given, timezone=station.timezone, unit=unit) is not None


def test_equal_arguments_give_the_same_rules() -> None:
    assert water(quality={"spike": {"sigma": 1}}) is water(quality={"spike": {"sigma": 1}})
    assert water() == rules_for("water_level", "gauge", {"interval_s": 300}, 1, timezone="Europe/Berlin", unit="m")


def test_a_property_without_a_ruleset_has_no_rules_and_none_switches_all_off() -> None:
    assert rules_for("moon_phase", None, {"interval_s": 300}) is None
    assert rules_for("water_level", None, {"ruleset": "none"}) is None
    off = dict.fromkeys(("timing_gap", "spike", "rate_of_change", "flat_line", "hampel", "duplicate"), False)
    assert rules_for("water_level", None, {"quality": off}) is None


def test_rules_may_stand_in_the_datastream_alone() -> None:
    rules = rules_for("moon_phase", None, {"quality": {"duplicate": True}})
    assert rules is not None
    assert rules.in_context == ("duplicate",)


def test_a_datastream_overrides_parameters_and_keeps_the_others() -> None:
    plain, own = water(), water(quality={"spike": {"suspect": 0.2}, "flat_line": {"tolerance": 0.01}, "hampel": False})
    assert (own.spike.suspect, own.spike.fail) == (0.2, plain.spike.fail)
    assert (own.flat_line.tolerance, own.flat_line.suspect_s) == (0.01, plain.flat_line.suspect_s)
    assert (plain.hampel is None, own.hampel) == (False, None)


def test_a_sigma_of_a_later_layer_replaces_both_bounds_of_an_earlier_one() -> None:
    own = water(quality={"spike": {"sigma": 1.5}})
    assert (own.spike.suspect, own.spike.fail) == (4.5, 9.0)


def test_a_station_has_its_own_bounds() -> None:
    assert rules_for("wind_power", "wind-ellhoeft", {}) != rules_for("wind_power", "wind-lindewitt", {})
    assert rules_for("wind_power", "elsewhere", {}) == rules_for("wind_power", None, {})


def test_the_interval_gives_gaps_slack_and_the_fewest_values() -> None:
    known, unknown = water(), rules_for("water_level", None, {})
    assert (known.timing_gap.suspect_s, known.timing_gap.fail_s, known.spike.within_s) == (600, 1800, 1800)
    assert (known.flat_line.slack_s, known.flat_line.least) == (600, 18)
    assert (unknown.timing_gap, unknown.flat_line.slack_s, unknown.flat_line.least) == (None, 1800, 3)
    assert math.isnan(unknown.spike.within_s)
    assert water(quality={"timing_gap": {"suspect_s": 90}}).timing_gap.suspect_s == 90


def test_every_test_can_be_set_in_a_datastream() -> None:
    months: list[Any] = [0, *[[float(hour) for hour in range(24)]] * 10, []]
    own = {
        "mandatory": ["gross_range", "syntax", "spike"],
        "timing_gap": {"suspect_intervals": 3, "fail_intervals": 4, "pause": [23.5, 5]},
        "climatology": {"low": months, "high": [99] * 12},
        "spike": {"suspect": 1, "fail": 2, "within_intervals": 2, "modulus": 360},
        "rate_of_change": {"suspect_per_h": 3.6, "fail_per_h": 7.2, "least_s": 5, "modulus": 360},
        "flat_line": {
            "suspect_h": 1,
            "fail_h": 2,
            "tolerance": 0.1,
            "slack_h": 0.5,
            "least": 5,
            "exclude_to": 0,
            "exclude_from": 9,
        },
        "attenuated_signal": {"window_h": 2, "suspect": 1, "fail": 0.5},
        "hampel": {"readings": 9, "suspect": 4, "fail": 8, "floor": 1},
        "neighbour": {"suspect": 5, "fail": 9, "radius_km": 3, "within_s": 600, "least": 2},
        "counter_reset": {"tolerance": 1, "rollover": 100},
        "duplicate": False,
    }
    rules = rules_for("moon_phase", None, {"interval_s": 60, "quality": own}, timezone="Europe/Copenhagen")
    assert rules is not None
    assert rules.mandatory == ("syntax", "gross_range", "spike")
    gap, band, rate, still, near = rules.timing_gap, rules.climatology, rules.rate_of_change, rules.flat_line, rules.neighbour
    assert (gap.suspect_s, gap.fail_s, gap.pause_begin_h, gap.pause_end_h, gap.timezone) == (180, 240, 23.5, 5, "Europe/Copenhagen")
    assert (len(band.low), band.low[0], band.low[24 + 7], math.isnan(band.low[-1])) == (288, 0, 7, True)
    assert (rate.suspect_per_s, rate.fail_per_s) == (0.001, 0.002)
    assert (still.suspect_s, still.fail_s, still.slack_s, still.least, still.exclude_from) == (3600, 7200, 1800, 5, 9)
    assert (near.radius_m, near.within_s, near.least) == (3000, 600, 2)


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"ruleset": "tides"}, "no ruleset 'tides' in version 1"),
        ({"ruleset": 7}, "no ruleset 7"),
        ({"interval_s": 0}, "interval_s must be a number of more than 0"),
        ({"interval_s": "5 min"}, "interval_s must be"),
        ({"interval_s": True}, "interval_s must be"),
        ({"quality": [1]}, "properties.quality must be an object"),
        ({"quality": {"spikes": {}}}, "there is no test 'spikes'; there are attenuated_signal, "),
        ({"quality": {"spike": {"sgima": 1}}}, "spike has no parameter 'sgima'; it takes fail, modulus, sigma, "),
        ({"quality": {"spike": 3}}, "spike must be a table of parameters or false, not 3"),
        ({"quality": {"spike": {"suspect": "3"}}}, "spike.suspect must be a finite number, not '3'"),
        ({"quality": {"spike": {"suspect": True}}}, "must be a finite number"),
        ({"quality": {"spike": {"suspect": float("inf")}}}, "must be a finite number"),
        ({"quality": {"spike": {"suspect": 0}}}, "must be more than 0"),
        ({"quality": {"spike": {"suspect": 3, "fail": 2.9}}}, "fail must be a severer bound than suspect, not 2.9 beside 3"),
        ({"quality": {"attenuated_signal": {"suspect": 1, "fail": 1.1}}}, "fail must be a severer bound"),
        ({"quality": {"timing_gap": {"suspect_s": 9, "fail_s": 8}}}, "fail must be a severer bound"),
        ({"quality": {"flat_line": {"tolerance": -0.1}}}, "must not be negative"),
        ({"quality": {"flat_line": {"suspect_h": 7, "fail_h": 6}}}, "fail must be a severer bound"),
        ({"quality": {"hampel": {"readings": 0}}}, "must be a whole number of 1 to 99"),
        ({"quality": {"hampel": {"readings": 100}}}, "must be a whole number of 1 to 99"),
        ({"quality": {"hampel": {"readings": 5.0}}}, "must be a whole number of 1 to 99"),
        ({"quality": {"duplicate": 1}}, "duplicate must be true or false"),
        ({"quality": {"mandatory": "syntax"}}, "mandatory must be a list of tests"),
        ({"quality": {"mandatory": ["syntaxx"]}}, "mandatory must be a list of tests"),
        ({"quality": {"neighbour": {"fail": 3}}}, None),
        ({"quality": {"climatology": {"low": [1] * 12}}}, "climatology needs 'high'"),
        ({"quality": {"climatology": {"low": [1] * 11, "high": [1] * 12}}}, "must be a list of 12 months"),
        ({"quality": {"climatology": {"low": 1, "high": [1] * 12}}}, "must be a list of 12 months"),
        ({"quality": {"climatology": {"low": [[1, 2]] * 12, "high": [1] * 12}}}, "a month must be a number, 24 numbers or"),
        ({"quality": {"timing_gap": {"pause": [23]}}}, "must be two local hours"),
        ({"quality": {"timing_gap": {"pause": 23}}}, "must be two local hours"),
        ({"quality": {"timing_gap": {"pause": [23, 24]}}}, "must be two different local hours of 0 to 24"),
        ({"quality": {"timing_gap": {"pause": [5, 5]}}}, "must be two different local hours of 0 to 24"),
    ],
)
def test_what_a_datastream_sets_wrongly_is_told(properties: dict[str, Any], told: str | None) -> None:
    with pytest.raises(RulesetError) as error:
        rules_for("water_level", "gauge", properties)
    assert (told or "neighbour needs 'suspect'") in str(error.value)


def test_a_ruleset_in_another_unit_a_version_and_a_zone_that_are_not_there_are_told() -> None:
    with pytest.raises(RulesetError, match="ruleset water_level is in 'm', the Datastream in 'cm'"):
        rules_for("water_level", None, {}, unit="cm")
    with pytest.raises(RulesetError, match="there is no version 99 of the rulesets; there are 1"):
        rules_for("water_level", None, {}, 99)
    for zone in ("Europe/Flensborg", "../etc", ""):
        with pytest.raises(RulesetError, match="there is no time zone"):
            rules_for("water_level", None, {}, timezone=zone)
    assert versions() == (1,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("spike = [", "broken.toml: "),
        ('unit = "m"\n[station.x.spike]\nsgima = 1', "broken.toml, station x: spike has no parameter"),
    ],
)
def test_a_file_that_can_not_be_used_is_told(text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "broken.toml").write_text(text)
    monkeypatch.setattr(rulesets, "FOLDER", tmp_path)
    remembered = (rulesets.versions, rulesets.ruleset_names)
    for function in remembered:
        function.cache_clear()
    with pytest.raises(RulesetError, match=told):
        rules_for("broken", None, {}, 7)
    for function in remembered:
        function.cache_clear()
