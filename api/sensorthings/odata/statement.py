"""A compiled statement and its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import sql
from psycopg.abc import AdaptContext
from psycopg.sql import Composable

from api.sensorthings.wire.text import Brief, Marks, Spelled, Words

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEQUENCE_BITS = 37  # an Observation's id is day · 2^37 + sequence (infra/migrations/0002)
_LAST_DAY = (datetime(2149, 1, 1, tzinfo=UTC) - _EPOCH).days


@dataclass(frozen=True, slots=True)
class DayOf:
    """The day that the id in `slot` carries, `after` days later.

    Day 0 bounds nothing: it also stands for times outside of 1970-2149.
    """

    slot: int
    after: int

    def text(self, values: tuple[str, ...]) -> str:
        """Give the instant as PostgreSQL reads it."""
        day = int(values[self.slot]) >> _SEQUENCE_BITS
        if not 0 < day < _LAST_DAY:
            return "infinity" if self.after else "-infinity"
        return (_EPOCH + timedelta(days=day + self.after)).isoformat()


Source = int | str | DayOf  # a slot of the request, a constant of its shape, or derived from a slot


@dataclass(frozen=True, slots=True)
class Parameter(sql.Composable):
    """A value to be bound. `rendered` numbers it: one number for each source, and only for those that the statement uses."""

    source: Source

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Refuse: a parameter has no text of its own."""
        raise NotImplementedError(f"{self} outside of `rendered`, {context}")


def rendered(query: Composable) -> tuple[bytes, tuple[Source, ...], tuple[tuple[bytes, bytes], ...]]:
    """Give a query with `$n` of PostgreSQL's own protocol, where its values come from, and the marks in its brief texts."""
    numbers: dict[Source, int] = {}
    marks = Marks()
    return _rendered(query, numbers, marks, brief=False), tuple(numbers), marks.all()


def _rendered(part: Composable, numbers: dict[Source, int], marks: Marks, *, brief: bool) -> bytes:
    match part:
        case Parameter(source=source):
            return b"$%d" % numbers.setdefault(source, len(numbers) + 1)
        case sql.Composed():
            return b"".join([_rendered(inner, numbers, marks, brief=brief) for inner in part])
        case Brief(text=text):
            return _rendered(text, numbers, marks, brief=True)
        case Spelled(text=text):
            return _rendered(text, numbers, marks, brief=False)
        case Words() if brief:
            return marks.words(part).as_bytes()
        case _:
            return part.as_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL statement that answers all requests of one shape with one row of one text, or no row: nothing is there.

    `media` is its type, `header` what comes first. A statement with a `token` gives, behind the text, where it goes on: its
    answer is long and is asked for in pieces. With `excess` the answer has three pieces, of which the second is brief, with
    `marks`, and behind them stands something if its last row is not part of the answer. `bounded`: by the day in an id; an
    Observation that was moved to another day is only found without that bound.
    """

    query: bytes
    sources: tuple[Source, ...]
    media: str
    bounded: bool
    header: bytes = b""
    token: bool = False
    excess: bool = False
    marks: tuple[tuple[bytes, bytes], ...] = ()

    def whole(self, items: bytes) -> bytes:
        """Put the constants back for which marks stand."""
        for mark, words in self.marks:
            items = items.replace(mark, words)
        return items

    def bind(self, values: tuple[str, ...]) -> list[bytes]:
        """Give the parameters for the values of a request's slots."""
        texts = [values[s] if isinstance(s, int) else s if isinstance(s, str) else s.text(values) for s in self.sources]
        return [text.encode() for text in texts]
