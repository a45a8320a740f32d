"""The application as a process of its own, over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from writing import SENSOR, THING, TOKEN

pytestmark = pytest.mark.integration

COMMAND = [sys.executable, "-c", "from api.app import run; from infra.settings import ApiSettings; run(ApiSettings())"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def served(database: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    port, log = free_port(), tmp_path / "api.log"
    environment = {
        **os.environ,
        "GRENZREGION_DATABASE_URL": database,
        "GRENZREGION_HTTP_PORT": str(port),
        "GRENZREGION_TOKEN": TOKEN,
        "GRENZREGION_BODY_BYTES": "200000",
        "GRENZREGION_KAFKA": "127.0.0.1:1",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(COMMAND, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200:
                    break
            except httpx.TransportError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield process, port, log
    finally:
        process.kill()
        process.wait()


def exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
        return answer


def test_a_process_serves_limits_holds_and_stops(served: tuple[subprocess.Popen[bytes], int, Path]) -> None:
    process, port, log = served
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as client:
        thing = client.post("/v1.1/Things", json=THING)
        assert thing.status_code == 201
        assert thing.headers["location"] == f"http://127.0.0.1:{port}/v1.1/Things(1)"
        assert client.get(thing.headers["location"]).json()["name"] == "station"
        assert client.post("/v1.1/Datastreams(1)/Observations", json={"result": 1}).status_code == 201
        ready = client.get("/health/ready").json()
        assert ready["status"] == "degraded"
        assert 0 <= ready["newest_reading"]["age_s"] < 300
        assert client.post("/v1.1/Sensors", content=(b" " * 50_000 for _ in range(8))).status_code == 413
        assert client.post("/v1.1/Sensors", json=SENSOR).status_code == 201
    head = (
        b"POST /v1.1/Sensors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
        + TOKEN.encode()
        + b"\r\n"
    )
    # A body that is announced too large is not waited for.
    assert exchange(port, head + b"Content-Length: 100000000\r\n\r\n{").startswith(b"HTTP/1.1 413")
    assert exchange(port, b"GET /v1.1/Things?$filter=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(
        b"HTTP/1.1 400"
    )
    assert exchange(port, b"GET /v1.1/Th\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert exchange(port, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) in {0, -signal.SIGTERM}
    assert "Traceback" not in log.read_text(), log.read_text()
    assert "a-token" not in log.read_text()
