"""Quarantine, replay, pause and receipts of SensorThings clients on the running platform."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from road import Platform, until
from typer.testing import CliRunner

from devices.gateway import Pace
from grenzregion.accounts import new_partner_password
from grenzregion.cli import app

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WAIT_S = 60.0
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def reading(second: int, value: Any = 20, **more: Any) -> dict[str, Any]:
    return {"time": NOW + timedelta(seconds=second), "property": "t", "value": value, **more}


def say(up: Platform, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words, "--data-dir", str(up.data_dir)])
    return done.exit_code, done.output


def test_a_device_is_quarantined_released_and_its_letters_replayed(up: Platform, tmp_path: Path) -> None:
    up.register("bad")
    # What a slow machine lets a gateway send again may come after the release, and is stored then.
    with up.gateway("bad", tmp_path, pace=Pace(resend_after=300)) as gateway:
        for second in range(100):
            gateway.publish([reading(second, unit="kg")])
        gateway.publish([reading(200), reading(201)])
        assert gateway.flush(WAIT_S), gateway.statistics()
        assert (up.stored("bad"), up.refused("bad")) == (0, 102)
        assert up.get("health/ready")["quarantined_devices"] == 1
        assert say(up, "device", "release", "default/bad") == (0, "default/bad is released\n")
        gateway.publish([reading(300)])
        assert gateway.flush(WAIT_S)
    assert (up.stored("bad"), up.refused("bad")) == (1, 102)
    code, said = say(up, "letters", "replay", "--device", "default/bad", "--reason", "quarantined")
    assert (code, said) == (0, "2 readings stored, 1 letters gone, 0 stay\n")
    assert (up.stored("bad"), up.refused("bad")) == (3, 100)
    assert up.wrong_figures() == []


@pytest.fixture
def paused(up: Platform) -> Iterator[Platform]:
    yield up
    up.rows("DELETE FROM worker_pause RETURNING 1")


def complaints(up: Platform) -> list[str]:
    """What the worker's own health says."""
    (port,) = [
        each.laddr.port
        for process in up.family() if process.pid == up.pid("worker-1")
        for each in process.net_connections("tcp") if each.status == "LISTEN"
    ]  # fmt: skip
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=60) as answer:
            return json.load(answer)["complaints"]
    except urllib.error.HTTPError as refusal:
        with refusal:
            return json.load(refusal)["complaints"]


def test_a_pause_survives_a_restart_and_nothing_is_settled_until_it_is_ended(paused: Platform, tmp_path: Path) -> None:
    up = paused
    up.register("waits")
    up.rows(
        "INSERT INTO worker_pause (worker, failures, messages, devices, example) VALUES ('worker-1', 501, 900, 10, 'x') RETURNING 1"
    )
    killed = up.kill("worker-1")
    tolerated = (ValueError, OSError, KeyError)
    until(lambda: up.pid("worker-1") != killed, WAIT_S, "the worker was started again", tolerate=tolerated)
    waits = ["paused: 501 of the last 900 messages, of 10 devices, can't be read"]
    until(lambda: complaints(up) == waits, WAIT_S, "the worker says that it is paused", tolerate=tolerated)
    assert up.get("health/ready")["paused_workers"] == ["worker-1"]
    with up.gateway("waits", tmp_path) as gateway:
        gateway.publish([reading(1)])
        assert not gateway.flush(3)
        assert up.stored("waits") == 0
        assert say(up, "resume") == (0, "worker-1 goes on\n")
        assert gateway.flush(WAIT_S), gateway.statistics()
    assert up.stored("waits") == 1
    until(lambda: complaints(up) == [], WAIT_S, "the worker is ready", tolerate=tolerated)


def test_a_sensorthings_client_with_an_outbox_gets_receipts(up: Platform) -> None:
    channel = up.register("partnered")["t"]
    places = up.places
    if places.mqtt_device is not None:
        user, password = places.mqtt_device.user, places.mqtt_device.password
    else:
        user, password = new_partner_password(places, "fjord")
    receipts: list[dict[str, int]] = []
    subscribed = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(user, password)
    client.on_connect = lambda *_: client.subscribe("region/1/partner/fjord-1/receipt", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _client, _data, message: receipts.append(json.loads(message.payload))
    client.connect(places.mqtt_host, places.mqtt_port)
    client.loop_start()
    try:
        assert subscribed.wait(WAIT_S)
        for seq, body in enumerate([{"result": 1, "phenomenonTime": NOW.isoformat()}, {"result": 2, "phenomenonTime": "never"}]):
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = [("gateway", "fjord-1"), ("epoch", "7"), ("seq", str(seq))]
            client.publish(f"v1.1/Datastreams({channel})/Observations", json.dumps(body), qos=1, properties=properties)
        until(lambda: {"epoch": 7, "seq": 1} in receipts, WAIT_S, "the receipt came")
    finally:
        client.disconnect()
        client.loop_stop()
    assert up.stored("partnered") == 1
    assert up.rows("SELECT device, epoch, seq FROM dead_letter WHERE tenant = 'partner'") == [("fjord-1", 7, 1)]


@pytest.mark.parametrize("form", ["json", "senml-json", "senml-cbor"])
def test_every_format_of_a_gateway_is_receipted_stored_or_refused(up: Platform, tmp_path: Path, form: str) -> None:
    name = f"form-{form}"
    up.register(name)
    with up.gateway(name, tmp_path) as gateway:
        gateway.publish([reading(1)], format=form)
        gateway.publish([{**reading(2), "property": "gone"}, reading(3)], format=form)
        assert gateway.flush(WAIT_S), gateway.statistics()
    assert (up.stored(name), up.refused(name)) == (2, 1)
    assert up.rows("SELECT seq FROM dead_letter WHERE device = %s", name) == [(1,)]
