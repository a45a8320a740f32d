"""One server process: start, wait until ready, where, stop, leave nothing behind."""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import psutil

from infra.servers.errors import PortTakenError, ServerError, disk_errors, explain
from infra.servers.process import MARK, Order, family, spawner, unprivileged_user

__all__ = ["Order", "PortTakenError", "Server", "ServerError", "free_port", "is_free", "unprivileged_user"]

_LOG_LIMIT = 10_000_000
_POLL_S = 0.02
_PORTS = 65_536


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
            self._process = spawner.run(order, str(self.folder), self.log_file)
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
            relatives = self._relatives()
            if relatives:
                self._process.send_signal(self._stop_signal)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(self.stop_timeout_s)
            self._end(relatives)
        self.pid_file.unlink(missing_ok=True)
        self.clean()

    def kill(self) -> None:
        """End the process as kill -9 does, and wait until its children have gone; the data stay as they are."""
        if self._process is not None:
            relatives = self._relatives()
            self._process.kill()
            self._end(relatives, patience_s=2.0)

    def _relatives(self) -> list[psutil.Process]:
        """Return the running process and its children; nothing when it has ended, for its id may be a stranger's by now."""
        return [] if self.pid is None else family(self.pid)

    def _end(self, relatives: list[psutil.Process], patience_s: float = 0.5) -> None:
        process, self._process = self._process, None
        _gone, left = psutil.wait_procs(relatives[1:], timeout=patience_s)
        if process is not None:
            process.kill()
        _kill(left)
        if process is not None:
            process.wait()

    def _end_orphan(self) -> None:
        if self._process is not None:  # it died by itself
            self._end([])
        try:
            orphan = psutil.Process(int(self.pid_file.read_text()))
            if orphan.environ().get(MARK) == str(self.folder):
                relatives = family(orphan.pid)
                orphan.terminate()
                _gone, left = psutil.wait_procs(relatives, timeout=self.stop_timeout_s)
                _kill(left)
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
        return explain(self.name, what, self.log_tail(), self.folder, f" (all of it: {self.log_file})")


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=5)
