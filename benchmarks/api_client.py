"""A small HTTP/1.1 client, so that measuring costs little of the machine that it shares, and stages of many requests."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote, urlsplit

import msgspec

TIMEOUT_S = 180.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
GIVE_UP = 20  # errors in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service root to measure, and the token that may write to it."""

    host: str
    port: int
    root: str
    token: str

    @classmethod
    def at(cls, url: str, token: str) -> Service:
        """Make the service of a platform's URL."""
        parts = urlsplit(url)
        return cls(host=parts.hostname or "127.0.0.1", port=parts.port or 80, root=parts.path.rstrip("/") + "/v1.1", token=token)


class Connection:
    """One keep-alive connection, for one request after the other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._wire: _Wire | None = None

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Send a request and give status and body."""
        service = self._service
        content = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        head = (
            f"{method} {service.root}/{_quoted(path)} HTTP/1.1\r\nHost: {service.host}:{service.port}\r\n"
            f"Authorization: Bearer {service.token}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        if self._wire is None or self._wire.transport.is_closing():
            _, self._wire = await asyncio.get_running_loop().create_connection(_Wire, service.host, service.port)
        try:
            return await self._wire.exchange(head.encode() + content)
        except BaseException:
            self.close()
            raise

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that must succeed and give its answer."""
        status, answer = await self.request(method, path, body)
        if status not in {200, 201}:
            raise SystemExit(f"{method} {path}: {status} {answer[:500].decode(errors='replace')}")
        return msgspec.json.decode(answer) if answer else None

    def close(self) -> None:
        """Close; the next request opens again."""
        if self._wire is not None:
            self._wire.transport.close()
        self._wire = None


@lru_cache(maxsize=100_000)
def _quoted(path: str) -> str:
    return quote(path, safe="/?$=&(),:;'@*%+-._~")


class _Wire(asyncio.Protocol):
    """Answers with a Content-Length, or without a body: what the API gives for all but CSV, which is streamed."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._head = b""
        self._status = 0
        self._left = 0
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._head, self._status, self._body = b"", 0, []
        late = loop.call_later(TIMEOUT_S, self._fail, TimeoutError(f"no answer within {TIMEOUT_S} s"))
        self.transport.write(request)
        try:
            return await self._answer
        finally:
            late.cancel()

    def data_received(self, data: bytes) -> None:
        if self._status:
            self._body.append(data)
            self._left -= len(data)
        else:
            self._head += data
            head, ended, rest = self._head.partition(b"\r\n\r\n")
            if not ended:
                return
            self._status = int(head[9:12])
            found = _LENGTH.search(head)
            self._left = (int(found[1]) if found else 0) - len(rest)
            self._body = [rest]
        if self._left <= 0 and self._answer is not None and not self._answer.done():
            self._answer.set_result((self._status, b"".join(self._body)))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


@dataclass(slots=True, kw_only=True)
class Measured:
    """How a stage went. `rows` counts what the requests wrote; of one row a request it is `requests`."""

    requests: int = 0
    rows: int = 0
    errors: int = 0
    first_error: str = ""
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list[float])

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        """Latency that this share of the requests did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


# Sends one request; gives how many rows it wrote, and an error's text or "".
Work = Callable[[Connection], Awaitable[tuple[int, str]]]


async def measure(service: Service, work: Work, *, clients: int, seconds: float = 1e9, requests: int = 10**9) -> Measured:
    """Let so many clients work for so long, or until so many requests were sent."""
    measured = Measured()
    begin = time.perf_counter()
    left = requests

    async def client() -> None:
        nonlocal left
        connection, bad = Connection(service), 0
        while left > 0 and bad < GIVE_UP and time.perf_counter() - begin < seconds:
            left -= 1
            sent = time.perf_counter()
            rows, error = await work(connection)
            measured.latencies.append(time.perf_counter() - sent)
            measured.requests += 1
            measured.rows += rows
            bad = bad + 1 if error else 0
            measured.errors += bool(error)
            measured.first_error = measured.first_error or error
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    measured.seconds = time.perf_counter() - begin
    return measured
