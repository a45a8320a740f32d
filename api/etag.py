"""Entity tags of what a client was shown (RFC 9110, 8.8.3), and the conditions that it makes of them."""

from __future__ import annotations

import zlib

from api.errors import PreconditionError


def etag_of(body: bytes) -> str:
    """Give the tag of an answer: equal bodies have equal tags."""
    return f'"{zlib.crc32(body):08x}{len(body):x}"'


def matches(header: str, tag: str) -> bool:
    """Tell whether `If-Match` or `If-None-Match` names this tag; `*` names any."""
    named = {part.strip().removeprefix("W/") for part in header.split(",")}
    return "*" in named or tag in named


def check_if_match(header: str | None, body: bytes) -> None:
    """Raise `PreconditionError` where a client means another state of the entity than `body`."""
    if header is not None and not matches(header, etag_of(body)):
        raise PreconditionError("the entity is not as If-Match says: read it again")
