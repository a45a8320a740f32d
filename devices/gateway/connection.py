"""One MQTT connection of a gateway: paho's client with everything that it does reported, and nothing lost in its thread."""

from __future__ import annotations

import logging
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, cast

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

log = logging.getLogger(__name__)

_RECEIVE_MAXIMUM = 1_000  # messages without PUBACK; 20, paho's own figure, makes 358 messages/s (delivery.md 2)
_CONNECT_TIMEOUT = 5.0
_USER_PROPERTY = 0x26
_LONG = 128


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom to connect. `protocol` is 5 or 311; `will` and `hello` are topic and payload, retained."""

    host: str
    port: int
    client_id: str
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None
    protocol: int
    keepalive: int
    session_expiry: int
    will_topic: str


class Acked(msgspec.Struct, frozen=True):
    """The broker's answer to a message; `refusal` is its reason where it did not take it."""

    mid: int
    refusal: str | None


class Received(msgspec.Struct, frozen=True):
    """A message from the broker."""

    topic: str
    payload: bytes


Event = Acked | Received


class UserProperties:
    """MQTT 5 user properties, packed by hand: paho's own class takes longer than all the rest of a publish."""

    def __init__(self, **pairs: int) -> None:
        body = bytearray()
        for key, number in pairs.items():
            name, text = key.encode(), str(number).encode()
            body += struct.pack(f"!BH{len(name)}sH{len(text)}s", _USER_PROPERTY, len(name), name, len(text), text)
        assert len(body) < _LONG  # one byte of length
        self._packed = bytes([len(body)]) + bytes(body)

    def pack(self) -> bytes:
        """Return the bytes as they stand in the packet."""
        return self._packed


class Connection:
    """Connect, and collect `events` until `lost` is set; `wake` is called for every event.

    `fault` is an exception of our own code in paho's thread, `trouble` the broker's or the network's last word.
    """

    def __init__(self, where: Where, wake: Callable[[], None]) -> None:
        self.events: deque[Event] = deque()
        self.lost = threading.Event()
        self.ready = False
        self.session_present = False
        self.receive_maximum = _RECEIVE_MAXIMUM
        self.maximum_packet: int | None = None
        self.fault: Exception | None = None
        self.trouble: str | None = None
        self._where = where
        self._wake = wake
        self._client = self._new_client()

    def open(self) -> bool:
        """Connect, and start paho's thread; False with `trouble` set where nobody answers."""
        where = self._where
        try:
            if where.protocol == mqtt.MQTTv5:
                properties = Properties(PacketTypes.CONNECT)
                properties.SessionExpiryInterval = where.session_expiry
                self._client.connect(where.host, where.port, where.keepalive, clean_start=False, properties=properties)
            else:
                self._client.connect(where.host, where.port, where.keepalive)
        except (OSError, ValueError) as error:
            self.trouble = f"no connection to {where.host}:{where.port}: {error}"
            self.lost.set()
            return False
        self._client.loop_start()
        return True

    def publish(self, topic: str, payload: bytes, properties: UserProperties | None = None, *, retain: bool = False) -> int:
        """Hand over a message with QoS 1; returns the `mid` that its `Acked` will have."""
        packed = cast("Properties | None", properties)
        return self._client.publish(topic, payload, qos=1, retain=retain, properties=packed).mid

    def subscribe(self, names: Iterable[str]) -> None:
        """Subscribe with QoS 1."""
        self._client.subscribe([(name, 1) for name in names])

    def close(self, *, farewell: Iterable[tuple[str, bytes]] = ()) -> None:
        """Say farewell (retained), disconnect and end paho's thread."""
        if self.ready and not self.lost.is_set():
            waits = [self._client.publish(topic, payload, qos=1, retain=True) for topic, payload in farewell]
            for wait in waits:
                try:
                    wait.wait_for_publish(1.0)
                except (RuntimeError, ValueError):
                    break  # the connection went meanwhile: the last will says the same
            self._client.disconnect()
        self._client.loop_stop()
        self._client.__del__()  # closes the pair of sockets that wakes its loop; else they wait for the garbage collector

    def _new_client(self) -> mqtt.Client:
        where = self._where
        five = where.protocol == mqtt.MQTTv5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=where.client_id,
            clean_session=None if five else False,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_TIMEOUT
        client.max_inflight_messages = 0  # the gateway holds to the broker's receive maximum itself
        if where.username is not None:
            client.username_pw_set(where.username, where.password)
        if where.tls is not None:
            client.tls_set_context(where.tls)
        client.will_set(where.will_topic, b"offline", qos=1, retain=True)
        client.on_connect = self._guarded(self._on_connect)
        client.on_disconnect = self._guarded(self._on_disconnect)
        client.on_publish = self._guarded(self._on_publish)
        client.on_message = self._guarded(self._on_message)
        client.on_subscribe = self._guarded(self._on_subscribe)
        return client

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Wrap a callback: an exception in it would end paho's thread and tell nobody (delivery.md 2)."""

        @wraps(callback)
        def guarded(*arguments: Any) -> None:
            try:
                callback(*arguments)
            except Exception as error:  # noqa: BLE001 - handed to the gateway, which stops with it
                self.fault = error
                self.lost.set()
            self._wake()

        return guarded

    def _on_connect(
        self, _client: object, _data: object, flags: mqtt.ConnectFlags, code: ReasonCode, properties: Properties
    ) -> None:
        if code.is_failure:
            self.trouble = f"the broker refused the connection: {code}"
            self.lost.set()
            return
        self.session_present = flags.session_present
        self.receive_maximum = min(_RECEIVE_MAXIMUM, getattr(properties, "ReceiveMaximum", _RECEIVE_MAXIMUM))
        self.maximum_packet = getattr(properties, "MaximumPacketSize", None)
        self.ready = True

    def _on_disconnect(self, _client: object, _data: object, _flags: object, code: ReasonCode, _properties: object) -> None:
        if self.trouble is None:
            self.trouble = f"disconnected: {code}"
        self.lost.set()

    def _on_publish(self, _client: object, _data: object, mid: int, code: ReasonCode, _properties: object) -> None:
        self.events.append(Acked(mid, str(code) if code.is_failure else None))

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self.events.append(Received(message.topic, bytes(message.payload)))

    def _on_subscribe(self, _client: object, _data: object, _mid: int, codes: list[ReasonCode], _properties: object) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            self.trouble = f"the broker refused the subscription to receipts: {refused[0]}"
            self.lost.set()
