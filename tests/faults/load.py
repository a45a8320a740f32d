"""Gateways that publish all the time, what they sent, and whether each receipt told the truth."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from road import Platform, until

from devices.gateway import Gateway

DEVICES = 4
TURN_S = 0.1
MESSAGES, READINGS = 5, 2  # in a turn of each device: 400 readings/s in all
CHANNELS = ("t", "u")
PATIENCE_S = 150.0
INVALID = b'{"readings": [{"property": "t", '


@dataclass(slots=True)
class Sent:
    """What a device sent; `times` by seq: a stored reading's time, None for a message that is refused as a whole."""

    stored: int = 0
    refused: int = 0
    total: float = 0.0  # of the stored values, tenths
    times: list[datetime | None] = field(default_factory=list)


class Source(threading.Thread):
    """One device with a gateway of its own: readings a second apart, in the past, every tenth message poisoned."""

    def __init__(self, device: str, gateway: Gateway) -> None:
        super().__init__(name=device, daemon=True)
        self.device = device
        self.gateway = gateway
        self.sent = Sent()
        self.trouble: Exception | None = None
        self._tick = 0
        self._start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            due = time.monotonic()
            while not self._stopping.is_set():
                self._turn()
                due = max(due + TURN_S, time.monotonic() - 1)
                self._stopping.wait(max(0.0, due - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - the test raises it
            self.trouble = error

    def end(self) -> None:
        self._stopping.set()
        self.join(30)

    def _turn(self) -> None:
        messages = [[self._reading() for _ in range(READINGS)] for _ in range(MESSAGES)]
        turn = self._tick // (MESSAGES * READINGS)
        if turn % 2:  # the neighbour of a poisoned reading is stored
            messages[turn % MESSAGES][-1] |= {"property": "ghost"}
        self._note(messages)
        seqs = self.gateway.publish_many([(None, readings) for readings in messages], format="json")
        if turn % 4 == 2:
            self.sent.times.append(None)
            self.sent.refused += 1
            seqs.append(self.gateway.publish_raw(INVALID, "json"))
        assert seqs[-1] == len(self.sent.times) - 1

    def _note(self, messages: list[list[dict[str, Any]]]) -> None:
        for readings in messages:
            good = [each for each in readings if each["property"] != "ghost"]
            self.sent.stored += len(good)
            self.sent.refused += len(readings) - len(good)
            self.sent.total += sum(round(each["value"] * 10) for each in good)
            self.sent.times.append(good[0]["time"])

    def _reading(self) -> dict[str, Any]:
        self._tick += 1
        at = self._start + timedelta(seconds=self._tick)
        return {"time": at, "property": CHANNELS[self._tick % 2], "value": (self._tick * 37 % 400) / 10}


class ReceiptWatch:
    """Hears every receipt and asks the database at once whether the message is really stored."""

    def __init__(self, platform: Platform, sources: dict[str, Source]) -> None:
        self.heard = self.checked = 0
        self.untrue: list[str] = []
        self.last: dict[str, dict[str, int]] = {}
        self._platform = platform
        self._sources = sources
        self._new: dict[str, int] = {}
        self._wake, self._stop = threading.Event(), threading.Event()
        places = platform.places
        user, password = publisher(platform)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="road-receipts", protocol=mqtt.MQTTv5)
        self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = lambda client, *_: client.subscribe("region/1/default/+/receipt", qos=1)
        self._client.on_message = self._on_message
        self._client.connect(places.mqtt_host, places.mqtt_port)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._client.loop_start()
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(30)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[3]
        if device in self._sources:
            self.heard += 1
            receipt = self.last[device] = json.loads(message.payload)
            self._new[device] = receipt["seq"]
            self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            with suppress(psycopg.OperationalError), self._platform.database() as connection:
                while self._new:
                    device, seq = next(iter(self._new.items()))
                    if not self._is_settled(connection, device, seq):
                        self.untrue.append(f"{device} {seq}")
                    if self._new.get(device) == seq:
                        del self._new[device]
                    self.checked += 1
            self._stop.wait(0.1)

    def _is_settled(self, connection: psycopg.Connection[Any], device: str, seq: int) -> bool:
        at = self._sources[device].sent.times[seq]
        if at is None:
            sql, values = "SELECT FROM dead_letter WHERE device = %s AND seq = %s", (device, seq)
        else:
            sql, values = "SELECT FROM observation WHERE phenomenon_time = %s AND seq = %s", (at, seq)
        return bool(connection.execute(sql, values).rowcount)


def publisher(platform: Platform) -> tuple[str, str]:
    """An account that hears all receipts."""
    places = platform.places
    if places.mqtt_device is not None:
        return places.mqtt_device.user, places.mqtt_device.password
    return "grenzregion-publisher", (platform.data_dir / "accounts/publisher").read_text().strip()


class Load:
    """Sources under way, a probe beside them, and a watch on their receipts."""

    def __init__(self, platform: Platform, sources: list[Source], probe: Gateway, channel: int, watch: ReceiptWatch) -> None:
        self.platform = platform
        self.sources = sources
        self.watch = watch
        self.recoveries: list[float] = []
        self._probe = probe
        self._channel = channel
        self._probes = 0

    def kill(self, name: str) -> float:
        """Kill -9 a process and wait until it is ready again; returns the seconds until a reading published after it was stored."""
        ready = f"{name} is ready"
        seen = self.platform.said.read_text().count(ready)
        self.platform.kill(name)
        began = time.monotonic()
        self.prove_stored()
        took = time.monotonic() - began
        self.recoveries.append(took)
        until(lambda: self.platform.said.read_text().count(ready) > seen, 90, f"{name} is ready again")
        return took

    def prove_stored(self, timeout_s: float = 90.0) -> None:
        """Publish a reading and wait until it is stored."""
        self._probes += 1
        at = datetime.now(UTC)
        self._probe.publish([{"time": at, "property": "t", "value": 20.5}])
        sql = "SELECT true FROM observation WHERE datastream_id = %s AND phenomenon_time = %s"
        until(
            lambda: self.platform.rows(sql, self._channel, at), timeout_s, "a reading published after the kill is stored",
            tolerate=(psycopg.OperationalError,),
        )  # fmt: skip

    def settle(self) -> None:
        """End the sources and wait until every message has its receipt."""
        for source in self.sources:
            source.end()
        deadline = time.monotonic() + PATIENCE_S
        for gateway in (self._probe, *(source.gateway for source in self.sources)):
            assert gateway.flush(max(1.0, deadline - time.monotonic())), gateway.statistics()
            assert gateway.statistics().queued == 0
        for source in self.sources:
            assert source.trouble is None
        last = {source.device: len(source.sent.times) - 1 for source in self.sources}
        until(
            lambda: {device: receipt["seq"] for device, receipt in self.watch.last.items()} == last,
            30,
            "the last receipts are heard",
        )


@contextmanager
def load(platform: Platform, folder: Path, prefix: str) -> Iterator[Load]:
    """Register devices with names of their own and let them publish."""
    names = [f"{prefix}-{number}" for number in range(DEVICES)]
    channel = platform.register(f"{prefix}-probe")["t"]
    for name in names:
        platform.register(name, CHANNELS)
    with ExitStack() as stack:
        probe = stack.enter_context(platform.gateway(f"{prefix}-probe", folder))
        sources = {name: Source(name, stack.enter_context(platform.gateway(name, folder))) for name in names}
        watch = ReceiptWatch(platform, sources)
        stack.callback(watch.end)
        watch.start()
        made = Load(platform, list(sources.values()), probe, channel, watch)
        for source in made.sources:
            stack.callback(source.end)
            source.start()
        made.prove_stored()
        yield made
