"""`/health/live`, `/health/ready` and `/metrics` of the bridge, from a thread that only reads figures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from ingest_mqtt.metrics import LOOP_LIMIT_S, Figures, FiguresCollector


@contextmanager
def serve_health(port: int, figures: Figures, host: str = "127.0.0.1") -> Generator[int]:
    """Answer on `port` (0: a free one) while the context lasts; gives the port."""
    registry = CollectorRegistry()
    registry.register(FiguresCollector(figures, time.monotonic))
    ProcessCollector(registry=registry)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now = time.monotonic()
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/health/live":
                self._health([] if now - figures.last_turn <= LOOP_LIMIT_S else ["its loop stands still"])
            elif self.path == "/health/ready":
                self._health(figures.complaints(now))
            else:
                self._answer(404, "text/plain", b"not found\n")

        def _health(self, complaints: list[str]) -> None:
            self._answer(
                503 if complaints else 200,
                "application/json",
                json.dumps({"ok": not complaints, "complaints": complaints}).encode(),
            )

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing: probes come every few seconds."""

    server = ThreadingHTTPServer((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True, name="health")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
