"""The option `$apply` (OData Extension for Data Aggregation 4.0): `filter(…)/groupby((…),aggregate(…))/filter(…)`."""

from __future__ import annotations

from api.sensorthings.odata.cursor import Cursor
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.expressions import ExpressionParser
from api.sensorthings.odata.lexer import TokenKind
from api.sensorthings.odata.limits import Budget
from api.sensorthings.odata.syntax import Aggregated, Apply, Expression, Logic, Path

METHODS = ("average", "min", "max", "sum")
_TRANSFORMATIONS = "filter(…), groupby((…),aggregate(…)) or aggregate(…)"


class ApplyParser:
    """Reads transformations from the cursor and leaves it behind the last one."""

    def __init__(self, cursor: Cursor, budget: Budget) -> None:
        self._cursor = cursor
        self._budget = budget

    def apply(self) -> Apply:
        """Read the whole option."""
        before: list[Expression] = []
        while self._cursor.word() == "filter":
            before.append(self._filter())
            if not self._cursor.accept("/"):
                raise self._cursor.unexpected("'/' and groupby((…),aggregate(…)) or aggregate(…)")
        groups, aggregates = self._groups()
        self._check(aggregates)
        behind: list[Expression] = []
        while self._cursor.accept("/"):
            if self._cursor.word() != "filter":
                raise self._cursor.unexpected("filter(…): nothing else follows groupby or aggregate here")
            behind.append(self._filter())
        return Apply(filter=_both(before), groups=groups, aggregates=aggregates, having=_both(behind))

    def _filter(self) -> Expression:
        self._open("filter")
        condition = ExpressionParser(self._cursor, self._budget).expression()
        self._close("filter")
        return condition

    def _groups(self) -> tuple[tuple[Path, ...], tuple[Aggregated, ...]]:
        match self._cursor.word():
            case "groupby":
                self._open("groupby")
                self._cursor.expect("(", "before the properties to group by")
                groups = self._paths()
                self._cursor.expect(")", "after the properties to group by")
                aggregates = self._aggregate() if self._cursor.accept(",") else ()
                self._close("groupby")
                return groups, aggregates
            case "aggregate":
                return (), self._aggregate()
            case _:
                raise self._cursor.unexpected(_TRANSFORMATIONS)

    def _paths(self) -> tuple[Path, ...]:
        paths = [self._path()]
        while self._cursor.accept(","):
            paths.append(self._path())
        return tuple(paths)

    def _path(self) -> Path:
        if self._cursor.token.kind is not TokenKind.NAME:
            raise self._cursor.unexpected("a property's name")
        self._budget.node()
        position = self._cursor.position
        return Path(segments=tuple(self._cursor.take().text.split("/")), position=position)

    def _aggregate(self) -> tuple[Aggregated, ...]:
        if self._cursor.word() != "aggregate":
            raise self._cursor.unexpected("aggregate(…)")
        self._open("aggregate")
        aggregates = [self._aggregated()]
        while self._cursor.accept(","):
            aggregates.append(self._aggregated())
        self._close("aggregate")
        return tuple(aggregates)

    def _aggregated(self) -> Aggregated:
        position = self._cursor.position
        if self._cursor.token.kind is TokenKind.OPTION and self._cursor.token.text.lower() == "$count":
            self._cursor.take()
            self._budget.node()
            return Aggregated(path=None, method="$count", alias=self._alias(), position=position)
        path = self._path()
        self._keyword("with")
        method = self._cursor.word()
        if method not in METHODS:
            raise self._cursor.unexpected(f"one of {', '.join(METHODS)}")
        self._cursor.take()
        return Aggregated(path=path, method=method, alias=self._alias(), position=position)

    def _alias(self) -> str:
        self._keyword("as")
        token = self._cursor.token
        if token.kind is not TokenKind.NAME or not token.text.isidentifier():
            raise self._cursor.unexpected("a name for the result")
        return self._cursor.take().text

    def _keyword(self, word: str) -> None:
        if self._cursor.word() != word:
            raise self._cursor.unexpected(f"'{word}'")
        self._cursor.take()

    def _open(self, name: str) -> None:
        self._budget.node()
        self._cursor.take()
        self._cursor.expect("(", f"after {name}")

    def _close(self, name: str) -> None:
        self._cursor.expect(")", f"at the end of {name}")

    def _check(self, aggregates: tuple[Aggregated, ...]) -> None:
        seen: set[str] = set()
        for aggregated in aggregates:
            if aggregated.alias in seen:
                raise MalformedQueryError(
                    self._cursor.where, aggregated.position, f"there are two results called {aggregated.alias}"
                )
            seen.add(aggregated.alias)


def _both(conditions: list[Expression]) -> Expression | None:
    """Give one condition for several filters one after the other."""
    if len(conditions) > 1:
        return Logic(operator="and", operands=tuple(conditions), position=conditions[0].position)
    return next(iter(conditions), None)
