"""A TCP proxy that misbehaves on demand: cuts, freezes, delays, throttles, refuses. Runs in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

from infra.servers.server import free_port

_CHUNK = 65_536


class Proxy:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target`.

    `delay_s` is added to every chunk of each direction; `bytes_per_s` 0 is unlimited. `freeze` keeps connections open and forwards
    nothing, also no end of a connection: half-open, as when a cable is pulled.
    """

    def __init__(self, target: int, port: int = 0) -> None:
        self.target = target
        self.port = port or free_port()
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self.connections = 0
        self.cuts = 0
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{target}", daemon=True)

    def cut(self) -> None:
        """Abort every connection."""
        self._do(self._cut)

    def refuse(self, refusing: bool) -> None:
        """End every connection and each new one at once, or take them again."""
        self._refusing = refusing
        if refusing:
            self.cut()

    def freeze(self) -> None:
        """Forward nothing and tell nobody."""
        self._do(self._flowing.clear)

    def thaw(self, *, cut: bool = False) -> None:
        """Forward again; with `cut` the connections of before are dead, as after a long break of the network."""
        if cut:
            self.cut()
        self._do(self._flowing.set)

    def heal(self) -> None:
        """Behave."""
        self.delay_s = self.bytes_per_s = 0.0
        self._refusing = False
        self.thaw()

    def _cut(self) -> None:
        for pair in list(self._pairs):
            self.cuts += 1
            for writer in pair:
                writer.transport.abort()

    def _do(self, action: object) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (action(), done.set()))  # pyright: ignore[reportCallIssue]
        done.wait(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        pair = (writer, far_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            for each in pair:
                each.transport.abort()
        finally:
            self._pairs.discard(pair)
            for each in pair:
                each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await self._flowing.wait()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.bytes_per_s:
                await asyncio.sleep(len(chunk) / self.bytes_per_s)
            writer.write(chunk)
            await writer.drain()
        await self._flowing.wait()
        with contextlib.suppress(OSError):
            writer.write_eof()

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", self.port), self._loop)
        self._server = started.result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self.cut()
        self.thaw()
        asyncio.run_coroutine_threadsafe(self._end_tasks(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @staticmethod
    async def _end_tasks() -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
