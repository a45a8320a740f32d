"""Stages that are no requests in a loop: creating over MQTT, streaming everything as CSV, and pgbench beside them."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as mqtt
import psutil
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.api_region import Region
from benchmarks.platform import Platform
from infra.servers.install import root_dir

MQTT_CLIENTS = 4
SETTLE_S = 20.0


def create_over_mqtt(running: Platform, region: Region, messages: int) -> tuple[float, int]:
    """Publish Observations with QoS 1; gives how many were stored a second until the last was visible, and how many were lost."""
    user, password = running.partner()
    made: list[list[tuple[str, bytes]]] = [[] for _ in range(MQTT_CLIENTS)]
    for number in range(messages):
        datastream, body = region.observation()
        made[number % MQTT_CLIENTS].append((f"v1.1/Datastreams({datastream})/Observations", msgspec.json.encode(body)))
    before, begin = running.count(), time.perf_counter()
    threads = [threading.Thread(target=_publish, args=(running.mqtt_port, user, password, part)) for part in made]
    for thread in threads:
        thread.start()
    seen, moved = 0, time.perf_counter()
    while seen < messages and (any(t.is_alive() for t in threads) or time.perf_counter() - moved < SETTLE_S):
        time.sleep(0.2)
        now = running.count() - before
        if now != seen:
            seen, moved = now, time.perf_counter()
    for thread in threads:
        thread.join()
    return seen / (moved - begin), messages - seen


def _publish(port: int, user: str, password: str, messages: list[tuple[str, bytes]]) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(user, password)
    client.max_inflight_messages_set(500)
    client.max_queued_messages_set(0)
    connected, left, done = threading.Event(), len(messages), threading.Event()

    def acknowledged(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    client.on_publish = acknowledged
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    if connected.wait(30):
        for topic, body in messages:
            client.publish(topic, body, qos=1)
        done.wait(120)
    client.disconnect()
    client.loop_stop()


def stream_csv(running: Platform) -> tuple[float, int, float]:
    """Read all Observations as CSV; gives seconds, lines, and the most memory in MB that the API's process had meanwhile."""
    process, most, over = psutil.Process(running.pid("api")), 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.05):
            most = max(most, sum(p.memory_info().rss for p in [process, *process.children(recursive=True)]) / 1e6)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin, lines = time.perf_counter(), 0
    try:
        with running.http.stream("GET", "v1.1/Observations?$resultFormat=CSV", headers={"Accept-Encoding": "identity"}) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                lines += chunk.count(b"\n")
    finally:
        over.set()
        watcher.join()
    return time.perf_counter() - begin, lines, most


def pgbench(running: Platform, seconds: int, say: Callable[[str], None]) -> float | None:
    """Give what `pgbench -S -c 8` reaches on the same server, or None where it can't run."""
    url = running.places()["database_url"]
    parts = urlsplit(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE pgbench")
    command = [
        "chroot", str(root_dir()), "/usr/bin/env", f"PGPASSWORD={parts.password or ''}", "/usr/lib/postgresql/17/bin/pgbench",
        "-h", str(parts.hostname), "-p", str(parts.port), "-U", str(parts.username),
    ]  # fmt: skip
    try:
        subprocess.run([*command, "-i", "-q", "-s", "10", "pgbench"], check=True, capture_output=True, text=True)
        done = subprocess.run(
            [*command, "-S", "-c", "8", "-T", str(seconds), "pgbench"], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"no pgbench: {error} {getattr(error, 'stderr', '')}")
        return None
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP DATABASE pgbench")
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    return float(found[1]) if found else None
