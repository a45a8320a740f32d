"""Servers away, slow, full or cut off: the scenario runs them itself, behind proxies."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from typing import cast

import psycopg
from apart import LINKS, Apart
from ballast import SmallDisk
from load import Asker, Load
from road import until
from stage import Scenario, Stage, rss_mb

AWAY_S = 600.0
RSS_LIMIT_MB = 300.0
SLOW_S, SLOW_BYTES_PER_S = 0.15, 200_000.0
FULL_S = 20.0


def apart(stage: Stage) -> Apart:
    return cast("Apart", stage.platform)


def away(stage: Stage, name: str) -> None:
    """A server is gone for ten minutes; what was sent meanwhile waits in log, broker and outboxes, and is stored afterwards."""
    platform = apart(stage)
    with stage.load(patience_s=900) as made:
        with platform.away(name):
            before = sum(source.sent.stored for source in made.sources)
            time.sleep(stage.seconds(AWAY_S, 3))
            waiting = sum(source.sent.stored for source in made.sources) - before
            memory = rss_mb(platform)
        began = time.monotonic()
        made.measure(timeout_s=600)  # behind the backlog
        made.notes |= drain(made, waiting, began)
        made.notes["rss_while_away_mb"] = memory
        big = {name: memory[name] for name in ("bridge", "worker-1") if memory.get(name, 0) > RSS_LIMIT_MB}
        assert not big, f"memory while {name} was away: {big}"


def drain(made: Load, waiting: int, began: float) -> dict[str, float]:
    """How fast the backlog was stored, while new readings came as before."""
    ids = [each for source in made.sources for each in source.channels.values()]
    sql = "SELECT count(*) FROM observation WHERE datastream_id = ANY (%s)"
    with Asker(made.platform) as asker:

        def caught_up() -> bool:
            goal = sum(source.sent.stored for source in made.gateways)
            return asker.ask(sql, ids)[0][0] >= goal * 0.98 - 400

        until(caught_up, 600, "the backlog is stored", pause_s=0.3, tolerate=(psycopg.OperationalError,))
    took = max(time.monotonic() - began, 0.001)
    return {"backlog": waiting, "backlog_s": round(took, 1), "backlog_per_s": round(waiting / took)}


def cut(stage: Stage) -> None:
    """Connections are cut at random, each kind of them."""
    platform = apart(stage)
    with stage.load(may_lose_plain=False) as made:
        for _ in range(stage.times(50)):
            for name in LINKS:
                time.sleep(stage.rng.uniform(0.1, 0.5))
                platform.links[name].cut()
        made.measure()
        made.notes["cuts"] = {name: platform.links[name].cuts for name in LINKS}


def half_open(stage: Stage) -> None:
    """Nothing gets through, and nobody is told; then the old connections are dead, or go on where they were."""
    platform = apart(stage)
    with stage.load(may_lose_plain=False) as made:
        for round_ in range(stage.times(3)):
            for name in LINKS:
                platform.links[name].freeze()
                time.sleep(stage.seconds(40, 3))
                platform.links[name].thaw(cut=round_ % 2 == 0)
                made.measure()


def delay(stage: Stage) -> None:
    platform = apart(stage)
    with stage.load(may_lose_plain=False) as made:
        try:
            for link in platform.links.values():
                link.delay_s = 0.1
            time.sleep(stage.seconds(60, 3))
        finally:
            platform.heal()
        made.measure()


def slow_database(stage: Stage) -> None:
    """The database answers after 150 ms, at 200 kB/s: readings pile up in the log, not in memory."""
    platform = apart(stage)
    link = platform.links["database"]
    with stage.load(may_lose_plain=False) as made:
        try:
            link.delay_s, link.bytes_per_s = SLOW_S, SLOW_BYTES_PER_S
            time.sleep(stage.seconds(120, 4))
        finally:
            link.heal()
        made.measure()


def session_wiped(stage: Stage) -> None:
    """The broker comes back without anything that it had kept: sessions, queues, retained receipts."""
    platform = apart(stage)
    with stage.load() as made:
        for _ in range(stage.times(10)):
            time.sleep(stage.rng.uniform(0.2, 0.8))
            with platform.away("mqtt"):
                (platform.folder_of("mqtt") / "mosquitto.db").unlink(missing_ok=True)
            made.measure()


def disk_full(stage: Stage, name: str) -> None:
    """The disk of a server has no room left for a while: it may die, nothing that was promised may be gone."""
    platform = apart(stage)
    disk = platform.disks[name]
    with stage.load() as made:
        deaths = platform.deaths
        try:
            disk.fill()
            time.sleep(stage.seconds(FULL_S, 4))
        finally:
            disk.make_room()
        platform.wait_server(name)
        made.measure()
        made.notes["deaths_on_full_disk"] = platform.deaths - deaths


def gateway_disk_full(stage: Stage) -> None:
    """A gateway's disk is full: `publish` refuses, and what it had taken is delivered.

    Its network is away too: an outbox that shrinks by receipts goes on in the room that it has.
    """
    link = apart(stage).links["devices"]
    folder = stage.folder / "small"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with SmallDisk(folder, 4_000_000) as disk, stage.load(may_lose_plain=False, outboxes=folder) as made:
        for _ in range(stage.times(5)):
            refused = refusals(made)
            disk.fill()
            link.refuse(refusing=True)
            until(lambda refused=refused: refusals(made) > refused, 60, "an outbox has refused a reading")
            time.sleep(stage.seconds(5, 1))
            disk.make_room()
            link.refuse(refusing=False)
            made.measure()
        made.notes["refused_by_outboxes"] = refusals(made)


def refusals(made: Load) -> int:
    return sum(source.refusals for source in made.gateways)


def _scenario(name: str, what: str, run: Callable[[Stage], None], recovery_s: float | None = None) -> Scenario:
    return Scenario(name=name, what=what, run=run, kind="apart", recovery_s=recovery_s)


def _full(name: str, what: str) -> Scenario:
    run = partial(disk_full, name=name)
    return Scenario(name=f"disk-full-{name}", what=f"no room on {what}'s disk", run=run, kind="full", recovery_s=120.0)


SCENARIOS = [
    _scenario("database-away", "the database away for ten minutes", partial(away, name="postgres")),
    _scenario("log-away", "Kafka away for ten minutes", partial(away, name="kafka")),
    _scenario("broker-away", "the MQTT broker away for ten minutes", partial(away, name="mqtt")),
    _scenario("cut", "connections cut at random, of every kind", cut, 60.0),
    _scenario("half-open", "networks that swallow everything without a word", half_open, 120.0),
    _scenario("delay", "100 ms more on every chunk of every connection", delay, 60.0),
    _scenario("slow-database", "a database behind 150 ms and 200 kB/s", slow_database, 60.0),
    _scenario("session-wiped", "a broker that comes back without its sessions", session_wiped, 60.0),
    _scenario("disk-full-gateway", "no room on the gateways' disk", gateway_disk_full, 60.0),
    _full("postgres", "PostgreSQL"),
    _full("kafka", "Kafka"),
    _full("mqtt", "mosquitto"),
]
