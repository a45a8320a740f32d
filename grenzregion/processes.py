"""The platform's own processes, run and watched like any server: `python -m grenzregion NAME`."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from infra.servers.server import Order, Server

_ASK_S = 2.0
# glibc keeps what batches of many sizes leave behind, in a heap for each of many threads. With two heaps, and blocks of more than
# 128 KiB returned at once, a process that has handled batches of up to 9,000 readings keeps 9 MB less, at about the same CPU time.
_ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "1048576"}


class Child(Server):
    """One subcommand of this program; ready when its `/health/ready` says so, or at once where it has none."""

    ready_timeout_s = 90.0
    stop_timeout_s = 12.0

    def __init__(
        self, name: str, *, data_dir: Path, command: list[str], environment: Mapping[str, str], port: int, asked: bool = True
    ) -> None:
        self.name = name
        super().__init__(data_dir=data_dir, port=port)
        self._command = command
        self._environment = environment
        self._asked = asked

    def prepare(self) -> Order:
        """Nothing to write: the process keeps what it keeps below the data directory itself."""
        return Order(argv=[sys.executable, "-m", "grenzregion", *self._command], environment={**_ALLOCATOR, **self._environment})

    def answers(self) -> bool:
        """Ask its health endpoint. A worker that somebody has to resume has started: the rest of the platform goes on meanwhile."""
        if not self._asked:
            return self.pid is not None
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.port}/health/ready", timeout=_ASK_S) as answer:
                return answer.status == 200  # noqa: PLR2004
        except urllib.error.HTTPError as refusal:
            with refusal:
                return b'"paused: ' in refusal.read()
        except (urllib.error.URLError, OSError):
            return False
