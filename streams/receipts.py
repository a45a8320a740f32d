"""Receipts on their way to the gateways: retained, QoS 1, after the commit (delivery.md 1, decisions.md 3)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from streams.store import Receipt

log = logging.getLogger(__name__)

# Receipts are cumulative: of a burst only the last of each device goes out. One costs as much as storing a reading, so that after
# many of them the next wait for longer; a gateway that has one message under way gets its receipt at once.
PAUSE_S = 0.02
PAUSE_PER_RECEIPT_S = 0.005
LONGEST_PAUSE_S = 0.5


class ReceiptPublisher:
    """Publishes the newest receipt of each device from a thread of its own; what the broker did not confirm goes out again.

    A receipt that is lost all the same is sent again with the device's next message, or when a worker starts.
    """

    def __init__(self, *, host: str, port: int, user: str, password: str, client_id: str) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        if user:
            self._client.username_pw_set(user, password)
        self._client.on_connect = self._on_connect
        self._client.reconnect_delay_set(min_delay=1, max_delay=10)
        self._address = host, port
        self._pending: dict[tuple[str, str], Receipt] = {}
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="receipts", daemon=True)

    def start(self) -> None:
        """Connect in the background; the broker need not be there yet."""
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect_async(*self._address, clean_start=False, properties=properties)
        self._client.loop_start()
        self._thread.start()

    def stop(self) -> None:
        """Publish what is left, then disconnect."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:  # it may never have been started
            self._thread.join(timeout=5)
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, receipts: Sequence[Receipt]) -> None:
        """Take receipts; returns at once."""
        for receipt in receipts:
            if receipt.seq is not None:
                self._pending[receipt.tenant, receipt.device] = receipt
        self._wake.set()

    def _run(self) -> None:
        next_s = 0.0
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            threading.Event().wait(max(PAUSE_S, next_s - time.monotonic()))
            sent = self._send() if self._client.is_connected() else 0
            next_s = time.monotonic() + min(LONGEST_PAUSE_S, sent * PAUSE_PER_RECEIPT_S)

    def _send(self) -> int:
        keys = list(self._pending)
        for key in keys:
            receipt = self._pending.pop(key)
            body = msgspec.json.encode({"epoch": receipt.epoch, "seq": receipt.seq})
            self._client.publish(f"region/1/{receipt.tenant}/{receipt.device}/receipt", body, qos=1, retain=True)
        return len(keys)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.error("the broker refuses the worker's receipts: %s", reason)
        self._wake.set()
