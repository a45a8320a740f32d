from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from streams.virtual.definition import Definition, Made, Part, compute, define, without_cycles
from streams.virtual.formula import FormulaError, parse

VALUES = {"a": Fraction(6), "b": Fraction(1, 4), "zero": Fraction(0)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b * 4", 7.0),
        ("(a + b) * 4", 25.0),
        ("-a - +b", -6.25),
        ("a / 96000", 6 / 96000),
        ("min(a, b, 3)", 0.25),
        ("max(a, b) - abs(-b)", 5.75),
        ("0.1 + 0.2", 0.3),
        (" 2 ", 2.0),
        ("a / zero", None),
        ("1e300 * 1e300", None),
    ],
)
def test_arithmetic_is_exact_until_the_end(text: str, value: float | None) -> None:
    assert parse(text).evaluate(VALUES) == value


def test_a_formula_knows_its_names() -> None:
    assert parse("a + min(b, 2) * a").names == {"a", "b"}


REFUSED = """
a +|a; b|a b|a.b|a[0]|a ** 2|a % 2|a // 2|a @ b|~a|not a|a < b|a and b|a if b else 1|lambda: 1|(a, b)|[a]|{a}|'a'|b'a'|True|None
(a := 1)|sum(a, b)|__import__('os')|min(a)|abs()|abs(a, b)|min(*a)|max(a, b, key=b)|a.real(1)|1e999|[a for a in b]|await a|...|1j
"""


@pytest.mark.parametrize("text", ["", "min(" * 300, "(" * 400, "1" * 1001, "é\x00", *REFUSED.strip().replace("\n", "|").split("|")])
def test_nothing_but_arithmetic_is_read(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)


def test_depth_does_not_end_the_process() -> None:
    with pytest.raises(FormulaError):
        parse("-" * 999 + "(")
    assert parse("a" + "+a" * 400).evaluate(VALUES) == 6 * 401


# ---------------------------------------------------------------- definitions


def define_two(**changes: object) -> Definition:
    declared: dict[str, object] = {
        "expression": "power / 10",
        "inputs": {"power": {"device": "park", "channel": "p"}},
        **changes,
    }
    known = {("default/park", "p"): 7, ("default/own", "p"): 6, ("other/park", "p"): 8}
    return define(declared, ("default", "own"), "Europe/Berlin", lambda device, channel: known.get((device, channel)))


def test_inputs_are_found_by_device_and_channel_tenant_or_id() -> None:
    assert define_two().inputs == {"power": (7, "mean")}
    assert define_two(inputs={"power": {"tenant": "other", "device": "park", "channel": "p", "of": "max"}}).inputs == {
        "power": (8, "max")
    }
    assert define_two(inputs={"power": {"channel": "p"}}).inputs == {"power": (6, "mean")}
    assert define_two(inputs={"power": {"datastream": 3}}).inputs == {"power": (3, "mean")}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"expression": "power +"}, "no arithmetic"),
        ({"expression": "power + x"}, "differ: x"),
        ({"expression": "1", "inputs": {}}, "no input"),
        ({"inputs": {"power": {}}}, "no Datastream of device default/own"),
        ({"inputs": {"power": {"datastream": 3, "of": "median"}}}, "median"),
        ({"inputs": 3}, "inputs"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(FormulaError, match=complaint):
        define_two(**changes)


def needing(*ids: int) -> Definition:
    return Definition(expression="x", span="hour", timezone="UTC", inputs={f"x{number}": (number, "mean") for number in ids})


def test_what_needs_itself_is_found_at_any_distance() -> None:
    definitions = {1: needing(2), 2: needing(3, 9), 3: needing(1), 4: needing(1, 5), 5: needing(6, 7), 6: needing(7), 8: needing(8)}
    assert without_cycles(definitions) == {4, 5, 6}


def computed(of: str, *parts: Part) -> Made | None:
    definition = Definition(expression="x", span="hour", timezone="UTC", inputs={"x": (7, of)})
    return compute(definition, definition.formula(), {7: parts})


GOOD = Part(1, 3, Decimal("0.6"), 0.1, 0.3)
BAD = Part(4, 1, Decimal(99), 99.0, 99.0)
TEXT = Part(1, 0, Decimal(0), None, None)


@pytest.mark.parametrize(("of", "value"), [("mean", 0.2), ("sum", 0.6), ("min", 0.1), ("max", 0.3), ("count", 3.0)])
def test_what_is_taken_of_an_inputs_numbers(of: str, value: float) -> None:
    assert computed(of, GOOD) == Made(value, 1)
    assert computed(of, GOOD, BAD) == Made(value, 4)


def test_the_flag_is_the_worst_and_missing_counts_as_suspect() -> None:
    assert computed("sum", GOOD, Part(9, 0, Decimal(0), None, None)) == Made(0.6, 3)
    assert computed("sum", GOOD, Part(2, 1, Decimal(1), 1.0, 1.0)) == Made(1.6, 2)
    assert computed("sum", GOOD, Part(3, 1, Decimal(1), 1.0, 1.0), BAD) == Made(1.6, 4)


def test_without_a_number_there_is_no_value() -> None:
    assert computed("count", TEXT) is None
    assert computed("sum", BAD) is None
    assert computed("sum") is None
    definition = Definition(expression="x / y", span="hour", timezone="UTC", inputs={"x": (7, "sum"), "y": (8, "sum")})
    assert compute(definition, definition.formula(), {7: [GOOD]}) is None
    assert compute(definition, definition.formula(), {7: [GOOD], 8: [Part(1, 1, Decimal(0), 0.0, 0.0)]}) is None
