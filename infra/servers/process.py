"""Making processes: what they run, as whom, in which root; and that they die with the program that started them."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra.servers.errors import ServerError

MARK = "GRENZREGION_SERVER"  # environment variable by which a server's own process is told from a stranger with its old id

_LAUNCH = Path(__file__).with_name("launch.py")


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


class Spawner:
    """Starts processes from one thread that lives as long as the program.

    The parent-death signal comes when the *thread* that started a process ends, so a short-lived thread must never be the parent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def run(self, order: Order, mark: str, log: Path) -> subprocess.Popen[bytes]:
        """Start the process; it writes to `log` and carries `mark` in its environment."""
        with self._lock:
            self._pool = self._pool or ThreadPoolExecutor(1, "spawner")
        return self._pool.submit(self._run, order, mark, log).result()

    @staticmethod
    def _run(order: Order, mark: str, log: Path) -> subprocess.Popen[bytes]:
        environment = {**_kept(), "LANG": "C.UTF-8", "TZ": "UTC", **order.environment, MARK: mark}
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


def _kept() -> dict[str, str]:
    """Return what a server gets of this program's environment: how to find programs and modules, and no setting or secret."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}


spawner = Spawner()


def carry_out(order: Order) -> subprocess.CompletedProcess[str]:
    """Run a tool, as the servers are run, to its end."""
    return subprocess.run(
        order.command(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**_kept(), **order.environment},
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


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all below it, itself first; nothing when it is gone."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
