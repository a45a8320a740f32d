"""Parts of a multipart/mixed body (RFC 2046, 5.1); lines may end without a carriage return."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from api.errors import InvalidEntityError

_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;]{1,70}))', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Headers by their name in lower case, and what follows them."""

    headers: Mapping[str, str]
    body: bytes


def boundary_of(media_type: str) -> str:
    """Give the boundary that a Content-Type names; raises `InvalidEntityError`."""
    found = _BOUNDARY.search(media_type)
    if found is None:
        raise InvalidEntityError("Content-Type names no boundary")
    return found[1] or found[2]


def read_parts(raw: bytes, boundary: str) -> list[Part]:
    """Take a body apart; raises `InvalidEntityError` where it has no parts."""
    mark = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode("latin-1", "replace")) + rb"(--)?[ \t]*(?=\r?\n|$)")
    marks = list(mark.finditer(raw))
    if not marks or marks[-1][1] is None:
        raise InvalidEntityError(f"the body does not end with --{boundary}--")
    return [_part(raw[here.end() : after.start()]) for here, after in pairwise(marks)]


def _part(raw: bytes) -> Part:
    # The line end of the boundary comes first: a part without headers begins with an empty line.
    text = re.sub(rb"^\r?\n", b"", raw, count=1)
    found = re.search(rb"(?:^|\r?\n)\r?\n", text)
    head, body = (text[: found.start()], text[found.end() :]) if found else (text, b"")
    lines = head.decode("utf-8", "replace").splitlines()
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Part(headers=headers, body=body)
