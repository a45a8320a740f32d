"""What a process tells about itself: its log, and `/metrics` and `/health` where it has no HTTP of its own."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

# Loggers that repeat themselves while a server is away.
NOISY = (
    "aiokafka",
    "faust",
    "mode",
    "psycopg.pool",
    "paho",
    "uvicorn.error",
)

Complaints = Callable[[], Sequence[str]]


class RepeatFilter(logging.Filter):
    """Lets one message of a place in the code through per period and says how many it held back.

    aiokafka logs a hundred errors a second while Kafka is away (ledger.md).
    """

    def __init__(self, period_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._period_s = period_s
        self._clock = clock
        self._places: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this record is written."""
        place = (record.pathname, record.lineno)
        now = self._clock()
        since, held = self._places.get(place, (float("-inf"), 0))
        if now - since < self._period_s:
            self._places[place] = (since, held + 1)
            return False
        self._places[place] = (now, 0)
        if held:
            record.msg = f"{record.getMessage()} (and {held} more like it)"
            record.args = None
        return True


def set_up_logging(process: str, level: str = "info") -> None:
    """Log to standard error, one line per record, UTC; noisy libraries are limited."""
    formatter = logging.Formatter(f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    limit = RepeatFilter()
    handler.addFilter(lambda record: not record.name.startswith(NOISY) or limit.filter(record))


@contextmanager
def serve_telemetry(
    port: int,
    registry: CollectorRegistry,
    *,
    live: Complaints = lambda: (),
    ready: Complaints = lambda: (),
    host: str = "127.0.0.1",
) -> Generator[int]:
    """Answer `/metrics`, `/health/live` and `/health/ready` on `port` (0: a free one) while the context lasts; gives the port.

    `live` and `ready` return what is wrong; nothing means 200, anything 503. They are called from another thread.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path in ("/health/live", "/health/ready"):
                complaints = list(live() if self.path == "/health/live" else ready())
                body = json.dumps({"ok": not complaints, "complaints": complaints}).encode()
                self._answer(503 if complaints else 200, "application/json", body)
            else:
                self._answer(404, "text/plain", b"not found\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing: probes come every few seconds."""

    server = ThreadingHTTPServer((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="telemetry")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
