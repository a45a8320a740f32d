"""The whole road: what a device publishes is stored, judged, aggregated, receipted and seen; what can't be stored is kept."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from road import PROCESSES, Platform, until
from road_poison import poisons

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RECEIPT_S = 60.0
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)


def reading(minute: float, value: Any, **more: Any) -> dict[str, Any]:
    return {"time": NOW + timedelta(minutes=minute), "property": "t", "value": value, **more}


def test_a_published_reading_is_stored_judged_aggregated_and_seen(up: Platform, tmp_path: Path) -> None:
    channel = up.register("seen", timezone="Europe/Copenhagen")["t"]
    with up.gateway("seen", tmp_path) as gateway:
        gateway.publish([reading(1, 12.5), reading(2, 50), reading(3, 99.5), reading(4, None)])
        gateway.publish([reading(16, 285.15, unit="K"), reading(17, "broken")])
        assert gateway.flush(RECEIPT_S), gateway.statistics()
        assert gateway.statistics().queued == 0

    found = up.get(f"v1.1/Datastreams({channel})/Observations?$orderby=phenomenonTime&$expand=FeatureOfInterest")["value"]
    assert [each["result"] for each in found] == [12.5, 50, 99.5, None, pytest.approx(12), "broken"]
    assert [each["phenomenonTime"] for each in found][:2] == [
        (NOW + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ") for minute in (1, 2)
    ]
    assert found[0]["FeatureOfInterest"]["feature"]["coordinates"] == [9.4357, 54.7937]
    assert found[4]["parameters"]["original"] == {"value": 285.15, "unit": "K"}
    for flag, results in ((1, [12.5, pytest.approx(12)]), (3, [50]), (4, [99.5]), (9, [None])):
        numbers = f"$filter=parameters/qc eq {flag} and result ne 'broken'&$orderby=phenomenonTime"
        asked = up.get(f"v1.1/Datastreams({channel})/Observations?{numbers}")["value"]
        assert [each["result"] for each in asked] == results, flag

    sums = up.rows(
        "SELECT flag, n, numbers, sum::float8, first_number FROM read.aggregate_quarter_hour"
        " WHERE datastream_id = %s AND bucket = %s ORDER BY flag", channel, NOW,
    )  # fmt: skip
    assert sums == [(1, 1, 1, 12.5, 12.5), (3, 1, 1, 50, 50), (4, 1, 1, 99.5, 99.5), (9, 1, 0, 0, None)]
    assert up.rows("SELECT sum(n) FROM read.aggregate_day WHERE datastream_id = %s", channel) == [(6,)]
    assert up.wrong_figures() == []


def test_the_page_and_its_api_show_the_latest_value(up: Platform, tmp_path: Path) -> None:
    channel = up.register("shown")["t"]
    at = datetime.now(UTC).replace(microsecond=0)
    with up.gateway("shown", tmp_path) as gateway:
        gateway.publish(
            [{"time": at, "property": "t", "value": 33.5}, {"time": at - timedelta(minutes=5), "property": "t", "value": 50}]
        )
        assert gateway.flush(RECEIPT_S)
    (station,) = [each for each in up.get("planning/v1/stations")["stations"] if each["name"] == "road shown"]
    (stream,) = station["datastreams"]
    assert (stream["id"], stream["value"], stream["flag"], stream["unit"]) == (channel, 33.5, 1, "°C")
    assert datetime.fromisoformat(stream["time"]) == at
    assert station["position"] == [9.4357, 54.7937]
    points = up.get(f"planning/v1/series?datastream={channel}")["points"]
    assert [point[1:] for point in points] == [[50, 3], [33.5, 1]]
    with up.http(token=False) as http:
        assert http.get("/").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("form", ["json", "senml-json", "senml-cbor"])
def test_every_format_arrives(up: Platform, tmp_path: Path, form: str) -> None:
    channel = up.register(form)["t"]
    with up.gateway(form, tmp_path) as gateway:
        gateway.publish([reading(1, 21.5), reading(2, 22, unit="Cel")], format=form)
        assert gateway.flush(RECEIPT_S)
    found = up.get(f"v1.1/Datastreams({channel})/Observations?$orderby=phenomenonTime")["value"]
    assert [each["result"] for each in found] == [21.5, 22]


def test_senml_packs_of_others_arrive(up: Platform, tmp_path: Path) -> None:
    channel = up.register("packs")["t"]
    base = NOW.timestamp()
    with up.gateway("packs", tmp_path) as gateway:
        gateway.publish_raw(
            json.dumps([{"bn": "urn:dev:ow:1:", "bt": base, "bu": "Cel", "n": "t", "v": 1.5}, {"n": "t", "t": 1, "v": 2}]).encode(),
            "senml-json",
        )
        gateway.publish_raw(cbor2.dumps([{-2: "urn:dev:ow:1:", -3: base, 0: "t", 6: 2, 2: 3.5}]), "senml-cbor")
        assert gateway.flush(RECEIPT_S)
    found = up.get(f"v1.1/Datastreams({channel})/Observations?$orderby=phenomenonTime")["value"]
    assert [each["result"] for each in found] == [1.5, 2, 3.5]


def test_an_unknown_device_is_refused_with_a_receipt_until_it_is_registered(up: Platform, tmp_path: Path) -> None:
    with up.gateway("stranger", tmp_path) as gateway:
        gateway.publish([reading(1, 20), reading(2, 21)])
        assert gateway.flush(RECEIPT_S)
        ((_, reason, _, readings, _),) = up.letters("stranger")
        assert (reason, readings) == ("unknown_device", 2)
        channel = up.register("stranger")["t"]
        gateway.publish([reading(3, 22)])
        assert gateway.flush(RECEIPT_S)
    assert [each["result"] for each in up.get(f"v1.1/Datastreams({channel})/Observations")["value"]] == [22]


def test_a_reading_sent_twice_is_one_and_the_later_value_stays(up: Platform, tmp_path: Path) -> None:
    channel = up.register("twice")["t"]
    with up.gateway("twice", tmp_path) as gateway:
        for value in (20, 21, 20.5):
            gateway.publish([reading(1, value), reading(2, 5)])
        assert gateway.flush(RECEIPT_S)
    found = up.get(f"v1.1/Datastreams({channel})/Observations?$orderby=phenomenonTime")["value"]
    assert [each["result"] for each in found] == [20.5, 5]
    assert up.wrong_figures() == []


def test_each_poison_is_kept_whole_with_its_neighbours_stored(up: Platform, tmp_path: Path) -> None:
    up.register("poison")
    before = {name: up.pid(name) for name in PROCESSES}
    table = poisons()
    with up.gateway("poison", tmp_path) as gateway:
        for poison in table:
            gateway.publish_raw(poison.payload, poison.format)
        gateway.publish([{"time": datetime.now(UTC), "property": "t", "value": 1}])
        assert gateway.flush(RECEIPT_S), gateway.statistics()
    letters = up.letters("poison")
    wrong = [
        f"{poison.name}: {reason}, {refused}, {readings} refused"
        for poison, (payload, reason, refused, readings, _) in zip(table, letters, strict=True)
        if payload != poison.payload
        or reason not in poison.reasons
        or readings != poison.refused
        or (poison.stored > 0 and refused is None)
    ]
    assert wrong == []
    assert up.stored("poison") == sum(poison.stored for poison in table) + 1
    assert up.refused("poison") == sum(poison.refused for poison in table)
    assert {name: up.pid(name) for name in PROCESSES} == before
    assert up.wrong_figures() == []


BAD_TOPICS = {
    "region/1/default/x'; DROP TABLE observation; --/up/json": "bad_topic",
    "region/1/default/../up/json": "bad_topic",
    "region/1/../../up/json": "bad_topic",
    "region/1/default/Großbuchstabe/up/json": "bad_topic",
    "region/1/default//up/json": "bad_topic",
    "region/1/default/" + "a" * 64 + "/up/json": "bad_topic",
    "region/1/default/nobody/up/json": "unknown_device",
    "region/1/default/topics/up/xml": "unknown_format",
}


def test_bad_topics_end_among_the_dead_letters(up: Platform) -> None:
    channel = up.register("topics")["t"]
    before = {name: up.pid(name) for name in PROCESSES}
    payload = json.dumps({"readings": [{"time": NOW.isoformat(), "property": "t", "value": 20.5}]}).encode()
    publish(up, [*((topic, payload) for topic in BAD_TOPICS), ("region/1/default/topics/up/json", payload)])
    until(lambda: up.get(f"v1.1/Datastreams({channel})/Observations")["value"], RECEIPT_S, "the good neighbour is stored")

    def letters() -> dict[str, tuple[str, bytes]]:
        return {
            row[0]: row[1:]
            for row in up.rows("SELECT topic, reason, payload FROM dead_letter WHERE topic = ANY (%s)", list(BAD_TOPICS))
        }

    until(lambda: len(letters()) == len(BAD_TOPICS), RECEIPT_S, "all are among the dead letters")
    assert letters() == {topic: (reason, payload) for topic, reason in BAD_TOPICS.items()}
    assert {name: up.pid(name) for name in PROCESSES} == before


def publish(up: Platform, messages: list[tuple[str, bytes]]) -> None:
    """Publish without identity, as an account that may do so for every device."""
    places = up.places
    account = (
        (places.mqtt_device.user, places.mqtt_device.password)
        if places.mqtt_device
        else ("grenzregion-publisher", (up.data_dir / "accounts/publisher").read_text().strip())
    )
    connected = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(*account)
    client.on_connect = lambda *_: connected.set()
    client.connect(places.mqtt_host, places.mqtt_port)
    client.loop_start()
    try:
        assert connected.wait(60)
        for sent in [client.publish(topic, payload, qos=1) for topic, payload in messages]:
            sent.wait_for_publish(60)
            assert sent.is_published()
    finally:
        client.disconnect()
        client.loop_stop()
