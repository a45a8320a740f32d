"""Starting, ending, dying and starting again: nothing is left behind, and the data of the first run go on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from needs import need
from road import PROCESSES, SERVERS, Platform, environment, until

from infra.servers.server import is_free

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]

RECEIPT_S = 60.0
NONE_S = 45.0


@pytest.fixture(params=["embedded", "local"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    """A platform that the test starts and ends."""
    platform = Platform(request.param, tmp_path / "data")
    try:
        yield platform
    finally:
        platform.end()


def send(platform: Platform, folder: Path, account: tuple[str, str] | None = None) -> None:
    with platform.gateway("lasting", folder, account=account) as gateway:
        gateway.publish([{"time": datetime.now(UTC), "property": "t", "value": 21.5}])
        assert gateway.flush(RECEIPT_S), gateway.statistics()


def ports_of(platform: Platform) -> list[int]:
    places = platform.places
    return [platform.http_port, places.mqtt_port, places.mqtt_legacy_port, int(places.kafka.rpartition(":")[2])]


def gone(platform: Platform, ports: list[int]) -> Callable[[], bool]:
    return lambda: platform.family() == [] and all(is_free("127.0.0.1", port) for port in ports)


def test_a_platform_goes_on_with_its_data_after_sigterm_and_after_kill_9(own: Platform, tmp_path: Path) -> None:
    channel = own.start().register("lasting")["t"]
    account = own.account("lasting")
    send(own, tmp_path, account)
    token, ports = (own.data_dir / "token").read_text(), ports_of(own)

    assert own.process is not None
    own.process.kill()
    own.process.wait()
    until(gone(own, ports), NONE_S, "nothing lives that a killed platform started")
    assert own.start().stored("lasting") == 1
    send(own, tmp_path, account)

    ports = ports_of(own)
    assert own.terminate() == 0
    assert gone(own, ports)()
    assert not list((own.data_dir / "run").glob("*.pid"))
    assert "Traceback" not in own.said.read_text()
    if own.servers == "embedded":  # `local` keeps more; what may be lost is what stands in memory
        own.start()
        send(own, tmp_path, account)
        assert len(own.get(f"v1.1/Datastreams({channel})/Observations")["value"]) == 3
        assert own.wrong_figures() == []
    assert (own.data_dir / "token").read_text() == token


@pytest.mark.parametrize("name", [*PROCESSES, *SERVERS])
def test_a_killed_process_is_started_again_and_the_road_works(up: Platform, tmp_path: Path, name: str) -> None:
    if up.servers == "local" and name != "api":
        pytest.skip("tests/faults kills it on `local`")
    device = f"after-{name}"
    channel = up.register(device)["t"]
    before = up.pids()
    with up.gateway(device, tmp_path) as gateway:
        gateway.publish([{"time": datetime.now(UTC), "property": "t", "value": 1}])
        assert gateway.flush(RECEIPT_S)
        ready = f"{name} is ready"
        seen = up.said.read_text().count(ready)
        up.kill(name)
        gateway.publish([{"time": datetime.now(UTC), "property": "t", "value": 2}])
        assert gateway.flush(120), gateway.statistics()
        until(lambda: up.said.read_text().count(ready) > seen, 90, f"{name} is ready again")
    up.wait_ready()
    until(
        lambda: len(up.get(f"v1.1/Datastreams({channel})/Observations")["value"]) == 2,
        30, "both readings are visible", tolerate=(httpx.HTTPError, psycopg.Error),
    )  # fmt: skip
    after = up.pids()
    assert after[name] != before[name]


def refused(command: list[str], **changes: str) -> list[str]:
    """Run `up` that must not come up; returns the lines on stderr."""
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**environment(), "COLUMNS": "80", **changes}
    )
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    lines = ended.stderr.splitlines()
    assert lines[-1].startswith("error: ")
    return lines


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("servers", ["embedded", "local"])
def test_a_taken_port_is_told_in_one_line(tmp_path: Path, taken: int, servers: str) -> None:
    need(servers)
    platform = Platform(servers, tmp_path / "data", http_port=taken)
    (line,) = refused(platform.command())
    assert str(taken) in line
    assert "--http-port" in line
    platform = Platform(servers, tmp_path / "data", mqtt_port=taken)
    line = refused(platform.command())[-1]
    assert str(taken) in line
    assert "mqtt" in line
    assert platform.family() == []


def test_missing_servers_are_told_in_one_line(tmp_path: Path) -> None:
    platform = Platform("embedded", tmp_path / "data")
    platform.servers = "local"
    (line,) = refused(platform.command(), GRENZREGION_SERVERS_DIR=str(tmp_path / "none"))
    assert "make servers" in line or "needs root" in line
    assert platform.family() == []


def test_an_unusable_data_directory_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "data", Path("/proc/data"), tmp_path / "file"):
        platform = Platform("embedded", place)
        (line,) = refused(platform.command())
        assert str(place.name) in line
        assert platform.family() == []


def test_a_data_directory_in_use_is_told_in_one_line(up: Platform) -> None:
    before = up.pids()
    second = Platform(up.servers, up.data_dir)
    line = refused(second.command())[-1]
    assert "in use" in line
    assert up.pids() == before
    assert up.get("health/ready")["status"] == "ready"


def test_auth_off_is_refused_where_others_reach_the_api(tmp_path: Path) -> None:
    platform = Platform("embedded", tmp_path / "data", more=("--auth", "off", "--host", "0.0.0.0"))
    (line,) = refused(platform.command())
    assert "loopback" in line
    assert not (tmp_path / "data").exists()


def test_sigterm_while_starting_leaves_nothing(tmp_path: Path) -> None:
    platform = Platform("embedded", tmp_path / "data")
    process = subprocess.Popen(platform.command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        until((platform.data_dir / "run" / "postgres.pid").exists, 60, "PostgreSQL is being started")
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=90)
        assert "Traceback" not in said
        assert process.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
        until(lambda: platform.family() == [], NONE_S, "nothing is left")
    finally:
        process.kill()
        process.wait()
        platform.end()
