"""The catalogue is complete in three languages and agrees with the units that the platform converts."""

from __future__ import annotations

import pytest

from devices import topics, units
from devices.catalogue import OBSERVATION_TYPES, THEMES, CatalogueError, as_observed_property, load_catalogue
from devices.places import LANGUAGES

CATALOGUE = load_catalogue()


def test_every_theme_of_the_region_has_properties():
    assert {entry.theme for entry in CATALOGUE.values()} == set(THEMES)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_an_entry_is_complete(entry):
    assert topics.is_name(entry.key)
    for texts in (entry.names, entry.descriptions, *entry.categories.values()):
        assert set(texts) == set(LANGUAGES)
        assert all(texts.values())
    assert entry.definition.startswith(("http://", "https://", "urn:"))
    assert entry.observation_type in OBSERVATION_TYPES.values()
    assert entry.interval_s > 0
    assert entry.decimals >= 0


@pytest.mark.parametrize("entry", [e for e in CATALOGUE.values() if e.unit], ids=lambda e: e.key)
def test_a_unit_is_known_to_the_platform(entry):
    assert units.is_known(entry.unit)
    assert units.canonical(entry.unit) == entry.unit
    assert all(entry.unit_of_measurement.values())


@pytest.mark.parametrize("entry", [e for e in CATALOGUE.values() if not e.unit], ids=lambda e: e.key)
def test_only_categories_and_truths_have_no_unit(entry):
    assert entry.type_name in ("Category", "Truth")
    assert entry.fail_span is None
    assert set(entry.unit_of_measurement.values()) == {None}


@pytest.mark.parametrize("entry", [e for e in CATALOGUE.values() if e.unit], ids=lambda e: e.key)
def test_the_suspect_span_lies_within_the_fail_span(entry):
    assert entry.fail_span[0] <= entry.suspect_span[0] < entry.suspect_span[1] <= entry.fail_span[1]


def test_the_spans_of_the_domain_reference_hold():
    assert CATALOGUE["air_temperature"].suspect_span == (-35, 45)
    assert CATALOGUE["pm2.5"].fail_span == (0, 1000)
    assert CATALOGUE["relative_humidity"].fail_span == (0, 100)


def test_an_observed_property_carries_key_unit_and_spans():
    entity = as_observed_property(CATALOGUE["pm2.5"])
    assert entity["name"] == "Fine particles PM2.5"
    assert entity["properties"]["key"] == "pm2.5"
    assert entity["properties"]["unit"] == "ug/m3"
    assert entity["properties"]["fail_span"] == [0, 1000]
    assert set(as_observed_property(CATALOGUE["charging_status"])["properties"]["categories"]) >= {"CHARGING", "UNKNOWN"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ('theme = "sport"', "theme"),
        ('type = "Guess"', "type"),
        ('names = { de = "a", da = "b" }', "texts"),
        ("fail_span = [1, 1]", "span"),
        ('unit = "furlong"', "unit"),
    ],
)
def test_a_contradiction_is_named(tmp_path, change, reason):
    good = {
        "theme": 'theme = "air"',
        "type": 'type = "Measurement"',
        "names": 'names = { de = "a", da = "b", en = "c" }',
        "fail_span": "fail_span = [0, 1]",
        "unit": 'unit = "%"',
    }
    good[change.split(" = ")[0]] = change
    rest = 'descriptions = { de = "a", da = "b", en = "c" }\ndefinition = "urn:x"\ndecimals = 0\ninterval_s = 1\nsymbol = "x"\n'
    path = tmp_path / "catalogue.toml"
    path.write_text("[thing]\n" + "\n".join(good.values()) + "\n" + rest)
    with pytest.raises(CatalogueError, match=f"thing.*{reason}"):
        load_catalogue(path)


def test_directions_go_around_the_circle_and_bus_occupancy_is_never_averaged():
    circular = {key for key, entry in CATALOGUE.items() if as_observed_property(entry)["properties"].get("circular")}
    assert circular == {key for key, entry in CATALOGUE.items() if entry.unit == "deg"} == {"heading", "wind_direction"}
    assert as_observed_property(CATALOGUE["occupancy"])["properties"]["averaged"] is False
    assert "averaged" not in as_observed_property(CATALOGUE["pm2.5"])["properties"]
