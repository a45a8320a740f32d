"""From publish to visible: probes of one device among other traffic, looked for over the API without pause."""

from __future__ import annotations

import json
import statistics
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.platform import Platform

PAUSE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds from publish to visible."""

    probes: int
    p50: float
    p99: float
    worst: float


def measure_latency(running: Platform, probes: int) -> Latency:
    """Publish a probe every 100 ms and ask for the newest Observation of its Datastream until it is there."""
    running.register(range(10_000, 10_001))
    things = running.http.get("v1.1/Things?$filter=properties/device eq 'bench-10000'&$expand=Datastreams($top=1)").json()["value"]
    datastream = things[0]["Datastreams"][0]["@iot.id"]
    newest = f"v1.1/Datastreams({datastream})/Observations?$orderby=phenomenonTime desc&$top=1&$select=result"
    channel = things[0]["Datastreams"][0]["properties"]["channel"]
    client = _client(running)
    start, took = datetime.now(UTC) - timedelta(hours=1), []
    for number in range(probes):
        reading = {
            "time": (start + timedelta(seconds=number)).isoformat(),
            "property": channel,
            "value": number % 40 + number / 1e4,
        }
        began = time.perf_counter()
        client.publish("region/1/default/bench-10000/up/json", json.dumps({"readings": [reading]}), qos=1)
        while (found := running.http.get(newest).json()["value"]) == [] or found[0]["result"] != reading["value"]:
            if time.perf_counter() - began > 60:
                raise SystemExit("a probe was not visible within 60 s")
        took.append((time.perf_counter() - began) * 1e3)
        time.sleep(PAUSE_S)
    client.disconnect()
    client.loop_stop()
    took.sort()
    return Latency(
        probes=probes, p50=round(statistics.median(took), 1), p99=round(took[int(len(took) * 0.99)], 1), worst=round(took[-1], 1)
    )


def _client(running: Platform) -> mqtt.Client:
    user, password = running.publisher()
    up = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(user, password)
    client.on_connect = lambda *_: up.set()
    client.connect("127.0.0.1", running.mqtt_port)
    client.loop_start()
    if not up.wait(30):
        raise SystemExit("no connection")
    return client
