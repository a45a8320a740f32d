"""The arithmetic of virtual Datastreams: + - * /, parentheses, min, max and abs over names and numbers; exact, and no code is run.

Python's own parser reads the text; what of its tree is not named here is refused.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

import msgspec

LONGEST = 1_000
Values = Mapping[str, Fraction]
Evaluate = Callable[[Values], Fraction]

_BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_UNARY: dict[type[ast.unaryop], Callable[[Fraction], Fraction]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS: dict[str, tuple[Callable[..., Fraction], int, int]] = {  # with the least and the greatest number of arguments
    "min": (min, 2, 100),
    "max": (max, 2, 100),
    "abs": (Fraction.__abs__, 1, 1),
}


class FormulaError(ValueError):
    """The formula can't be read; the message names the place and is safe to show."""


class Formula(msgspec.Struct, frozen=True, kw_only=True):
    """A read formula and the names that it needs."""

    names: frozenset[str]
    apply: Evaluate

    def evaluate(self, values: Values) -> float | None:
        """Compute with a value for each name; None where that divides by zero or is too large for a double."""
        try:
            return float(self.apply(values))
        except (ZeroDivisionError, OverflowError):
            return None


def parse(text: str) -> Formula:
    """Read a formula; raises `FormulaError`."""
    if len(text) > LONGEST:
        raise FormulaError(f"longer than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        names: set[str] = set()
        apply = _read(tree.body, names)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise error if isinstance(error, FormulaError) else FormulaError("no arithmetic expression") from error
    return Formula(names=frozenset(names), apply=apply)


def _read(node: ast.expr, names: set[str]) -> Evaluate:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value):
            number = Fraction(Decimal(repr(value)))
            return lambda _: number
        case ast.Name(id=name):
            names.add(name)
            return lambda values: values[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            sign, inner = _UNARY[type(op)], _read(operand, names)
            return lambda values: sign(inner(values))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            combine, one, other = _BINARY[type(op)], _read(left, names), _read(right, names)
            return lambda values: combine(one(values), other(values))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _call(name, [_read(arg, names) for arg in args], node)
        case _:
            pass
    raise FormulaError(f"not allowed at character {node.col_offset + 1}: + - * / ( ) min max abs, names and numbers")


def _call(name: str, arguments: list[Evaluate], node: ast.expr) -> Evaluate:
    function, least, most = _FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        raise FormulaError(f"{name} at character {node.col_offset + 1} has {len(arguments)} arguments")
    return lambda values: function(*(argument(values) for argument in arguments))
