"""Concatenation of text in SQL: neighbouring constants are one constant.

A page repeats its constants in every row. Within `Brief` a long one is a mark of one byte that stands for it, which whoever sends
the text puts back: to copy and send less costs the database more than that. The marks are control characters, which JSON has
only as escapes, so nothing else in a text of JSON is taken for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql
from psycopg.abc import AdaptContext
from psycopg.sql import Composable

_FEW = 3
_LONG = 20  # characters of a constant that is worth a mark: to put it back takes a pass over the page
_CODES = bytes([*range(1, 9), 11, 12, *range(14, 30)])  # not what JSON has between its values
SEPARATOR = b"\x1e"


@dataclass(frozen=True, slots=True)
class Words(sql.Composable):
    """A constant of the wire."""

    text: str

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Give it as a literal."""
        return sql.Literal(self.text).as_bytes(context)


@dataclass(frozen=True, slots=True)
class Brief(sql.Composable):
    """A text of JSON in which marks stand for constants."""

    text: Composable

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Refuse: who renders it has to know the marks."""
        raise NotImplementedError(f"{self} outside of a statement, {context}")


@dataclass(frozen=True, slots=True)
class Spelled(sql.Composable):
    """A part of a brief text in which constants stand as they are."""

    text: Composable

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Give it in SQL."""
        return self.text.as_bytes(context)


class Marks:
    """The marks of one statement."""

    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def words(self, words: Words) -> Composable:
        """Give what stands for a constant: itself where it is short or there are no marks left."""
        if words.text not in self._codes:
            if len(words.text) < _LONG or len(self._codes) == len(_CODES):
                return words
            self._codes[words.text] = _CODES[len(self._codes) :][:1]
        return sql.Literal(self._codes[words.text].decode())

    def all(self) -> tuple[tuple[bytes, bytes], ...]:
        """Give what is to be replaced by what, in this order."""
        # The longest last: until then each pass copies less.
        codes = sorted(((code, words.encode()) for words, code in self._codes.items()), key=lambda pair: len(pair[1]))
        return ((SEPARATOR, b","), *codes)


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
        terms = [Words(piece) if isinstance(piece, str) else piece for piece in pieces]
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
    return Text(tuple(part for part in flat if not isinstance(part, str) or part))


def total(texts: Iterable[Text]) -> Text:
    """Append many."""
    return text(*texts)


def or_nothing(optional: Text) -> Composable:
    """Give the text, or none at all where a part of it is NULL."""
    return sql.SQL("coalesce({}, '')").format(optional.compose())
