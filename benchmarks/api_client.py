"""A small HTTP/1.1 client, so that measuring costs little of the machine, and stages of many requests with their latencies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

TIMEOUT_S = 180.0
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
    """One keep-alive connection."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Send a request and give status and body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._service.host, self._service.port, limit=1 << 20)
        try:
            return await asyncio.wait_for(self._exchange(*self._streams, method, path, body), TIMEOUT_S)
        except BaseException:
            self.close()
            raise

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, body: Any
    ) -> tuple[int, bytes]:
        service = self._service
        content = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        target = quote(path, safe="/?$=&(),:;'@*%+-._~")
        head = (
            f"{method} {service.root}/{target} HTTP/1.1\r\nHost: {service.host}:{service.port}\r\n"
            f"Authorization: Bearer {service.token}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        if "content-length" in fields:
            answer = await reader.readexactly(int(fields["content-length"]))
        elif "chunked" in fields.get("transfer-encoding", ""):
            answer = b"".join([chunk async for chunk in _chunks(reader)])
        else:
            answer = b""
        if fields.get("connection") == "close":
            self.close()
        return int(lines[0].split(" ", 2)[1]), answer

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that must succeed and give its answer."""
        status, answer = await self.request(method, path, body)
        if status not in {200, 201}:
            raise SystemExit(f"{method} {path}: {status} {answer[:500].decode(errors='replace')}")
        return msgspec.json.decode(answer) if answer else None

    def close(self) -> None:
        """Close; the next request opens again."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def _chunks(reader: asyncio.StreamReader) -> Any:
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        chunk = await reader.readexactly(size + 2)
        if not size:
            return
        yield chunk[:-2]


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
