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


def test_a_process_gives_memory_back_and_its_own_settings_win(tmp_path: Path) -> None:
    environment = {"GRENZREGION_WORKER_ID": "worker-1", "MALLOC_ARENA_MAX": "1"}
    order = Child("worker-1", data_dir=tmp_path, command=["worker"], environment=environment, port=1).prepare()
    assert order.environment == environment | {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "1048576"}
