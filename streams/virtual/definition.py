"""What `Datastream.properties.formula` declares, with its inputs found; and what becomes of their readings in one bucket."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import msgspec

from streams.virtual.formula import Formula, FormulaError, parse

GOOD, SUSPECT, FAIL, MISSING = 1, 3, 4, 9


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input: `datastream` by its id, or `channel` of `device`, the Thing's own by default; `of` its numbers in the bucket."""

    datastream: int | None = None
    device: str | None = None
    channel: str | None = None
    tenant: str | None = None
    of: Literal["mean", "sum", "min", "max", "count"] = "mean"


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The object that `properties.formula` is."""

    expression: str
    inputs: dict[str, Input]
    span: Literal["quarter_hour", "hour", "day"] = "hour"


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A formula that can be computed: inputs by name, each the id of a Datastream and what of its numbers is taken."""

    expression: str
    span: str
    timezone: str
    inputs: dict[str, tuple[int, str]]

    def formula(self) -> Formula:
        """Read the expression again."""
        return parse(self.expression)


class Part(NamedTuple):
    """Readings of one flag of an input in a bucket: how many numbers, their exact sum, least and greatest."""

    flag: int
    numbers: int
    sum: Decimal
    min: float | None
    max: float | None


class Made(NamedTuple):
    """An Observation of the virtual Datastream."""

    number: float
    flag: int


Find = Callable[[str, str], int | None]  # (device as tenant/name, channel) → id of a Datastream


def define(declared: Any, owner: tuple[str, str | None], timezone: str, find: Find) -> Definition:
    """Check the declaration of an owner (tenant, device) and find its inputs; raises `FormulaError` with what is wrong."""
    try:
        given = msgspec.convert(declared, Declared)
    except msgspec.ValidationError as error:
        raise FormulaError(str(error)) from error
    names = parse(given.expression).names
    if names != given.inputs.keys():
        raise FormulaError(f"names in the expression and inputs differ: {', '.join(sorted(names ^ given.inputs.keys()))}")
    if not names:
        raise FormulaError("no input")
    inputs = {name: (_found(name, one, owner, find), one.of) for name, one in sorted(given.inputs.items())}
    return Definition(expression=given.expression, span=given.span, timezone=timezone, inputs=inputs)


def _found(name: str, one: Input, owner: tuple[str, str | None], find: Find) -> int:
    if one.datastream is not None:
        return one.datastream
    device = f"{one.tenant or owner[0]}/{one.device or owner[1]}"
    found = find(device, one.channel or "")
    if found is None:
        raise FormulaError(f"input {name}: no Datastream of device {device} and channel {one.channel}")
    return found


def without_cycles(definitions: Mapping[int, Definition]) -> set[int]:
    """Give the Datastreams that don't need themselves, directly or through others."""
    return {number for number in definitions if not _reaches(number, number, definitions, set())}


def _reaches(start: int, goal: int, definitions: Mapping[int, Definition], seen: set[int]) -> bool:
    for needed, _ in definitions[start].inputs.values() if start in definitions else ():
        if needed == goal:
            return True
        if needed not in seen:
            seen.add(needed)
            if _reaches(needed, goal, definitions, seen):
                return True
    return False


def compute(definition: Definition, formula: Formula, parts: Mapping[int, Collection[Part]]) -> Made | None:
    """Make the value of one bucket of the inputs' readings by id; None where an input has no number, or there is no value.

    Readings that failed (flag 4) and missing ones are left out of the value and seen in the flag, which is the worst of the
    inputs'; a missing reading counts as suspect.
    """
    values: dict[str, Fraction] = {}
    worst = GOOD
    for name, (number, of) in definition.inputs.items():
        there = parts.get(number, ())
        value = _value(of, [part for part in there if part.flag not in {FAIL, MISSING}])
        if value is None:
            return None
        values[name] = value
        worst = max(worst, *(SUSPECT if part.flag == MISSING else part.flag for part in there))
    result = formula.evaluate(values)
    return None if result is None else Made(number=result, flag=worst)


def _value(of: str, parts: Collection[Part]) -> Fraction | None:
    numbers = sum(part.numbers for part in parts)
    if not numbers:
        return None
    total = Fraction(sum((part.sum for part in parts), Decimal(0)))
    least = [part.min for part in parts if part.min is not None]
    greatest = [part.max for part in parts if part.max is not None]
    exact: dict[str, Callable[[], Fraction]] = {
        "mean": lambda: total / numbers,
        "sum": lambda: total,
        "count": lambda: Fraction(numbers),
        "min": lambda: Fraction(Decimal(repr(min(least)))),
        "max": lambda: Fraction(Decimal(repr(max(greatest)))),
    }
    return exact[of]()
