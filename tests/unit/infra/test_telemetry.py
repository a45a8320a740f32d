from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from infra.telemetry import RepeatFilter, serve_telemetry, set_up_logging


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_and_health_are_served_while_the_context_lasts() -> None:
    registry = CollectorRegistry()
    Counter("seen", "readings seen", registry=registry).inc(3)
    complaints: list[str] = []
    with serve_telemetry(0, registry, ready=lambda: complaints) as port:
        assert "seen_total 3.0" in get(port, "/metrics")[1]
        assert get(port, "/health/ready") == (200, '{"ok": true, "complaints": []}')
        complaints.append("no database")
        status, body = get(port, "/health/ready")
        assert (status, json.loads(body)) == (503, {"ok": False, "complaints": ["no database"]})
        assert get(port, "/health/live")[0] == 200
        assert get(port, "/other")[0] == 404
    with pytest.raises(urllib.error.URLError):
        get(port, "/metrics")


def record(line: int, text: str = "away %d") -> logging.LogRecord:
    return logging.LogRecord("aiokafka", logging.ERROR, "conn.py", line, text, (7,), None)


def test_a_place_that_repeats_itself_is_heard_once_a_period_and_says_how_often() -> None:
    now = 0.0
    limit = RepeatFilter(10.0, clock=lambda: now)
    assert limit.filter(record(1))
    now = 9.99
    assert not limit.filter(record(1))
    assert limit.filter(record(2)), "another place is another message"
    now = 10.0
    later = record(1)
    assert limit.filter(later)
    assert later.getMessage() == "away 7 (and 1 more like it)"
    now = 20.0
    last = record(1)
    assert limit.filter(last)
    assert last.getMessage() == "away 7"


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


@pytest.mark.usefixtures("restored_logging")
def test_only_noisy_loggers_are_limited(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("worker-1", "info")
    for _ in range(3):
        logging.getLogger("aiokafka.conn").error("away")
        logging.getLogger("streams.store").info("stored")
        logging.getLogger("streams.store").debug("hidden")
    lines = capsys.readouterr().err.splitlines()
    assert sum("away" in line for line in lines) == 1
    assert sum("worker-1 INFO streams.store: stored" in line for line in lines) == 3
    assert not any("hidden" in line for line in lines)
