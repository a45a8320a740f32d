"""Limits that hold for every request before any route sees it: path, query and body.

The body's limit is enforced while it streams in, so a chunked body without Content-Length can't get past it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, BodyTooLargeError, InvalidRequestError, QueryTooLongError, respond

_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PATH_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class Limits:
    """ASGI middleware: `query_bytes` is the longest query, `body_bytes` the largest body."""

    app: ASGIApp
    query_bytes: int
    body_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with the limit that it breaks."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._check(scope)
        except ApiError as error:
            await respond(error)(scope, receive, send)
            return
        await self.app(scope, self._limit(receive), send)

    def _check(self, scope: Scope) -> None:
        path: bytes = scope.get("raw_path") or str(scope["path"]).encode()
        if len(path) > _PATH_BYTES:
            raise QueryTooLongError(f"the path is longer than {_PATH_BYTES} bytes")
        query: bytes = scope["query_string"]
        if len(query) > self.query_bytes:
            raise QueryTooLongError(f"the query is longer than {self.query_bytes} bytes")
        check_text(path, where="path")
        check_text(query, where="query")
        length = _content_length(scope)
        if length is not None and length > self.body_bytes:
            raise _too_large(self.body_bytes)

    def _limit(self, receive: Receive) -> Receive:
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > self.body_bytes:
                    raise _too_large(self.body_bytes)
            return message

        return limited


def check_text(raw: bytes, *, where: str) -> None:
    """Refuse broken percent encodings, bytes that are no UTF-8, and NUL; raises `InvalidRequestError`."""
    if b"%" not in raw and raw.isascii():
        return
    broken = _BROKEN_PERCENT.search(raw)
    if broken is not None:
        raise InvalidRequestError(f"broken percent encoding in the {where}", position=broken.start() + 1)
    plain = unquote_to_bytes(raw)
    try:
        plain.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"the {where} is not UTF-8", position=error.start + 1) from None
    if b"\0" in plain:
        raise InvalidRequestError(f"NUL in the {where}", position=plain.index(b"\0") + 1)


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body is larger than {limit} bytes")


def _content_length(scope: Scope) -> int | None:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
