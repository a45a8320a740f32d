"""When a process of the platform counts as started."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from grenzregion.processes import Child
from infra.telemetry import serve_telemetry


@pytest.mark.parametrize(
    ("complaints", "started"),
    [
        ([], True),
        (["partitions are being assigned"], False),
        (["paused: 501 of the last 900 messages, of 10 devices, can't be read"], True),
    ],
)
def test_a_process_has_started_when_it_is_ready_or_waits_for_somebody(tmp_path: Path, complaints: list[str], started: bool) -> None:
    with serve_telemetry(0, CollectorRegistry(), ready=lambda: complaints) as port:
        child = Child("worker-1", data_dir=tmp_path, command=["worker"], environment={}, port=port)
        assert child.answers() is started


def test_a_process_that_nobody_can_ask_has_not_started(tmp_path: Path) -> None:
    assert not Child("worker-1", data_dir=tmp_path, command=["worker"], environment={}, port=1).answers()
