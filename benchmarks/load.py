"""Publishers of the benchmark, each a process of its own: `python -m benchmarks.load SPEC` with a JSON object.

A publisher stands for many devices with one connection, as a gateway does, with identity but without an outbox: the outbox is
measured apart. It prints one JSON line when everything has its receipt.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WINDOW = 2_000  # messages without a PUBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to publish: `messages` of `readings` each over `devices` named `bench-N`, at most `rate` messages/s (0: no limit)."""

    host: str
    port: int
    user: str
    password: str
    devices: list[int]
    channels: int
    messages: int
    readings: int
    epoch: int
    start: str
    rate: float = 0
    patience_s: float = 120


def payloads(spec: Spec) -> list[tuple[str, bytes, Properties]]:
    """Make all messages before the clock runs."""
    start = datetime.fromisoformat(spec.start)
    made: list[tuple[str, bytes, Properties]] = []
    ticks = dict.fromkeys(spec.devices, 0)
    for number in range(spec.messages):
        device = spec.devices[number % len(spec.devices)]
        readings: list[dict[str, Any]] = []
        for _ in range(spec.readings):
            tick = ticks[device]
            ticks[device] += 1
            time_text = (start + timedelta(seconds=tick // spec.channels)).strftime("%Y-%m-%dT%H:%M:%SZ")
            readings.append({"time": time_text, "property": f"c{tick % spec.channels}", "value": (tick * 7919 % 4000) / 100})
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("epoch", str(spec.epoch)), ("seq", str(number // len(spec.devices))), ("first", "0")]
        topic = f"region/1/default/bench-{device}/up/json"
        made.append((topic, json.dumps({"readings": readings}, separators=(",", ":")).encode(), properties))
    return made


class Publisher:
    """One connection that publishes and waits for receipts."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._window = threading.Semaphore(WINDOW)
        self._up, self._done = threading.Event(), threading.Event()
        each, more = divmod(spec.messages, len(spec.devices))
        self._open = {device: each + (place < more) - 1 for place, device in enumerate(spec.devices) if each + (place < more)}
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"bench-{spec.devices[0]}-{spec.epoch}", protocol=mqtt.MQTTv5)
        client.username_pw_set(spec.user, spec.password)
        client.max_inflight_messages_set(1_000)
        client.max_queued_messages_set(0)
        client.on_connect = self._on_connect
        client.on_publish = lambda *_: self._window.release()
        client.on_message = self._on_message
        self._client = client

    def run(self) -> dict[str, float]:
        """Publish everything; returns seconds until the last PUBACK and until the last receipt."""
        made = payloads(self._spec)
        self._client.connect(self._spec.host, self._spec.port)
        self._client.loop_start()
        if not self._up.wait(30):
            raise SystemExit("no connection")
        began = time.time()
        for number, (topic, body, properties) in enumerate(made):
            self._pace(began, number)
            self._window.acquire()
            self._client.publish(topic, body, qos=1, properties=properties)
        for _ in range(WINDOW):
            self._window.acquire()
        published = time.time()
        receipted = self._done.wait(self._spec.patience_s)
        ended = time.time()
        self._client.disconnect()
        self._client.loop_stop()
        return {"began": began, "published": published, "ended": ended, "receipted": float(receipted)}

    def _pace(self, began: float, number: int) -> None:
        if self._spec.rate and (wait := began + number / self._spec.rate - time.time()) > 0:
            time.sleep(wait)

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe("region/1/+/+/receipt", qos=1)
        self._up.set()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[3].removeprefix("bench-")
        receipt = json.loads(message.payload)
        if device.isdigit() and receipt["epoch"] == self._spec.epoch and receipt["seq"] >= self._open.get(int(device), 2**62):
            del self._open[int(device)]
            if not self._open:
                self._done.set()


if __name__ == "__main__":
    print(json.dumps(Publisher(Spec(**json.loads(sys.argv[1]))).run()), flush=True)
