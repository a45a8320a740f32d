"""Keeps processes alive: a dead one is started again after a pause, and given up after so many deaths if it never was ready.

One that has been ready is not given up: its database or its log may be away for longer than any bound.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.servers.errors import NotReadyError, ServerError
from infra.servers.server import Server

MAX_DEATHS = 6
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
POLL_S = 0.2


Say = Callable[[str], None]


class GivenUpError(ServerError):
    """A process died too often before it was ready."""


@dataclass(slots=True, kw_only=True)
class _Watched:
    server: Server
    ready: bool
    proven: bool  # it was ready once
    deaths: int = 0  # since it was last ready
    again_at: float | None = None


class Supervisor:
    """Watches processes: `ready` ones were started and waited for by others, `starting` ones were only started."""

    def __init__(
        self, *, ready: Sequence[Server], starting: Sequence[Server], say: Say, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._watched = [_Watched(server=server, ready=True, proven=True) for server in ready]
        self._watched += [_Watched(server=server, ready=False, proven=False) for server in starting]
        self._say = say
        self._clock = clock

    def wait_ready(self, stop: threading.Event, timeout_s: float) -> None:
        """Return when all are ready, or `stop` is set; raises `GivenUpError`, and `NotReadyError` after `timeout_s`."""
        deadline = self._clock() + timeout_s
        while not stop.wait(POLL_S):
            self.look()
            waiting = [watched.server for watched in self._watched if not watched.ready]
            if not waiting:
                return
            if self._clock() > deadline:
                raise NotReadyError(f"{waiting[0].name} was not ready within {timeout_s:.0f} s: see {waiting[0].log_file}")

    def watch(self, stop: threading.Event) -> None:
        """Return when `stop` is set; raises `GivenUpError`."""
        while not stop.wait(POLL_S):
            self.look()

    def look(self) -> None:
        """See after every process once."""
        for watched in self._watched:
            if watched.server.pid is None:
                self._revive(watched)
            elif not watched.ready and watched.server.answers():
                watched.ready, watched.proven, watched.deaths = True, True, 0
                self._say(f"{watched.server.name} is ready")

    def _revive(self, watched: _Watched) -> None:
        now = self._clock()
        name = watched.server.name
        if watched.again_at is None:
            watched.deaths += 1
            watched.ready = False
            if watched.deaths > MAX_DEATHS and not watched.proven:
                raise GivenUpError(f"{name} died {watched.deaths} times before it was ready: see {watched.server.log_file}")
            pause = min(FIRST_PAUSE_S * 2 ** min(watched.deaths - 1, MAX_DEATHS), LONGEST_PAUSE_S)
            watched.again_at = now + pause
            self._say(f"{name} died and is started again in {pause:.1f} s")
        elif now >= watched.again_at:
            watched.again_at = None
            try:
                watched.server.start()
            except ServerError as error:
                self._say(str(error))
