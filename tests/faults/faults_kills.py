"""Processes that die or stand still: kill -9, SIGTERM, SIGSTOP, everything at once, a second worker that comes and goes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial

from extra_worker import ExtraWorker
from poster import Poster
from road import until
from stage import Scenario, Stage
from station import Stations

KILLS = {"bridge": 100, "worker-1": 100, "mqtt": 50, "postgres": 20, "kafka": 20}
ASKED_S = {"bridge": 10.0, "worker-1": 15.0, "mqtt": 15.0, "postgres": 10.0, "kafka": 30.0}
BEYOND_SESSION_S = 9.0  # the extra worker's session lasts 6 s


def kill_often(stage: Stage, name: str) -> None:
    with stage.load(may_lose_plain=name == "mqtt") as made:
        for _ in range(stage.times(KILLS[name])):
            time.sleep(stage.rng.uniform(0.1, 0.9))  # so that a kill hits every state of the work
            made.kill(name)


def kill_api(stage: Stage) -> None:
    """The API is beside the road: what clients were told is created is there, and readings flow on."""
    with stage.load(may_lose_plain=False) as made, Poster(stage.platform, stage.name) as poster:
        for _ in range(stage.times(20)):
            time.sleep(stage.rng.uniform(0.1, 0.9))
            seen, answered = stage.platform.readiness("api"), poster.created
            stage.platform.send("api", signal.SIGKILL)
            began = time.monotonic()
            until(lambda answered=answered: poster.created > answered + 1, 120, "a client can write again")
            made.recoveries.append(time.monotonic() - began)
            until(lambda seen=seen: stage.platform.readiness("api") > seen, 120, "the API is ready again")
        poster.end()
        made.notes |= poster.check()


def kill_gateways(stage: Stage) -> None:
    """Gateways are processes here; what `publish` returned for is stored, and nothing of half a turn."""
    with stage.load(may_lose_plain=False, gateways=1) as made, Stations(stage.platform, stage.folder, stage.name) as stations:
        for _ in range(stage.times(50)):
            time.sleep(stage.rng.uniform(0.2, 0.9))
            stations.kill_one(stage.rng)
        made.notes |= stations.settle_and_check()


def terminate_each(stage: Stage) -> None:
    with stage.load() as made:
        for _ in range(stage.times(3)):
            for name in stage.platform.names():
                time.sleep(stage.rng.uniform(0.1, 0.5))
                # PostgreSQL waits for its clients at a SIGTERM, and they for it; who ends it asks by SIGINT.
                made.kill(name, number=signal.SIGINT if name == "postgres" else signal.SIGTERM)


def stop_each(stage: Stage) -> None:
    """Each process stands still for a minute, in the middle of whatever it did."""
    with stage.load() as made:
        for name in stage.platform.names():
            with made.frozen(name):
                time.sleep(stage.seconds(60, 2))
            made.measure()


def kill_everything(stage: Stage) -> None:
    with stage.load() as made:
        for _ in range(stage.times(5)):
            time.sleep(stage.rng.uniform(0.1, 0.9))
            made.kill(*stage.platform.names())


def kill_everything_and_the_supervisor(stage: Stage) -> None:
    """As when the machine's container is killed: `grenzregion up` is started again on the same data."""
    platform = stage.platform
    with stage.load() as made:
        for _ in range(stage.times(3)):
            time.sleep(stage.rng.uniform(0.1, 0.9))
            pids = [platform.pid(name) for name in platform.names()]
            assert platform.process is not None
            for pid in (platform.process.pid, *pids):
                os.kill(pid, signal.SIGKILL)
            platform.process.wait()
            began = time.monotonic()
            platform.start()
            made.prove_stored()
            made.recoveries.append(time.monotonic() - began)


def rebalance(stage: Stage) -> None:
    """A second worker joins, is killed, joins again; the first one is killed too."""
    with stage.load(may_lose_plain=False) as made:
        for _ in range(stage.times(10)):
            with ExtraWorker(stage.platform) as extra:
                until(extra.owns_partitions, 60, "the second worker has partitions")
                made.measure()
                extra.kill()
                extra.start()
                made.kill("worker-1")
                until(extra.owns_partitions, 60, "the second worker has partitions again")
                extra.terminate()
        made.measure()


def zombie(stage: Stage) -> None:
    """A frozen worker loses its partitions to another, wakes up in the middle of its work, and must not write."""
    with stage.load(may_lose_plain=False) as made, ExtraWorker(stage.platform) as extra:
        for _ in range(stage.times(10)):
            until(extra.owns_partitions, 90, "the second worker has partitions")
            pid = extra.pid
            os.kill(pid, signal.SIGSTOP)
            time.sleep(stage.seconds(60, BEYOND_SESSION_S))
            made.measure()  # every partition goes on without it
            assert not extra.owns_partitions()
            os.kill(pid, signal.SIGCONT)
            made.prove_stored()
        made.notes["owners_changed"] = extra.epochs()


def _scenario(name: str, what: str, run: Callable[[Stage], None], recovery_s: float | None = None) -> Scenario:
    return Scenario(name=name, what=what, run=run, recovery_s=recovery_s)


def _embedded(name: str) -> Scenario:
    what = f"kill -9 of {name} where log and broker keep nothing"
    return Scenario(name=f"embedded-kill-{name.removesuffix('-1')}", what=what, run=partial(kill_often, name=name), kind="embedded")


SCENARIOS = [
    *(
        _scenario(f"kill-{name.removesuffix('-1')}", f"kill -9 of {name}", partial(kill_often, name=name), ASKED_S[name])
        for name in KILLS
    ),
    _scenario("kill-api", "kill -9 of the API while clients create Observations", kill_api, 15.0),
    _scenario("kill-gateway", "kill -9 of gateways", kill_gateways),
    _scenario("kill-everything", "kill -9 of all processes at once", kill_everything, 60.0),
    _scenario("kill-supervisor", "kill -9 of everything and the supervisor too", kill_everything_and_the_supervisor, 60.0),
    _scenario("terminate", "SIGTERM of each process", terminate_each, 60.0),
    _scenario("freeze", "SIGSTOP of each process for a minute", stop_each, 60.0),
    _scenario("rebalance", "a second worker that joins and dies, while the first dies too", rebalance, 60.0),
    _scenario("zombie", "a frozen worker that wakes up after its partitions went to another", zombie, 60.0),
]
EMBEDDED = [_embedded("bridge"), _embedded("worker-1")]
