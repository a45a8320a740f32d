from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import units
from devices.units import UnitError, converter

REGION = [
    "1", "%", "Cel", "K", "[degF]", "ug/m3", "mg/m3", "m", "cm", "mm", "km", "m/s", "km/h", "[kn_i]", "deg", "hPa", "Pa", "bar",
    "W", "kW", "MW", "kW.h", "MW.h", "J", "GJ", "W/m2", "dB", "dB[A]", "lx", "l/s", "m3/h", "m3/s", "[ppm]", "[ppb]", "min", "s",
    "{vehicle}", "{vehicle}/h", "{bicycle}/h", "{person}", "V", "A", "Hz", "mm/h", "[pH]", "mS/cm", "By", "kBy/s", "mol/l", "/min",
    "{EUR}/MW.h", "{CFU}/100.ml", "g/kW.h", "uSv/h", "J/cm2", "10*3/ul", "KiBy", "m{NHN}", "kg/m3", "V.A", "h",
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("mg/m3", "ug/m3", 0.1, 100.0),
        ("ug/m3", "mg/m3", 12.3, 0.0123),
        ("°C", "Cel", 21.5, 21.5),
        ("K", "Cel", 273.25, 0.1),
        ("Cel", "K", 0.1, 273.25),
        ("[degF]", "Cel", 72.5, 22.5),
        ("Cel", "[degF]", -40, -40.0),
        ("m/s", "km/h", 10, 36.0),
        ("[kn_i]", "m/s", 36, 18.52),
        ("kWh", "J", 0.3, 1_080_000.0),
        ("W.s", "kW.h", 3_600_000, 1.0),
        ("hPa", "Pa", 1013.25, 101_325.0),
        ("mbar", "hPa", 1013.25, 1013.25),
        ("%", "1", 45.6, 0.456),
        ("1", "%", 0.456, 45.6),
        ("µg/m³", "ug/m3", 7, 7),
        ("μg/m3", "mg/m3", 7, 0.007),
        ("{vehicle}/min", "{vehicle}/h", 2, 120.0),
        ("1", "{vehicle}", 5, 5),
        ("/h", "{vehicle}/h", 5, 5),
        ("l/s", "m3/h", 1, 3.6),
        ("m{NHN}", "cm", 1.23, 123.0),
        ("dB(A)", "dB[A]", 55.5, 55.5),
        ("KiBy", "By", 1, 1024.0),
        ("deg", "deg", 359.9, 359.9),
        ("[ppm]", "[ppb]", 0.4, 400.0),
        ("10*3/ul", "10*9/l", 1, 1.0),
        ("MW.h", "kW.h", 0.0007, 0.7),
        ("min", "s", 1.1, 66.0),
        ("d", "h", 1, 24.0),
    ],
)
def test_values_convert_exactly(source, target, value, expected):
    assert converter(source, target).convert(value) == expected


def test_the_same_unit_leaves_the_value_untouched():
    conversion = converter("Cel", "°C")
    assert conversion.identity
    assert conversion.convert(7) == 7
    assert type(conversion.convert(7)) is int


def test_factor_and_offset_are_there_as_floats():
    conversion = converter("Cel", "[degF]")
    assert (conversion.factor, conversion.offset) == (1.8, 32.0)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Cel", "%"),
        ("ug/m3", "[ppb]"),
        ("{vehicle}/h", "{bicycle}/h"),
        ("%", "{vehicle}"),
        ("{vehicle}", "%"),
        ("kW", "kW.h"),
        ("dB", "dB[A]"),
        ("m", "m2"),
        ("{vehicle}", "{vehicle}/h"),
        ("C", "Cel"),
    ],
)
def test_units_of_another_kind_are_wrong_units(source, target):
    with pytest.raises(UnitError) as caught:
        converter(source, target)
    assert caught.value.reason == "wrong_unit"


def test_the_coulomb_is_explained():
    with pytest.raises(UnitError, match="coulomb"):
        converter("C", "Cel")


@pytest.mark.parametrize(
    "code",
    [
        "foo",
        "Celsius",
        "kCel",
        "m//s",
        "m/",
        ".m",
        "m s",
        "kmin",
        "m0",
        "m99",
        "0",
        "{",
        "}",
        "m{",
        "Cel/h",
        "\0",
        "ug/m3;",
        "x" * 61,
        "k",
        "2m",
    ],
)
def test_what_is_no_ucum_code_is_an_unknown_unit(code):
    with pytest.raises(UnitError) as caught:
        converter(code, "m")
    assert caught.value.reason == "unknown_unit"
    assert not units.is_known(code)


def test_a_code_of_60_characters_is_the_longest():
    assert units.is_known(f"m{{{'x' * 57}}}")
    assert not units.is_known(f"m{{{'x' * 58}}}")


@pytest.mark.parametrize("code", REGION)
def test_the_codes_of_the_region_are_known(code):
    assert units.is_known(code)
    assert converter(code, code).identity


def test_a_value_that_leaves_the_range_of_numbers_is_refused():
    with pytest.raises(UnitError) as caught:
        converter("km", "nm").convert(1e308)
    assert caught.value.reason == "out_of_range"


def _convertible(pair):
    try:
        return converter(*pair) is not None
    except UnitError:
        return False


PAIRS = [(source, target) for source in REGION for target in REGION if _convertible((source, target))]


@given(st.sampled_from(PAIRS), st.floats(-1e9, 1e9))
def test_there_and_back_is_the_same_value(pair, value):
    source, target = pair
    again = converter(target, source).convert(converter(source, target).convert(value))
    assert again == pytest.approx(value, rel=1e-13, abs=1e-12)


def _known_or_unknown(code):
    try:
        return units.unit(code) is not None
    except UnitError as error:
        return error.reason == "unknown_unit"


@given(st.text(max_size=70) | st.text(alphabet="mkgs/.10*^{}[]%-Cel'", max_size=12))
def test_any_text_is_a_unit_or_unknown(code):
    assert _known_or_unknown(code)
