"""Devices that publish all the time and know what they sent: with an outbox (gateways) and without one."""

from __future__ import annotations

import json
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.gateway import Gateway, GatewayError

TURN_S = 0.1
READINGS = 2  # in a message
CHANNELS = ("t", "u")
BACK_DAYS = 20  # the readings' times begin so long ago: a second goes by from one to the next, whatever the rate
INVALID = b'{"readings": [{"property": "t", '
NO_ROW = -1


@dataclass(slots=True)
class Sent:
    """What a device sent; `times` by seq: microseconds of a stored reading's time, `NO_ROW` for a message refused as a whole."""

    stored: int = 0
    refused: int = 0
    total: int = 0  # of the stored values, tenths
    times: array[int] = field(default_factory=lambda: array("q"))

    @property
    def readings(self) -> int:
        return self.stored + self.refused


def tenths(tick: int) -> int:
    """The value of a device's reading number `tick`, in tenths: up and down, with a spike now and then and a flat part."""
    spike = 120 if tick % 97 < 2 else 60 if tick % 61 < 2 else 0
    return 150 + max(20, abs(tick % 1_000 - 500) // 5) + spike


class Source(threading.Thread):
    """A device that publishes `messages` of two readings ten times a second; its times are its own, by `place` microseconds."""

    has_outbox = True

    def __init__(self, device: str, channels: dict[str, int], *, place: int, messages: int) -> None:
        super().__init__(name=device, daemon=True)
        self.device = device
        self.channels = channels
        self.sent = Sent()
        self.trouble: Exception | None = None
        self._messages = messages
        self._tick = 0
        self._start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=BACK_DAYS) + timedelta(microseconds=place)
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            due = time.monotonic()
            while not self._stopping.is_set():
                self._turn()
                due = max(due + TURN_S, time.monotonic() - 1)
                self._stopping.wait(max(0.0, due - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - the check raises it
            self.trouble = error

    def end(self) -> None:
        self._stopping.set()
        if self.ident is not None:
            self.join(60)

    def _turn(self) -> None:
        raise NotImplementedError

    def reading(self) -> tuple[datetime, dict[str, Any]]:
        self._tick += 1
        at = self._start + timedelta(seconds=self._tick)
        return at, {"time": at, "property": CHANNELS[self._tick % 2], "value": tenths(self._tick) / 10}

    def note(self, at: datetime, readings: list[dict[str, Any]]) -> None:
        good = [each for each in readings if each["property"] != "ghost"]
        self.sent.stored += len(good)
        self.sent.refused += len(readings) - len(good)
        self.sent.total += sum(round(each["value"] * 10) for each in good)
        self.sent.times.append(microseconds(at))


class GatewaySource(Source):
    """A device with a gateway of its own; in every tenth message one reading is unknown, and now and then a message is no JSON."""

    def __init__(self, device: str, channels: dict[str, int], gateway: Gateway, *, place: int, messages: int) -> None:
        super().__init__(device, channels, place=place, messages=messages)
        self.gateway = gateway
        self.refusals = 0  # of the outbox, on a full disk
        self._turns = 0

    def _turn(self) -> None:
        tick, turn = self._tick, self._turns
        messages = [[self.reading() for _ in range(READINGS)] for _ in range(self._messages)]
        bodies = [[reading for _, reading in message] for message in messages]
        if turn % 2:  # the neighbour of a refused reading is stored
            bodies[turn % self._messages][-1]["property"] = "ghost"
        before = len(self.sent.times)
        for message, body in zip(messages, bodies, strict=True):
            self.note(message[0][0], body)
        try:
            seqs = self.gateway.publish_many([(None, body) for body in bodies])
        except GatewayError:
            self._take_back(bodies, before)
            self._tick = tick
            self.refusals += 1
            return
        assert seqs[-1] == len(self.sent.times) - 1
        self._turns += 1
        if turn % 4 == 2:
            self._publish_nonsense()

    def _publish_nonsense(self) -> None:
        self.sent.times.append(NO_ROW)
        try:
            self.gateway.publish_raw(INVALID, "json")
        except GatewayError:
            self.sent.times.pop()
            self.refusals += 1
        else:
            self.sent.refused += 1

    def _take_back(self, bodies: list[list[dict[str, Any]]], before: int) -> None:
        """Forget what the outbox did not take: it takes all or nothing."""
        good = [each for body in bodies for each in body if each["property"] != "ghost"]
        self.sent.stored -= len(good)
        self.sent.refused -= sum(len(body) for body in bodies) - len(good)
        self.sent.total -= sum(round(each["value"] * 10) for each in good)
        del self.sent.times[before:]


class PlainSource(Source):
    """A device without an outbox: what the broker acknowledged is forgotten here, and lost when the broker is killed."""

    has_outbox = False

    def __init__(
        self,
        device: str,
        channels: dict[str, int],
        address: tuple[str, int],
        account: tuple[str, str],
        *,
        place: int,
        messages: int,
    ) -> None:
        super().__init__(device, channels, place=place, messages=messages)
        self._epoch = int(time.time())
        self._open = 0
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"plain-{device}", protocol=mqtt.MQTTv5)
        client.username_pw_set(*account)
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(1, 2)
        client.on_publish = self._on_publish
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        client.connect_async(*address, clean_start=False, properties=properties)
        self._client = client

    def run(self) -> None:
        self._client.loop_start()
        super().run()

    def wait_acknowledged(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self._open and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self._open

    def close(self) -> None:
        self.end()
        self._client.disconnect()
        self._client.loop_stop()
        self._client.__del__()

    def _on_publish(self, *_: object) -> None:
        self._open -= 1

    def _turn(self) -> None:
        for _ in range(self._messages):
            self._publish_one()

    def _publish_one(self) -> None:
        at, reading = self.reading()
        self.note(at, [reading])
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("epoch", str(self._epoch)), ("seq", str(len(self.sent.times) - 1))]
        body = json.dumps({"readings": [{**reading, "time": at.isoformat()}]}, separators=(",", ":")).encode()
        self._open += 1
        self._client.publish(f"region/1/default/{self.device}/up/json", body, qos=1, properties=properties)


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[], float]
