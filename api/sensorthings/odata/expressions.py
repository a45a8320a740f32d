"""Recursive descent over the expressions of `$filter` and `$orderby`.

Weakest first: or, and, not, comparison and in, add sub, mul div mod, sign, literal or path or call or parentheses.
"""

from __future__ import annotations

from collections.abc import Callable

from api.sensorthings.odata.cursor import Cursor
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.lexer import TokenKind
from api.sensorthings.odata.limits import Budget
from api.sensorthings.odata.literals import number, value_of
from api.sensorthings.odata.syntax import (
    Call,
    Expression,
    Lambda,
    Literal,
    LiteralKind,
    Logic,
    Membership,
    Operation,
    Path,
    Unary,
)

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_SUMS = frozenset({"add", "sub"})
_PRODUCTS = frozenset({"mul", "div", "mod"})
_OPERATORS = COMPARISONS | _SUMS | _PRODUCTS | {"and", "or", "not", "in"}
_CONSTANTS = {"true": LiteralKind.TRUE, "false": LiteralKind.FALSE, "null": LiteralKind.NULL}
_LITERALS = frozenset(
    {
        TokenKind.STRING,
        TokenKind.NUMBER,
        TokenKind.TIME,
        TokenKind.INTERVAL,
        TokenKind.DATE,
        TokenKind.CLOCK,
        TokenKind.DURATION,
        TokenKind.GEOMETRY,
    }
)
_LAMBDAS = ("/any", "/all")
_OPERAND = "a value, a property or a function"


class ExpressionParser:
    """Reads one expression from the cursor and leaves it behind its last token."""

    def __init__(self, cursor: Cursor, budget: Budget) -> None:
        self._cursor = cursor
        self._budget = budget
        self._variables: list[str] = []  # of the lambdas around, the innermost last

    def expression(self) -> Expression:
        """Read a whole expression."""
        with self._budget:
            return self._logic("or", lambda: self._logic("and", self._negation))

    def _logic(self, operator: str, operand: Callable[[], Expression]) -> Expression:
        position = self._cursor.position
        operands = [operand()]
        while self._cursor.word() == operator:
            self._cursor.take()
            operands.append(operand())
        if len(operands) == 1:
            return operands[0]
        self._budget.node()
        return Logic(operator=operator, operands=tuple(operands), position=position)

    def _negation(self) -> Expression:
        if self._cursor.word() != "not":
            return self._comparison()
        position = self._cursor.position
        self._cursor.take()
        self._budget.node()
        with self._budget:
            return Unary(operator="not", operand=self._negation(), position=position)

    def _comparison(self) -> Expression:
        position = self._cursor.position
        left = self._sum()
        word = self._cursor.word()
        if word == "in":
            return self._membership(left, position)
        if word not in COMPARISONS:
            return left
        self._cursor.take()
        right = self._sum()
        self._budget.node()
        return Operation(operator=word, left=left, right=right, position=position)

    def _membership(self, left: Expression, position: int) -> Expression:
        self._cursor.take()
        self._cursor.expect("(", "after 'in'")
        items = [self._sum()]
        while self._cursor.accept(","):
            items.append(self._sum())
        self._cursor.expect(")", "at the end of the list")
        self._budget.node()
        return Membership(left=left, items=tuple(items), position=position)

    def _sum(self) -> Expression:
        return self._chain(_SUMS, lambda: self._chain(_PRODUCTS, self._signed))

    def _chain(self, operators: frozenset[str], operand: Callable[[], Expression]) -> Expression:
        position = self._cursor.position
        left = operand()
        while self._cursor.word() in operators:
            operator = self._cursor.take().text.lower()
            right = operand()
            self._budget.node()
            left = Operation(operator=operator, left=left, right=right, position=position)
        return left

    def _signed(self) -> Expression:
        cursor = self._cursor
        if not cursor.sees("-"):
            return self._operand()
        position = cursor.position
        adjacent = cursor.following.kind is TokenKind.NUMBER
        cursor.take()
        if adjacent:
            return self._number(position)
        self._budget.node()
        with self._budget:
            return Unary(operator="-", operand=self._signed(), position=position)

    def _number(self, position: int) -> Literal:
        token = self._cursor.take()
        try:
            kind, texts = number("-" + token.text)
        except (ValueError, OverflowError) as error:
            raise MalformedQueryError(self._cursor.where, position, f"'-{token.text[:60]}' is not a number: {error}") from error
        self._budget.node()
        return Literal(kind=kind, slot=self._budget.slot(*texts), position=position)

    def _operand(self) -> Expression:
        cursor = self._cursor
        position = cursor.position
        if cursor.accept("("):
            inner = self.expression()
            cursor.expect(")", "to close the parenthesis of character " + str(position))
            return inner
        self._budget.node()
        if cursor.token.kind in _LITERALS:
            kind, texts = value_of(cursor.take(), cursor.where)
            return Literal(kind=kind, slot=self._budget.slot(*texts), position=position)
        word = cursor.word()
        if not word or word in _OPERATORS:
            raise cursor.unexpected(_OPERAND)
        if cursor.following.text == "(" and "/" not in word:
            return self._call(position)
        if word in _CONSTANTS:
            cursor.take()
            return Literal(kind=_CONSTANTS[word], slot=-1, position=position)
        if cursor.following.text == "(" and word.endswith(_LAMBDAS):
            return self._lambda(position)
        return self._path(position)

    def _path(self, position: int) -> Path:
        return Path(segments=self._own(tuple(self._cursor.take().text.split("/")), position), position=position)

    def _own(self, segments: tuple[str, ...], position: int) -> tuple[str, ...]:
        """Take the variable off a path within a lambda."""
        if not self._variables:
            return segments
        variable = self._variables[-1]
        if segments[0] != variable or len(segments) == 1:
            problem = f"here every property starts with {variable}/, as {variable}/name"
            raise MalformedQueryError(self._cursor.where, position, problem)
        return segments[1:]

    def _lambda(self, position: int) -> Lambda:
        cursor = self._cursor
        *segments, word = cursor.take().text.split("/")
        path = Path(segments=self._own(tuple(segments), position), position=position)
        cursor.take()
        condition: Expression | None = None
        every = word.lower() == "all"
        if every or not cursor.sees(")"):
            if cursor.token.kind is not TokenKind.NAME or not cursor.token.text.isidentifier():
                raise cursor.unexpected("a variable, as in any(d:d/name eq 'x')")
            self._variables.append(cursor.take().text)
            cursor.expect(":", "after the variable")
            condition = self.expression()
            self._variables.pop()
        cursor.expect(")", f"at the end of {word.lower()}")
        return Lambda(path=path, condition=condition, every=every, position=position)

    def _call(self, position: int) -> Expression:
        cursor = self._cursor
        name = cursor.take().text.lower()
        cursor.take()
        arguments: list[Expression] = []
        if not cursor.accept(")"):
            arguments.append(self.expression())
            while cursor.accept(","):
                arguments.append(self.expression())
            cursor.expect(")", f"at the end of {name}'s arguments")
        return Call(name=name, arguments=tuple(arguments), position=position)
