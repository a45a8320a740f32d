"""How requests come in and answers leave: head and body of a small answer in one packet, not in two.

uvicorn writes the head when it is known and the body after it, and uvloop hands each to the kernel at once. Sending is the
dearest part of a small answer, and a client would wake up twice for it.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.body import WHOLE


class Joining:
    """Holds back the first piece that is written in a turn of the loop until the next piece, or until the turn ends.

    All else is the transport's own.
    """

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes = b""

    def __getattr__(self, name: str) -> Any:
        """Give what the transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send with what is held back, or hold back."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        else:
            self._held = data
            self._loop.call_soon(self._release)

    def close(self) -> None:
        """Send what is held back, and close."""
        self._release()
        self._transport.close()

    def _release(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():  # the client may be gone meanwhile
            self._transport.write(held)


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol over a transport that joins; it says of which requests nothing is missing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        super().connection_made(cast("asyncio.Transport", Joining(cast("asyncio.Transport", transport), self.loop)))

    def on_message_complete(self) -> None:
        """End a request. An application that is called later than this finds the whole body."""
        self.scope["extensions"] = {WHOLE: {}}
        super().on_message_complete()
