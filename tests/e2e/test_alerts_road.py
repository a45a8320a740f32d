"""A storm surge at a gauge of the inventory is told over MQTT, and withdrawn when its reading is revised."""

from __future__ import annotations

import json
import queue
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from road import Platform, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WAIT_S = 90.0
GAUGE = "water-flensburg"  # mean water 0.05 m


def listen(up: Platform, account: tuple[str, str], heard: queue.Queue[dict[str, Any]]) -> mqtt.Client:
    subscribed: queue.Queue[None] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(*account)
    client.on_connect = lambda client, *_: client.subscribe(f"region/1/default/{GAUGE}/alert", 1)
    client.on_subscribe = lambda *_: subscribed.put(None)
    client.on_message = lambda _client, _data, message: heard.put(json.loads(message.payload))
    client.connect(up.places.mqtt_host, up.mqtt_port)
    client.loop_start()
    subscribed.get(timeout=WAIT_S)
    return client


def told(heard: queue.Queue[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Wait for a message of this kind about the surge: others may come, and each may come again."""
    while True:
        message = heard.get(timeout=WAIT_S)
        if (message["rule"], message["kind"]) == ("storm_surge_baltic", kind):
            return message


def test_a_surge_is_told_by_a_worker_that_was_killed_and_withdrawn_when_revised(up: Platform, tmp_path: Path) -> None:
    account = up.account(GAUGE)
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    client = listen(up, account, heard)
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    try:
        with up.gateway(GAUGE, tmp_path, account=account) as gateway:
            gateway.publish([{"time": at, "property": "water_level", "value": 1.05}])
            assert gateway.flush(WAIT_S)
        up.kill("worker-1")
        raised = told(heard, "raised")
        assert (raised["state"], raised["level"], raised["value"], raised["unit"]) == ("raised", 1, 1.05, "m")
        assert (raised["number"], raised["property"], raised["cause"]) == (1, "water_level", "reading")
        assert datetime.fromisoformat(raised["begins"]) == at
        (observation,) = up.get(
            f"v1.1/Datastreams({raised['datastream']['id']})/Observations?$orderby=phenomenonTime%20desc&$top=1"
        )["value"]
        with up.http() as http:
            answer = http.patch(f"v1.1/Observations({observation['@iot.id']})", json={"result": 0.1})
            assert answer.status_code == 200, answer.text
        withdrawn = told(heard, "withdrawn")
        assert (withdrawn["id"], withdrawn["number"], withdrawn["state"]) == (raised["id"], 2, "withdrawn")
    finally:
        client.disconnect()
        client.loop_stop()
    until(lambda: up.rows("SELECT count(*) FROM alert_outbox WHERE sink IN ('mqtt', 'kafka')") == [(0,)], WAIT_S, "all are told")
    assert up.rows("SELECT kind FROM alert_transition WHERE alert = %s ORDER BY number", raised["id"]) == [
        ("raised",),
        ("withdrawn",),
    ]
