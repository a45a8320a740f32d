"""One server process: start, wait until ready, where, stop, leave nothing behind.

ServerError                      one line that says what is wrong and where
├── PortTakenError               another program listens on the port
├── DiskFullError                no space left for the server's data
├── MissingServerError           a binary or an installation is not there
├── NotReadyError                it ended at once, or did not answer in time
└── DataInUseError               another supervisor holds the data directory
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MARK = "GRENZREGION_SERVER"  # environment variable by which a server's own process is told from a stranger with its old id

_LAUNCH = Path(__file__).with_name("launch.py")
_LOG_LIMIT = 10_000_000
_POLL_S = 0.02
_PORTS = 65_536


class ServerError(RuntimeError):
    """A server can't be run; the message is one line for people."""


class PortTakenError(ServerError):
    """Another program listens on the port."""


class DiskFullError(ServerError):
    """No space left for the server's data."""


class MissingServerError(ServerError):
    """A binary or an installation is not there."""


class NotReadyError(ServerError):
    """The server ended at once, or did not answer in time."""


class DataInUseError(ServerError):
    """Another supervisor holds the data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An unprivileged system user that already exists."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a server's process is made (see launch.py); `binds` are (outside, inside) pairs below `root`."""

    argv: list[str]
    stop_signal: signal.Signals = signal.SIGTERM
    user: User | None = None
    root: Path | None = None
    binds: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    files: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def command(self) -> list[str]:
        """Return the command line that carries the order out."""
        user = {"uid": self.user.uid, "gid": self.user.gid} if self.user else {}
        root = {"root": str(self.root), "binds": self.binds} if self.root else {}
        order = {"argv": self.argv, "death_signal": int(self.stop_signal), "parent": os.getpid(), **user, **root}
        return [sys.executable, "-I", "-S", str(_LAUNCH), json.dumps(order)]


class _Spawner:
    """Starts processes from one thread that lives as long as the program.

    The parent-death signal comes when the *thread* that started a process ends, so a short-lived thread must never be the parent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def run(self, order: Order, mark: str, log: Path) -> subprocess.Popen[bytes]:
        with self._lock:
            self._pool = self._pool or ThreadPoolExecutor(1, "spawner")
        return self._pool.submit(self._run, order, mark, log).result()

    @staticmethod
    def _run(order: Order, mark: str, log: Path) -> subprocess.Popen[bytes]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC", **order.environment, MARK: mark}
        with log.open("ab") as out:
            return subprocess.Popen(
                order.command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                cwd="/",
                pass_fds=order.files,
                start_new_session=True,
            )


_spawner = _Spawner()


def carry_out(order: Order) -> subprocess.CompletedProcess[str]:
    """Run a tool, as the servers are run, to its end."""
    return subprocess.run(
        order.command(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath, **order.environment},
        pass_fds=order.files,
        cwd="/",
    )


def unprivileged_user() -> User | None:
    """Return whom root lends to servers that refuse root; None when the caller is not root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise ServerError("PostgreSQL refuses to run as root, and this system has no user `nobody`: run as another user") from None
    return User(uid=entry.pw_uid, gid=entry.pw_gid)


def free_port(*, neighbours: int = 0, host: str = "127.0.0.1") -> int:
    """Find a port nobody listens on now, followed by so many free `neighbours`."""
    while True:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
        if port + neighbours < _PORTS and all(is_free(host, port + step) for step in range(neighbours + 1)):
            return port


def is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


@contextlib.contextmanager
def disk_errors(name: str) -> Generator[None]:
    """Turn the system's refusals while writing a server's files into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"{name}: no space left on the disk for {error.filename or 'its data'}") from error
        raise ServerError(f"{name}: {error.filename or 'its data'}: {error.strerror}") from error


class Server(ABC):
    """A server in a process of its own; `data_dir/run/NAME.pid` has its id while it runs.

    Calls for one server come from one thread at a time. After `kill()` or a crash, `start()` goes on with the same data and port.
    """

    name: str
    stop_timeout_s: float = 15.0
    ready_timeout_s: float = 60.0

    def __init__(self, *, data_dir: Path, port: int = 0, host: str = "127.0.0.1", ports: int = 1) -> None:
        self.data_dir = data_dir.absolute()
        self.folder = self.data_dir / self.name
        self.host = host
        self.port = port or free_port(neighbours=ports - 1, host=host)
        self._ports = ports
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid_file(self) -> Path:
        """File with the process's id while it runs."""
        return self.data_dir / "run" / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        """What the server writes to its standard output and error."""
        return self.data_dir / "log" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Id of the running process."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @abstractmethod
    def prepare(self) -> Order:
        """Write what the server needs below `folder` and tell how to start it."""

    @abstractmethod
    def answers(self) -> bool:
        """Ask the server itself whether it does its work."""

    def clean(self) -> None:  # noqa: B027 - most servers leave nothing
        """Remove what stands outside of the data directory, and close what was opened for the server."""

    def start(self) -> None:
        """Start the process; raises `ServerError`. What a killed supervisor left of this server is ended first."""
        if self.pid is not None:
            return
        with disk_errors(self.name):
            self.pid_file.parent.mkdir(parents=True, exist_ok=True)
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            self._end_orphan()
            self._check_ports()
            self._rotate_log()
            order = self.prepare()
            self._process = _spawner.run(order, str(self.folder), self.log_file)
            self._stop_signal = order.stop_signal
            self.pid_file.write_text(f"{self._process.pid}\n")

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Return as soon as the server answers; raises `NotReadyError` or `DiskFullError`."""
        timeout_s = timeout_s or self.ready_timeout_s
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if self.pid is None:
                raise self._why(f"{self.name} ended while it was starting")
            if time.monotonic() > deadline:
                raise self._why(f"{self.name} did not answer on {self.host}:{self.port} within {timeout_s:.0f} s")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End the process and all it started, first asking, then not; remove the pid file. May be called at any time."""
        if self._process is not None:
            family = _family(self._process.pid)
            if self._process.poll() is None:
                self._process.send_signal(self._stop_signal)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(self.stop_timeout_s)
            self._end(family)
        self.pid_file.unlink(missing_ok=True)
        self.clean()

    def kill(self) -> None:
        """End the process as kill -9 does, and wait until its children have gone; the data stay as they are."""
        if self._process is not None:
            family = _family(self._process.pid)
            self._process.kill()
            self._end(family, patience_s=2.0)

    def _end(self, family: list[psutil.Process], patience_s: float = 0.5) -> None:
        process, self._process = self._process, None
        _gone, left = psutil.wait_procs(family[1:], timeout=patience_s)
        for relative in [*left, *family[:1]]:
            with contextlib.suppress(psutil.NoSuchProcess):
                relative.kill()
        psutil.wait_procs(left, timeout=5)
        if process is not None:
            process.wait()

    def _end_orphan(self) -> None:
        if self._process is not None:  # it died by itself
            self._end(_family(self._process.pid))
        try:
            orphan = psutil.Process(int(self.pid_file.read_text()))
            if orphan.environ().get(MARK) == str(self.folder):
                family = [orphan, *orphan.children(recursive=True)]
                orphan.terminate()
                _gone, left = psutil.wait_procs(family, timeout=self.stop_timeout_s)
                for relative in left:
                    relative.kill()
                psutil.wait_procs(left, timeout=5)
        except (FileNotFoundError, ValueError, psutil.Error):
            pass  # no file, no id in it, or a process that is not ours (or is gone): no obstacle
        self.pid_file.unlink(missing_ok=True)

    def _check_ports(self) -> None:
        for port in range(self.port, self.port + self._ports):
            if not is_free(self.host, port):
                raise PortTakenError(f"port {port} for {self.name} is taken by another program")

    def _rotate_log(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_LIMIT:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0

    def log_tail(self) -> list[str]:
        """Non-empty lines that the server wrote since its last start."""
        if not self.log_file.exists():
            return []
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            return [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]

    def _why(self, what: str) -> ServerError:
        lines = self.log_tail()
        if any("No space left on device" in line for line in lines):
            return DiskFullError(f"{self.name}: no space left on the disk for {self.folder}")
        telling = [line for line in lines if any(word in line for word in ("FATAL", "ERROR", "Error", "error"))] or lines
        said = f": {telling[-1][:300]}" if telling else ""
        return NotReadyError(f"{what}{said} (all of it: {self.log_file})")


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
