"""Hears every receipt and asks the database at once whether it tells the truth."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from road import Platform
from sources import NO_ROW, Source, instant


class ReceiptWatch:
    """`untrue` names receipts for messages that were neither stored nor among the dead letters when the receipt was heard."""

    def __init__(self, platform: Platform, sources: dict[str, Source]) -> None:
        self.heard = self.checked = 0
        self.untrue: list[str] = []
        self.last: dict[str, int] = {}
        self._platform = platform
        self._sources = sources
        self._new: dict[str, int] = {}
        self._wake, self._stop = threading.Event(), threading.Event()
        places = platform.places
        user, password = publisher(platform)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"receipts-{id(self)}", protocol=mqtt.MQTTv5)
        self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = lambda client, *_: client.subscribe("region/1/default/+/receipt", qos=1)
        self._client.on_message = self._on_message
        self._client.connect_async(places.mqtt_host, places.mqtt_port)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._client.loop_start()
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(60)
        self._client.disconnect()
        self._client.loop_stop()
        self._client.__del__()

    def all_checked(self) -> bool:
        return not self._new

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[3]
        if device in self._sources:
            self.heard += 1
            self._new[device] = self.last[device] = json.loads(message.payload)["seq"]
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
            if self._new:  # the database was away
                self._wake.set()
            self._stop.wait(0.1)

    def _is_settled(self, connection: psycopg.Connection[Any], device: str, seq: int) -> bool:
        source = self._sources[device]
        if seq >= len(source.sent.times):
            return False
        us = source.sent.times[seq]
        if us == NO_ROW:
            sql, values = "SELECT FROM dead_letter WHERE device = %s AND seq = %s", (device, seq)
        else:
            sql = "SELECT FROM observation WHERE datastream_id = ANY (%s) AND phenomenon_time = %s AND seq = %s"
            values = (list(source.channels.values()), instant(us), seq)
        return bool(connection.execute(sql, values).rowcount)


def publisher(platform: Platform) -> tuple[str, str]:
    """An account that hears all receipts and publishes for all devices."""
    places = platform.places
    if places.mqtt_device is not None:
        return places.mqtt_device.user, places.mqtt_device.password
    if places.mqtt_accounts == "given":
        return places.mqtt_admin.user, places.mqtt_admin.password
    return "grenzregion-publisher", (platform.data_dir / "accounts/publisher").read_text().strip()
