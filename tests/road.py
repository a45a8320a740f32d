"""The whole platform as a process of its own (`grenzregion up`), with free ports and its data in a given directory.

Used by tests of the whole road. `Platform.end()` gives back every process, also those of a platform that was killed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import psycopg
import pytest
from needs import need

from devices.gateway import Gateway, Pace
from grenzregion import platform as addresses
from grenzregion.accounts import new_device_password
from infra.log import end_offsets, topic_id
from infra.servers.process import MARK
from infra.servers.server import free_port
from infra.servers.set import Places
from ingest_mqtt.contract import RAW_TOPIC

READY_S = 150.0  # generous: the machine may be shared
END_S = 60.0
SERVERS = ("mqtt", "kafka", "postgres")
PROCESSES = ("api", "worker-1", "bridge")
PARTITIONS = 4
PLACE = [9.4357, 54.7937]
TABLES = (
    "thing", "location", "thing_location", "historical_location", "historical_location_location", "sensor", "observed_property",
    "datastream", "feature_of_interest", "observation", "aggregate", "datastream_summary", "dead_letter", "receipt", "device_state",
    "revision",
)  # fmt: skip

_RECOUNT = Path(__file__).with_name("road_recount.sql").read_text()

T = TypeVar("T")


def until(
    ask: Callable[[], T], timeout_s: float, what: str, *, pause_s: float = 0.05, tolerate: tuple[type[Exception], ...] = ()
) -> T:
    """Ask until the answer is true and return it; fails the test with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(*tolerate):
            if answer := ask():
                return answer
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(pause_s)


class Platform:
    """A platform on `data_dir`; `start()` returns after READY."""

    def __init__(self, servers: str, data_dir: Path, *, http_port: int = 0, mqtt_port: int = 0, more: Iterable[str] = ()) -> None:
        need(servers)
        self.servers = servers
        self.data_dir = data_dir
        self.http_port = http_port or free_port()
        self.mqtt_port = mqtt_port or free_port(neighbours=1)
        self.url = f"http://127.0.0.1:{self.http_port}/"
        self._more = list(more)
        self._lines: queue.Queue[str] = queue.Queue()
        self.process: subprocess.Popen[str] | None = None

    def command(self) -> list[str]:
        return [
            sys.executable, "-m", "grenzregion", "up", "--servers", self.servers, "--data-dir", str(self.data_dir),
            "--http-port", str(self.http_port), "--mqtt-port", str(self.mqtt_port), "--simulator", "off", "--replay", "off",
            *self._more,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        return environment()

    def roots(self) -> tuple[Path, ...]:
        """Directories below which its processes keep their data."""
        return (self.data_dir,)

    def start(self) -> Platform:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._lines = queue.Queue()
        with self.said.open("w") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment())
        threading.Thread(target=self._listen, args=(self.process, self._lines), daemon=True).start()
        try:
            line = self._lines.get(timeout=READY_S)
            assert line.startswith("READY "), self.said.read_text()[-2000:]
        except BaseException:
            self.end()
            raise
        return self

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        with process.stdout as out:
            for line in out:
                lines.put(line)
        lines.put("")  # ended without READY

    @property
    def said(self) -> Path:
        """What `up` wrote to its standard error."""
        return self.data_dir.with_name(self.data_dir.name + ".up.log")

    def terminate(self) -> int:
        """End as SIGTERM asks and return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_S)

    def end(self) -> None:
        """End what still runs, whatever happened to it."""
        if self.process is not None:
            if self.process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.terminate()
                self.process.kill()
            self.process.wait()
        for left in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()

    def family(self) -> list[psutil.Process]:
        """Every living process that was started for this data directory, and what those started."""
        found: list[psutil.Process] = []
        roots = tuple(f"{root.absolute()}/" for root in self.roots())
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                mark = process.environ().get(MARK, "")
                if mark.startswith(roots) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def pid(self, name: str) -> int:
        return int((self.data_dir / "run" / f"{name}.pid").read_text())

    def names(self) -> tuple[str, ...]:
        """Every process that `up` keeps running, the servers among them."""
        return tuple(sorted(path.stem for path in (self.data_dir / "run").glob("*.pid")))

    def pids(self) -> dict[str, int]:
        return {name: self.pid(name) for name in (*SERVERS, *PROCESSES)}

    def ports(self) -> list[int]:
        """Every port that clients reach."""
        places = self.places
        return [self.http_port, places.mqtt_port, places.mqtt_legacy_port, int(places.kafka.rpartition(":")[2])]

    def kill(self, name: str) -> int:
        """Kill -9 one process and return its id."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def send(self, name: str, number: signal.Signals) -> None:
        """Send one process a signal."""
        os.kill(self.pid(name), number)

    def readiness(self, name: str) -> int:
        """How often the supervisor has said that a process is ready."""
        return self.said.read_text().count(f"{name} is ready")

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the API answers and finds database, log and broker."""
        tolerated = (httpx.HTTPError, KeyError, ValueError)
        until(lambda: self.get("health/ready")["status"] == "ready", timeout_s, "the API is ready", tolerate=tolerated)

    def http(self, *, token: bool = True) -> httpx.Client:
        if not token:
            return httpx.Client(base_url=self.url, timeout=60)
        secret = (self.data_dir / "token").read_text().strip()
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {secret}"}, timeout=60)

    def get(self, path: str) -> Any:
        with self.http() as http:
            return http.get(path).raise_for_status().json()

    @property
    def places(self) -> Places:
        return addresses.recall(self.data_dir)

    def register(
        self,
        device: str,
        channels: Iterable[str] = ("t",),
        *,
        tenant: str = "default",
        judging: dict[str, Any] | None = None,
        **properties: Any,
    ) -> dict[str, int]:
        """Make a Thing as its owner would; returns the Datastreams' ids by channel. `judging`: further properties of these."""
        body = thing(device, channels, tenant=tenant, **properties)
        for each in body["Datastreams"]:
            each["properties"] |= judging or {}
        with self.http() as http:
            answer = http.post("v1.1/Things", json=body)
            assert answer.status_code == 201, answer.text
            found = http.get(f"{answer.headers['location']}/Datastreams", params={"$select": "id,properties"}).json()["value"]
        return {each["properties"]["channel"]: each["@iot.id"] for each in found}

    def account(self, device: str, *, tenant: str = "default") -> tuple[str, str]:
        """User and password for the device: its own where the broker has such, else the shared one."""
        places = self.places
        if places.mqtt_device is not None:
            return places.mqtt_device.user, places.mqtt_device.password
        return f"{tenant}/{device}", new_device_password(places, f"{tenant}/{device}")

    def gateway(
        self,
        device: str,
        folder: Path,
        *,
        tenant: str = "default",
        account: tuple[str, str] | None = None,
        pace: Pace | None = None,
    ) -> Gateway:
        user, password = account or self.account(device, tenant=tenant)
        return Gateway(
            "127.0.0.1", self.mqtt_port, outbox=folder / f"{tenant}-{device}.sqlite", device=device, tenant=tenant,
            username=user, password=password, pace=pace,
        )  # fmt: skip

    @contextlib.contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.places.database_url, autocommit=True, connect_timeout=5) as connection:
            yield connection

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database() as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def counts(self) -> dict[str, int]:
        """Rows of every table that a request could change."""
        asked = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in TABLES)
        return dict(self.rows(asked))

    def letters(self, device: str) -> list[tuple[Any, ...]]:
        """Payload, reason, refused indices and number of readings of a device's dead letters, in the order of their seq."""
        return self.rows(
            "SELECT payload, reason, refused, readings, topic FROM dead_letter WHERE device = %s ORDER BY seq, id", device
        )

    def stored(self, device: str) -> int:
        (row,) = self.rows(
            "SELECT count(*) FROM observation o JOIN datastream d ON d.id = o.datastream_id JOIN thing t ON t.id = d.thing_id"
            " WHERE t.device = %s", device,
        )  # fmt: skip
        return row[0]

    def refused(self, device: str) -> int:
        (row,) = self.rows("SELECT coalesce(sum(readings), 0) FROM dead_letter WHERE device = %s", device)
        return row[0]

    def wrong_figures(self) -> list[tuple[Any, ...]]:
        """Aggregates and summaries that differ from a new count of all rows."""
        return self.rows(_RECOUNT)

    def ledger_and_ends(self) -> tuple[dict[int, int], dict[int, int]]:
        """Next offsets of the worker's ledger, and the ends of the log, by partition."""
        kafka = self.places.kafka
        ledger = self.rows(
            "SELECT partition, next_offset FROM ledger WHERE topic = %s AND incarnation = %s", RAW_TOPIC, topic_id(kafka, RAW_TOPIC)
        )
        return dict(ledger), end_offsets(kafka, RAW_TOPIC, PARTITIONS)


def environment() -> dict[str, str]:
    """This program's environment without settings of a platform."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GRENZREGION_") or name == "GRENZREGION_SERVERS_DIR"
    }


def thing(device: str, channels: Iterable[str], *, tenant: str = "default", **properties: Any) -> dict[str, Any]:
    """Body of a Thing with a place and a temperature Datastream for each channel."""
    return {
        "name": f"road {device}", "description": "a station of the tests",
        "properties": {"tenant": tenant, "device": device, "theme": "weather", **properties},
        "Locations": [{"name": device, "description": "x", "encodingType": "application/geo+json",
                       "location": {"type": "Point", "coordinates": PLACE}}],
        "Datastreams": [_datastream(channel) for channel in channels],
    }  # fmt: skip


def _datastream(channel: str) -> dict[str, Any]:
    return {
        "name": channel, "description": "temperature",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "Cel"},
        "properties": {"channel": channel, "fail_span": [-50, 60], "suspect_span": [-30, 45]},
        "Sensor": {"name": "thermometer", "description": "x", "encodingType": "text/html", "metadata": "x"},
        "ObservedProperty": {"name": "temperature", "definition": "urn:road:temperature", "description": "x"},
    }  # fmt: skip
