"""What the broker has acknowledged to a device ends in the log, whatever dies between (delivery.md 2 to 4)."""

from __future__ import annotations

import pytest

from tests.integration.ingest_mqtt.conftest import Device, Pair, RawReader

pytestmark = pytest.mark.integration

SUBSCRIBED = "subscribed at the MQTT broker"


def test_a_bridge_killed_in_mid_stream_loses_nothing_that_the_broker_holds(pair: Pair, device: Device, reader: RawReader) -> None:
    bridge = pair.bridge()
    bridge.said(SUBSCRIBED)
    for _ in range(3):
        device.publish(800)
        reader.until(lambda messages: len(messages) > 0)
        bridge.kill()
        device.publish(200)  # held by the broker meanwhile
        bridge = pair.bridge()
        bridge.said("session resumed")
    device.wait_acknowledged(3_000)
    reader.until(reader.has(device.acknowledged))


def test_a_stopped_bridge_leaves_nothing_open_and_repeats_nothing(pair: Pair, device: Device, reader: RawReader) -> None:
    bridge = pair.bridge()
    bridge.said(SUBSCRIBED)
    device.publish(300)
    reader.until(reader.has(set(range(300))))
    assert bridge.terminate() == 0
    device.publish(100)
    device.wait_acknowledged(400)
    bridge = pair.bridge()
    reader.until(reader.has(set(range(400))))
    assert bridge.terminate() == 0
    reader.more()
    assert len(reader.messages) == 400


def test_the_bridge_goes_on_when_kafka_comes_back(pair: Pair, device: Device, reader: RawReader) -> None:
    bridge = pair.bridge()
    bridge.said(SUBSCRIBED)
    device.publish(100)
    reader.until(reader.has(set(range(100))))
    pair.kafka.kill()
    device.publish(1_500)  # more than Receive Maximum
    device.wait_acknowledged(1_600)
    pair.kafka.start()
    pair.kafka.wait_ready()
    again = RawReader(pair, device.tenant) if pair.name == "embedded" else reader  # an embedded log begins anew
    again.until(again.has(set(range(100, 1_600))))
    assert bridge.terminate() == 0
    if again is not reader:
        again.close()


def test_the_bridge_subscribes_again_at_a_restarted_broker(pair: Pair, device: Device, reader: RawReader) -> None:
    bridge = pair.bridge()
    bridge.said(SUBSCRIBED)
    device.publish(100)
    reader.until(reader.has(set(range(100))))
    pair.mqtt.stop()
    bridge.said("lost the MQTT broker")
    pair.mqtt.start()
    pair.mqtt.wait_ready()
    bridge.said(SUBSCRIBED, times=2)
    device.publish(100)
    reader.until(reader.has(set(range(200))))


def test_poison_passes_as_bytes_and_the_bridge_says_what_it_refuses(pair: Pair, device: Device, reader: RawReader) -> None:
    bridge = pair.bridge()
    bridge.said(SUBSCRIBED)
    up = f"region/1/{device.tenant}/d/up/json"
    poison = [b"\xff\xfe\0", b"{", b'{"value": NaN}', b"1e400", b"9" * 5_000, b"[" * 200_000, b"\\ud800"]
    for payload in poison:
        device.publish_raw(up, payload)
    device.publish_raw(f"region/1/{device.tenant}/'; DROP TABLE thing; --/up/json", b"sql")
    device.publish_raw(f"region/1/{device.tenant}/../up/json", b"path")
    device.publish_raw(up, b"identity", [("epoch", "-1"), ("seq", "1")])
    device.publish_raw(up, b"twice", [("epoch", "1"), ("seq", "1"), ("seq", "2")])
    device.publish_raw(up, b"good", [("epoch", "1"), ("seq", "1")])
    found = {each.payload: each for each in reader.until(lambda messages: len(messages) >= len(poison) + 5)}
    assert {payload for payload in found if found[payload].refused is None} == {*poison, b"good"}
    assert (found[b"good"].epoch, found[b"good"].seq, found[b"good"].first) == (1, 1, None)
    reasons = {payload: each.refused.partition(":")[0] for payload, each in found.items() if each.refused}
    assert reasons == {b"sql": "bad_topic", b"path": "bad_topic", b"identity": "bad_identity", b"twice": "bad_identity"}
    assert bridge.terminate() == 0


def test_two_bridges_share_the_messages_of_one_subscription(pair: Pair, device: Device, reader: RawReader) -> None:
    for number in ("a", "b"):
        bridge = pair.bridge(GRENZREGION_MQTT_SHARE="bridges", GRENZREGION_MQTT_CLIENT_ID=f"bridge-{number}")
        bridge.said(SUBSCRIBED)
    device.publish(500)
    reader.until(reader.has(set(range(500))))
    reader.more()
    assert len(reader.messages) == 500


def test_another_number_of_partitions_ends_the_bridge_with_one_line(pair: Pair) -> None:
    bridge = pair.bridge(GRENZREGION_PARTITIONS="5")
    assert bridge.wait() == 1
    assert "readings.raw has 4 partitions" in bridge.log
    assert "Traceback" not in bridge.log


def test_a_wrong_password_is_told(pair: Pair) -> None:
    bridge = pair.bridge(GRENZREGION_MQTT_PASSWORD="wrong")
    if pair.name == "embedded":  # rumqttd closes the connection without a word, so the bridge tries again
        bridge.said("is the password right?", times=2)
        assert bridge.terminate() == 0
    else:
        assert bridge.wait() == 1
        assert "the user is not authorized" in bridge.log
    assert "Traceback" not in bridge.log
