"""A platform for gateways: takes messages, remembers their seqs, and sends cumulative receipts as the worker does."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from infra.servers.server import Server


def wait_until(condition: Callable[[], object], what: str = "", timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s for {what or condition}"
        time.sleep(0.01)


class FakePlatform:
    """`silent`: no receipts. `lose`: says of a message (device, seq) whether it vanishes, as after a broker's crash."""

    def __init__(self, broker: Server) -> None:
        self.messages: list[tuple[str, int, int, list[object]]] = []  # device, epoch, seq, values
        self.firsts: list[int] = []
        self.statuses: dict[str, str] = {}
        self.silent = False
        self.lose: Callable[[str, int], bool] = lambda _device, _seq: False
        self._seqs: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="platform", protocol=mqtt.MQTTv5)
        self._client.username_pw_set(broker.admin.user, broker.admin.password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect(broker.reach, broker.port)
        self._client.loop_start()
        assert self._ready.wait(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def values(self, device: str = "a") -> set[object]:
        return {value for name, _, _, values in list(self.messages) if name == device for value in values}

    def epochs(self, device: str = "a") -> set[int]:
        return {epoch for name, epoch, _, _ in list(self.messages) if name == device}

    def receipt(self, device: str, epoch: int, seq: int) -> None:
        self.send(device, json.dumps({"epoch": epoch, "seq": seq}).encode())

    def has_seen(self, device: str, epoch: int, seq: int) -> None:
        """Be a platform that got every message up to this one, and says so again whenever one of them is repeated."""
        self._seqs[device, epoch] |= set(range(seq + 1))
        self.receipt(device, epoch, seq)

    def send(self, device: str, payload: bytes) -> None:
        self._client.publish(f"region/1/default/{device}/receipt", payload, qos=1, retain=True).wait_for_publish(10)

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([("region/1/+/+/up/+", 1), ("region/1/+/+/status", 1)])

    def _on_message(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[3]
        if message.topic.endswith("/status"):
            self.statuses[device] = message.payload.decode()
            return
        body = json.loads(message.payload)
        identity = dict(getattr(message.properties, "UserProperty", [])) or body
        epoch, seq, first = (int(identity[name]) for name in ("epoch", "seq", "first"))
        if self.lose(device, seq):
            return
        self.messages.append((device, epoch, seq, [reading["value"] for reading in body["readings"]]))
        self.firsts.append(first)
        seen = self._seqs[device, epoch]
        seen.add(seq)
        end = first - 1
        while end + 1 in seen:
            end += 1
        if end >= first and not self.silent:
            client.publish(f"region/1/default/{device}/receipt", json.dumps({"epoch": epoch, "seq": end}), qos=1, retain=True)
