from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import pytest

from grenzregion.supervisor import FIRST_PAUSE_S, LONGEST_PAUSE_S, MAX_DEATHS, GivenUpError, Supervisor
from infra.servers.errors import NotReadyError, ServerError
from infra.servers.server import Server


class FakeServer:
    """Lives and answers as told, and counts its starts."""

    def __init__(self, name: str = "worker-1", *, lives: bool = True, ready: bool = False) -> None:
        self.name = name
        self.log_file = Path("var/log") / f"{name}.log"
        self.pid = 1 if lives else None
        self.ready = ready
        self.starts = 0
        self.lives_after_start = True
        self.error: ServerError | None = None

    def start(self) -> None:
        self.starts += 1
        if self.error is not None:
            raise self.error
        self.pid = 1 if self.lives_after_start else None

    def answers(self) -> bool:
        return self.ready


class Scene:
    """A supervisor with a clock that is turned by hand."""

    def __init__(self, *, ready: tuple[FakeServer, ...] = (), starting: tuple[FakeServer, ...] = ()) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.supervisor = Supervisor(
            ready=cast("tuple[Server, ...]", ready), starting=cast("tuple[Server, ...]", starting),
            say=self.said.append, clock=lambda: self.now,
        )  # fmt: skip

    def look_at(self, now: float) -> None:
        self.now = now
        self.supervisor.look()


def test_a_dead_process_is_started_again_after_a_pause() -> None:
    server = FakeServer(lives=False)
    scene = Scene(ready=(server,))
    scene.look_at(0)
    scene.look_at(FIRST_PAUSE_S - 0.001)
    assert server.starts == 0
    scene.look_at(FIRST_PAUSE_S)
    assert (server.starts, server.pid) == (1, 1)
    assert scene.said == ["worker-1 died and is started again in 0.2 s"]


def test_a_living_process_is_left_alone() -> None:
    server = FakeServer()
    scene = Scene(ready=(server,))
    scene.look_at(100)
    assert (server.starts, scene.said) == (0, [])


def test_pauses_double_and_after_the_bound_it_is_given_up() -> None:
    server = FakeServer(lives=False)
    server.lives_after_start = False
    scene = Scene(starting=(server,))
    now = 0.0
    for death in range(MAX_DEATHS):
        scene.look_at(now)
        pause = min(FIRST_PAUSE_S * 2**death, LONGEST_PAUSE_S)
        scene.look_at(now + pause - 0.001)
        assert server.starts == death
        now += pause
        scene.look_at(now)
        assert server.starts == death + 1
    with pytest.raises(GivenUpError, match=r"worker-1 died 7 times before it was ready: see var/log/worker-1\.log"):
        scene.look_at(now)


@pytest.mark.parametrize("began_ready", [True, False])
def test_a_process_that_was_ready_once_is_never_given_up(began_ready: bool) -> None:
    server = FakeServer(ready=True)
    scene = Scene(ready=(server,)) if began_ready else Scene(starting=(server,))
    scene.look_at(0)
    server.ready = server.lives_after_start = False
    server.pid = None
    now = 0.0
    for _ in range(1_100):
        scene.look_at(now)
        now += LONGEST_PAUSE_S
        scene.look_at(now)
    assert server.starts == 1_100
    assert scene.said[-1] == "worker-1 died and is started again in 10.0 s"


def test_being_ready_makes_earlier_deaths_forgotten() -> None:
    server = FakeServer(lives=False)
    scene = Scene(starting=(server,))
    now = 0.0
    for _ in range(3 * MAX_DEATHS):
        server.pid, server.ready = None, False
        scene.look_at(now)
        now += FIRST_PAUSE_S
        scene.look_at(now)
        server.ready = True
        scene.look_at(now)
    assert server.starts == 3 * MAX_DEATHS


def test_a_start_that_fails_is_told_and_tried_again() -> None:
    server = FakeServer(lives=False)
    server.error = ServerError("port 1883 is taken")
    scene = Scene(ready=(server,))
    scene.look_at(0)
    scene.look_at(1)
    server.error = None
    scene.look_at(1)
    scene.look_at(2)
    assert server.pid == 1
    assert "port 1883 is taken" in scene.said


def test_waiting_ends_when_all_are_ready() -> None:
    servers = FakeServer("api", ready=True), FakeServer("bridge", ready=True)
    scene = Scene(starting=servers)
    scene.supervisor.wait_ready(threading.Event(), timeout_s=10)
    assert scene.said == ["api is ready", "bridge is ready"]


def test_waiting_ends_when_it_takes_too_long() -> None:
    scene = Scene(starting=(FakeServer("api"),))
    ticks = iter(range(100))
    scene.supervisor._clock = lambda: float(next(ticks))
    with pytest.raises(NotReadyError, match="api was not ready within 2 s"):
        scene.supervisor.wait_ready(threading.Event(), timeout_s=2)


def test_waiting_and_watching_end_when_asked_to_stop() -> None:
    stop = threading.Event()
    stop.set()
    scene = Scene(starting=(FakeServer(lives=False),))
    scene.supervisor.wait_ready(stop, timeout_s=10)
    scene.supervisor.watch(stop)
    assert scene.said == []


def test_watching_sees_after_the_processes_until_it_is_stopped() -> None:
    stop = threading.Event()
    server = FakeServer(lives=False)
    scene = Scene(ready=(server,))
    scene.supervisor._say = lambda _text: stop.set()
    scene.supervisor.watch(stop)
    assert stop.is_set()
