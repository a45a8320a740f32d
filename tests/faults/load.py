"""A platform under load: sources under way, a probe for each partition, a watch on the receipts, and how long recovery takes."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import psycopg
from receipts import ReceiptWatch, publisher
from road import PARTITIONS, Platform, until
from sources import CHANNELS, GatewaySource, PlainSource, Source

from devices.gateway import Gateway
from infra.servers.process import family
from ingest_mqtt.contract import partition_of

PATIENCE_S = 240.0
GATEWAYS = 4
MESSAGES = 5  # in a turn of a gateway: 400 readings/s with four of them
# Tests in context, with limits that the sources' values cross now and then.
JUDGING = {
    "ruleset": "air_temperature",
    "interval_s": 2,
    "quality": {
        "rate_of_change": {"suspect_per_h": 7_200, "fail_per_h": 18_000},
        "spike": {"suspect": 5, "fail": 15},
        "climatology": False,
        "neighbour": False,
    },
}
_runs = itertools.count(1)


class Load:
    """What publishes to `platform`; `recoveries`: seconds from a fault until a reading published after it was stored."""

    def __init__(self, platform: Platform, sources: list[Source], probe: Gateway, channels: dict[str, int]) -> None:
        self.platform = platform
        self.sources = sources
        self.watch = ReceiptWatch(platform, {source.device: source for source in sources})
        self.recoveries: list[float] = []
        self.notes: dict[str, Any] = {}
        self._probe = probe
        self._channels = channels  # Datastream of each probe

    @property
    def gateways(self) -> list[GatewaySource]:
        return [source for source in self.sources if isinstance(source, GatewaySource)]

    def kill(self, *names: str, number: signal.Signals = signal.SIGKILL) -> float:
        """Send the signal to processes and wait until readings of every partition are stored again; returns the seconds."""
        seen = {name: self.platform.readiness(name) for name in names}
        for name in names:
            self.platform.send(name, number)
        took = self.measure()
        for name in names:
            until(lambda name=name: self.platform.readiness(name) > seen[name], 120, f"{name} is ready again")
        return took

    def measure(self, timeout_s: float = 120.0) -> float:
        """Seconds from now until readings that are published now are stored."""
        began = time.monotonic()
        self.prove_stored(timeout_s)
        took = time.monotonic() - began
        self.recoveries.append(took)
        return took

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop a process and all below it as SIGSTOP does, and let it go on."""
        processes = family(self.platform.pid(name))
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in reversed(processes):
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def prove_stored(self, timeout_s: float = 120.0) -> None:
        """Publish a reading to each partition and wait until all are stored."""
        at = datetime.now(UTC)
        body = {"time": at, "property": "t", "value": 20.5}
        self._probe.publish_many([(device, [body]) for device in self._channels])
        sql = "SELECT count(*) FROM observation WHERE datastream_id = ANY (%s) AND phenomenon_time = %s"
        wanted = list(self._channels.values())
        with Asker(self.platform) as asker:
            until(
                lambda: asker.ask(sql, wanted, at)[0][0] == len(wanted), timeout_s, "a reading published after the fault is stored",
                tolerate=(psycopg.OperationalError,),
            )  # fmt: skip

    def settle(self, patience_s: float = PATIENCE_S) -> None:
        """End the sources and wait until every message has its receipt."""
        for source in self.sources:
            source.end()
        troubles = [source.trouble for source in self.sources if source.trouble is not None]
        assert not troubles, troubles
        deadline = time.monotonic() + patience_s
        for gateway in (self._probe, *(source.gateway for source in self.gateways)):
            assert gateway.flush(max(1.0, deadline - time.monotonic())), gateway.statistics()
        for source in self.sources:
            if isinstance(source, PlainSource):
                assert source.wait_acknowledged(60), f"the broker did not acknowledge all of {source.device}"
        last = {source.device: len(source.sent.times) - 1 for source in self.gateways}
        until(lambda: last.items() <= self.watch.last.items(), 60, "the last receipts are heard")
        until(self.watch.all_checked, 60, "all receipts are checked")


class Asker:
    """Asks the database over one connection, a new one after each failure."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stack = ExitStack()
        self._connection: psycopg.Connection[Any] | None = None

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                self._connection = self._stack.enter_context(self._platform.database())
            return self._connection.execute(sql.encode(), values).fetchall()
        except psycopg.OperationalError:
            self._connection = None
            with suppress(psycopg.Error):
                self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(psycopg.Error):
            self._stack.close()


def probe_names(prefix: str) -> list[str]:
    """A device for each partition."""
    found: dict[int, str] = {}
    for number in itertools.count():
        name = f"{prefix}-probe-{number}"
        found.setdefault(partition_of(f"default/{name}", PARTITIONS), name)
        if len(found) == PARTITIONS:
            return list(found.values())
    raise AssertionError


def register(platform: Platform, device: str, channels: tuple[str, ...] = ("t",), **properties: Any) -> dict[str, int]:
    """Register a device; the API may still find out that its database is back, and refuse what it has done already."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return platform.register(device, channels, judging=JUDGING, **properties)
        except (AssertionError, KeyError, httpx.TransportError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        with suppress(psycopg.OperationalError):
            if done := registered(platform, device):
                return done


def registered(platform: Platform, device: str) -> dict[str, int]:
    """Datastreams of a device by channel, nothing when there is none."""
    sql = "SELECT d.properties ->> 'channel', d.id FROM datastream d JOIN thing t ON t.id = d.thing_id WHERE t.device = %s"
    return dict(platform.rows(sql, device))


@contextmanager
def load(
    platform: Platform,
    folder: Path,
    name: str,
    *,
    gateways: int = GATEWAYS,
    messages: int = MESSAGES,
    plain: int = 1,
    plain_messages: int = 1,
    outboxes: Path | None = None,
    prepare: Callable[[Load], None] = lambda _made: None,
) -> Iterator[Load]:
    """Register devices with names of their own and let them publish: `gateways` with an outbox, `plain` ones without."""
    prefix = f"{name}-{next(_runs)}"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        probes = {device: register(platform, device)["t"] for device in probe_names(prefix)}
        probe = stack.enter_context(platform.gateway(next(iter(probes)), folder, account=publisher(platform)))
        sources: list[Source] = []
        for place in range(gateways + plain):
            device = f"{prefix}-{place}"
            channels = register(platform, device, CHANNELS)
            if place < gateways:
                gateway = stack.enter_context(platform.gateway(device, outboxes or folder))
                sources.append(GatewaySource(device, channels, gateway, place=place, messages=messages))
            else:
                address = ("127.0.0.1", platform.mqtt_port)
                account = platform.account(device)
                sources.append(PlainSource(device, channels, address, account, place=place, messages=plain_messages))
                stack.callback(sources[-1].close)
        made = Load(platform, sources, probe, probes)
        stack.callback(made.watch.end)
        made.watch.start()
        prepare(made)
        for source in sources:
            stack.callback(source.end)
            source.start()
        made.prove_stored()
        yield made
