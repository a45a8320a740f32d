"""Three servers as one: what `embedded`, `local` and `external` have in common."""

from __future__ import annotations

import contextlib
import fcntl
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from infra.servers.errors import DataInUseError, disk_errors
from infra.servers.server import Server

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of the MQTT broker and its password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the servers are.

    `mqtt_legacy_port` is the port for MQTT 3.1.1: the same as `mqtt_port`, or the next one on `embedded`. `mqtt_accounts` tells how
    devices get in: `shared` (all use `mqtt_device`), `dynamic` (accounts are made at run time by `mqtt_admin` over the dynamic
    security plugin), `given` (somebody else's broker).
    """

    database_url: str = field(repr=False)
    kafka: str
    mqtt_host: str
    mqtt_port: int
    mqtt_legacy_port: int
    mqtt_accounts: Literal["shared", "dynamic", "given"]
    mqtt_admin: Account
    mqtt_device: Account | None = None


class ServerSet:
    """A set of servers; use as a context manager or call `stop()`.

    `servers` are in the order in which they are started; they stop in the order that loses nothing: log, broker, database
    (decisions.md 22). Each of them can be killed and started again alone.
    """

    def __init__(self, *, name: str, data_dir: Path, servers: Sequence[Server], places: Callable[[], Places]) -> None:
        self.name = name
        self.data_dir = data_dir
        self._places = places
        self.servers = tuple(servers)
        self._lock: IO[str] | None = None

    @property
    def places(self) -> Places:
        """Where the servers are."""
        return self._places()

    def server(self, name: str) -> Server:
        """One server: `mqtt`, `kafka` or `postgres`."""
        return next(server for server in self.servers if server.name == name)

    def start(self, progress: Progress = lambda _step: None) -> Self:
        """Start all and wait until all are ready; raises `ServerError`, and then nothing runs."""
        self._take_lock()
        try:
            for server in self.servers:
                progress(f"starting {server.name}")
                server.start()
            for server in self.servers:
                server.wait_ready()
                progress(f"{server.name} is ready")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all servers and what they left outside of the data directory."""
        with contextlib.ExitStack() as stack:
            for name in ("postgres", "mqtt", "kafka"):
                for server in self.servers:
                    if server.name == name:
                        stack.callback(server.stop)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _take_lock(self) -> None:
        run = self.data_dir / "run"
        with disk_errors("the data directory"):
            run.mkdir(parents=True, exist_ok=True)
            lock = (run / "servers.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise DataInUseError(f"{self.data_dir} is in use by another running platform: give another --data-dir") from None
        self._lock = lock


def kept_secret(path: Path) -> str:
    """Return a password made once and kept in a file only its owner may read."""
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text().strip():
            return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    made = secrets.token_urlsafe(18)
    path.touch(mode=0o600)
    path.write_text(made + "\n")
    return made
