"""Text of a query option → tokens with positions (OData 4 ABNF as far as 18-088 uses it)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from api.sensorthings.odata.errors import MalformedQueryError


class TokenKind(enum.Enum):
    """Kinds of tokens; the value is how an error message calls it."""

    STRING = "a string"
    DURATION = "a duration"
    GEOMETRY = "a geometry"
    INTERVAL = "a time interval"
    TIME = "a time"
    DATE = "a date"
    CLOCK = "a time of day"
    NUMBER = "a number"
    OPTION = "an option"
    NAME = "a name"
    MARK = "a mark"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, its text and where it starts (characters from 0) and ends."""

    kind: TokenKind
    text: str
    start: int
    end: int


# A plus that nobody escaped arrives as a space: 10:00:00 01:00 means +01:00.
_TIME = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[-+ ]\d\d:?\d\d)?"
_TOKENS = re.compile(
    rf"""
    (?P<SPACE>\s+)
  | (?P<DURATION>duration'[^']*')
  | (?P<GEOMETRY>geo(?:graphy|metry)'[^']*')
  | (?P<STRING>'(?:[^']|'')*')
  | (?P<INTERVAL>{_TIME}/{_TIME})
  | (?P<TIME>{_TIME})
  | (?P<DATE>\d{{4}}-\d\d-\d\d(?!\w))
  | (?P<CLOCK>\d\d:\d\d(?::\d\d(?:\.\d{{1,9}})?)?)
  | (?P<NUMBER>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\w))
  | (?P<OPTION>\$[A-Za-z]+)
  | (?P<NAME>[^\W\d][\w.]*(?:/[\w.@$~-]+)*|@[\w.]+)
  | (?P<MARK>[(),;=:*/-])
    """,
    re.VERBOSE | re.IGNORECASE,
)


def tokenize(text: str, where: str) -> list[Token]:
    """Cut the text of the option `where` into tokens; raises `MalformedQueryError` at what is none."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise MalformedQueryError(where, at + 1, _complaint(text, at))
        if match.lastgroup != "SPACE":
            tokens.append(Token(TokenKind[match.lastgroup or "MARK"], match.group(), at, match.end()))
        at = match.end()
    tokens.append(Token(TokenKind.END, "", at, at))
    return tokens


def _complaint(text: str, at: int) -> str:
    if text[at] == "'":
        return "this string has no closing quote"
    return f"{text[at]!r} starts nothing that is known here"
