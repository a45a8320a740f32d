"""Concatenation of text in SQL: neighbouring constants are one constant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Composable

_FEW = 3


@dataclass(frozen=True, slots=True)
class Text:
    """Parts of a text: constants and SQL expressions of type text."""

    parts: tuple[str | Composable, ...]

    def compose(self) -> Composable:
        """Give one SQL expression."""
        pieces: list[str | Composable] = []
        for part in self.parts:
            if isinstance(part, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += part
            else:
                pieces.append(part)
        if not pieces:
            return sql.SQL("''")
        # Constants are names and links of the wire and the configured URL, never a value of a request.
        terms = [sql.Literal(piece) if isinstance(piece, str) else piece for piece in pieces]
        return sql.SQL("({})").format(_balanced(terms))


def _balanced(terms: list[Composable]) -> Composable:
    """Join halves: from left to right, each concatenation would copy all that was joined before."""
    if len(terms) <= _FEW:
        return sql.SQL(" || ").join(terms)
    middle = len(terms) // 2
    return sql.SQL("({}) || ({})").format(_balanced(terms[:middle]), _balanced(terms[middle:]))


def text(*parts: str | Composable | Text) -> Text:
    """Make a text of parts."""
    flat: list[str | Composable] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Text) else (part,))
    return Text(tuple(part for part in flat if part != ""))


def total(texts: Iterable[Text]) -> Text:
    """Append many."""
    return text(*texts)


def or_nothing(optional: Text) -> Composable:
    """Give the text, or none at all where a part of it is NULL."""
    return sql.SQL("coalesce({}, '')").format(optional.compose())
