"""A place in the tokens of one query option."""

from __future__ import annotations

from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.lexer import Token, TokenKind, tokenize


class Cursor:
    """Tokens of the option `where`, read one after the other."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self._tokens = tokenize(text, where)
        self._at = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    @property
    def position(self) -> int:
        """Where it starts, counted from 1."""
        return self.token.start + 1

    @property
    def following(self) -> Token:
        """The token after the next."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    @property
    def consumed(self) -> int:
        """Where the last token that was taken ends."""
        return self._tokens[self._at - 1].end if self._at else 0

    def take(self) -> Token:
        """Take the next token."""
        token = self._tokens[self._at]
        self._at += token.kind is not TokenKind.END
        return token

    def sees(self, mark: str) -> bool:
        """Whether the mark comes next."""
        return self.token.kind is TokenKind.MARK and self.token.text == mark

    def accept(self, mark: str) -> bool:
        """Take the mark if it comes next."""
        seen = self.sees(mark)
        if seen:
            self.take()
        return seen

    def expect(self, mark: str, after: str) -> None:
        """Take the mark, which must come next."""
        if not self.accept(mark):
            raise self.unexpected(f"'{mark}' {after}")

    def word(self) -> str:
        """Give the next token in lower case if it is a name, else nothing: operators are words."""
        return self.token.text.lower() if self.token.kind is TokenKind.NAME else ""

    def expect_end(self, expected: str) -> None:
        """Refuse what is left over."""
        if self.token.kind is not TokenKind.END:
            raise self.unexpected(expected)

    def unexpected(self, expected: str) -> MalformedQueryError:
        """Make the error for the next token."""
        token = self.token
        found = "the end" if token.kind is TokenKind.END else repr(token.text[:60])
        return MalformedQueryError(self.where, self.position, f"expected {expected}, found {found}")
