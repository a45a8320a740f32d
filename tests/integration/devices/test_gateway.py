"""A gateway on real brokers: nothing is lost, whoever dies, and nothing leaves the outbox without the platform's receipt."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_platform import FakePlatform, wait_until

from devices.gateway import (
    Gateway,
    GatewayStoppedError,
    OutboxError,
    OutboxFullError,
    OutboxLockedError,
    Pace,
    TooLargeError,
    command,
)
from devices.gateway.outbox import Outbox
from devices.gateway.sender import Sender
from infra.servers.embedded import Rumqttd

pytestmark = pytest.mark.integration


def readings(*values):
    return [{"time": "2026-11-22T10:15:00Z", "property": "n", "value": value} for value in values]


def many(values, device=None):
    return [(device, readings(value)) for value in values]


def test_what_is_published_arrives_and_leaves_the_outbox_with_its_receipt(platform, gateway):
    made = gateway()
    assert made.publish(readings(1, 2)) == 0
    assert made.publish_many(many(range(3, 203))) == list(range(1, 201))
    assert made.flush(20)
    statistics = made.statistics()
    assert (statistics.queued, statistics.queued_bytes, statistics.receipted, statistics.oldest_age_s) == (0, 0, 201, 0.0)
    assert statistics.connected
    assert platform.values() == set(range(1, 203))


def test_without_a_receipt_a_message_stays_and_is_sent_again(platform, gateway):
    platform.silent = True
    made = gateway()
    made.publish_many(many(range(5)))
    wait_until(lambda: len(platform.messages) >= 10, "a second sending")
    statistics = made.statistics()
    assert (statistics.queued, statistics.receipted) == (5, 0)
    assert statistics.oldest_age_s > 0
    assert not made.flush(0.1)
    platform.silent = False
    assert made.flush(20)


def test_a_full_disk_at_a_receipt_stops_nothing(platform, gateway, monkeypatch):
    full, write = threading.Event(), Outbox._transact

    def transact(outbox, work):
        if full.is_set():
            raise OutboxError("the outbox can't be written: database or disk is full")
        write(outbox, work)

    monkeypatch.setattr(Outbox, "_transact", transact)
    made = gateway()
    platform.silent = True
    made.publish_many(many(range(5)))
    full.set()
    platform.silent = False
    wait_until(lambda: "disk is full" in (made.statistics().trouble or ""), "a receipt that could not be noted")
    with pytest.raises(OutboxError):
        made.publish(readings(5))
    full.clear()
    assert made.flush(20), made.statistics()
    assert made.publish(readings(5)) == 5
    assert made.flush(20)
    assert platform.values() == set(range(6))


def test_messages_that_the_broker_lost_after_its_puback_are_sent_again(platform, gateway):
    lost = {3, 4, 8}
    platform.lose = lambda _device, seq: seq in lost and not lost.discard(seq)
    made = gateway()
    made.publish_many(many(range(10)))
    assert made.flush(20)
    assert platform.values() == set(range(10))


def test_a_broker_that_died_with_all_it_held_costs_nothing(broker, platform, gateway):
    platform.silent = True
    made = gateway(pace=Pace(resend_after=2, settle=0.2, reconnect_after=0.2))
    made.publish_many(many(range(50)))
    wait_until(lambda: len(platform.messages) == 50, "the first sending")
    platform.messages.clear()
    broker.kill()
    wait_until(lambda: not made.statistics().connected, "the loss of the connection")
    made.publish_many(many(range(50, 60)))
    platform.silent = False
    broker.start()
    broker.wait_ready()
    assert made.flush(40)
    wait_until(lambda: platform.values() >= set(range(50, 60)))


PUBLISHER = """
import sys
from pathlib import Path
from devices.gateway import Gateway, Pace
host, port, user, password, outbox = sys.argv[1:]
pace = Pace(resend_after=0.5, settle=0.2)
gateway = Gateway(host, int(port), outbox=Path(outbox), device="a", username=user, password=password, pace=pace)
value = 0
while True:
    gateway.publish_many([(None, [{"time": "2026-11-22T10:15:00Z", "property": "n", "value": value + i}]) for i in range(20)])
    value += 20
    print(value, flush=True)
"""


def killed_publisher(broker, outbox, batches, before_kill=lambda: None):
    """Run a gateway in a process, kill it -9 after so many batches, and return how many values it had been promised."""
    arguments = [broker.reach, str(broker.port), broker.admin.user, broker.admin.password, str(outbox)]
    with subprocess.Popen([sys.executable, "-c", PUBLISHER, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            durable = [int(process.stdout.readline()) for _ in range(batches)][-1]
            before_kill()
        finally:
            process.kill()
        rest = process.stdout.read().split()
    return max([durable, *map(int, rest)])


@pytest.mark.parametrize("batches", [1, 7, 30])
def test_what_publish_returned_for_survives_kill_9_of_the_gateway(broker, platform, gateway, tmp_path, batches):
    durable = killed_publisher(broker, tmp_path / "out.db", batches)
    made = gateway()
    assert made.flush(30)
    assert platform.values() >= set(range(durable))
    assert len(platform.epochs()) == 1


def test_the_last_will_tells_of_a_killed_gateway(broker, platform, tmp_path):
    def online():
        wait_until(lambda: platform.statuses.get("a") == "online")

    killed_publisher(broker, tmp_path / "out.db", 1, online)
    wait_until(lambda: platform.statuses.get("a") == "offline")


def test_two_gateways_for_one_outbox_are_refused(gateway):
    gateway()
    with pytest.raises(OutboxLockedError):
        gateway()


def test_repeated_receipts_do_no_harm(platform, gateway):
    made = gateway()
    made.publish_many(many(range(3)))
    assert made.flush(20)
    (epoch,) = platform.epochs()
    platform.receipt("a", epoch, 2)
    platform.receipt("a", epoch, 0)
    platform.silent = True
    made.publish(readings(99))
    wait_until(lambda: 99 in platform.values())
    platform.receipt("a", epoch, 2)
    platform.receipt("a", epoch, 2)
    assert made.statistics().queued == 1
    platform.receipt("a", epoch, 3)
    assert made.flush(20)


def test_a_receipt_of_an_older_epoch_and_nonsense_are_ignored(platform, gateway):
    platform.receipt("a", 5, 1_000)
    platform.silent = True
    made = gateway()
    made.publish_many(many(range(3)))
    wait_until(lambda: len(platform.messages) >= 3)
    (epoch,) = platform.epochs()
    for payload in (
        b"",
        b"{}",
        b"[",
        b'{"epoch":"x","seq":0}',
        b"[" * 50_000,
        b'{"epoch":%d,"seq":-1}' % epoch,
        b'{"epoch":5,"seq":7}',
    ):
        platform.send("a", payload)
    platform.receipt("a", epoch, 0)
    wait_until(lambda: made.statistics().receipted == 1)
    assert made.statistics().queued == 2
    assert platform.epochs() == {epoch}


def test_a_retained_receipt_above_our_epoch_makes_us_go_above_it(platform, gateway):
    theirs = 4_000_000_000
    platform.receipt("a", theirs, 7)
    made = gateway()
    made.publish_many(many(range(4)))
    assert made.flush(20)
    assert platform.epochs() == {theirs + 1}
    assert {seq for _, _, seq, _ in platform.messages} == {0, 1, 2, 3}


def test_an_outbox_put_back_from_an_older_copy_begins_a_new_epoch(platform, gateway):
    made = gateway()
    made.publish(readings(1))
    assert made.flush(20)
    (old,) = platform.epochs()
    platform.has_seen("a", old, 500)
    made.close()
    again = gateway()
    again.publish_many(many(range(2, 5)))
    assert again.flush(20)
    new = max(platform.epochs())
    assert new > old
    assert {tuple(values) for _, epoch, _, values in platform.messages if epoch == new} >= {(2,), (3,), (4,)}


def test_several_devices_share_a_connection_and_count_for_themselves(platform, gateway):
    made = gateway()
    assert made.publish(readings(1)) == 0
    assert made.publish(readings(2), device="b") == 0
    assert made.publish_many([*many([3], "b"), *many([4], "c")]) == [1, 0]
    assert made.flush(20)
    assert (platform.values("a"), platform.values("b"), platform.values("c")) == ({1}, {2, 3}, {4})
    wait_until(lambda: platform.statuses == {"a": "online", "b": "online", "c": "online"})
    made.close()
    wait_until(lambda: platform.statuses == {"a": "offline", "b": "offline", "c": "offline"})


def test_a_device_without_receipts_does_not_hold_up_the_others(platform, gateway):
    platform.lose = lambda device, _seq: device == "b"
    made = gateway(pace=Pace(window=10, resend_after=0.5, settle=0.2))
    made.publish_many(many(range(30), "b"))
    made.publish_many(many(range(30), "a"))
    wait_until(lambda: made.statistics().receipted == 30)
    assert platform.values("a") == set(range(30))
    platform.lose = lambda _device, _seq: False
    assert made.flush(20)
    assert platform.values("b") == set(range(30))


def test_threads_share_a_gateway(platform, gateway):
    made = gateway()
    with ThreadPoolExecutor(8) as pool:
        seqs = list(pool.map(lambda value: made.publish(readings(value)), range(200)))
    assert sorted(seqs) == list(range(200))
    assert made.flush(30)
    assert platform.values() == set(range(200))


def test_over_mqtt_3_1_1_identity_travels_in_the_body(broker, platform):
    port = broker.port + 1 if isinstance(broker, Rumqttd) else broker.port
    made = Gateway(
        broker.reach, port, protocol=311, outbox=broker.folder / "old.db", device="a",
        username=broker.admin.user, password=broker.admin.password,
    )  # fmt: skip
    with made:
        made.publish_many(many(range(5)))
        assert made.flush(20)
        with pytest.raises(ValueError, match=r"3\.1\.1"):
            made.publish(readings(1), format="senml-json")
    assert platform.values() == set(range(5))


@pytest.mark.usefixtures("platform")
def test_a_wrong_password_is_told_and_costs_no_reading(gateway):
    made = gateway(password="wrong")
    made.publish(readings(1))
    assert not made.flush(0.2)
    wait_until(lambda: made.statistics().trouble)
    made.close()
    made = gateway()
    assert made.flush(20)


def test_a_broker_that_is_away_is_told_and_costs_no_reading(tmp_path):
    with Gateway("127.0.0.1", 1, outbox=tmp_path / "out.db", device="a", max_messages=1) as made:
        made.publish(readings(1))
        with pytest.raises(OutboxFullError):
            made.publish(readings(2))
        wait_until(lambda: made.statistics().trouble)
        assert "no connection to 127.0.0.1:1" in made.statistics().trouble
        with pytest.raises(TooLargeError):
            made.publish_raw(b"x" * 262_145, "json")
        with pytest.raises(ValueError, match="format 'xml'"):
            made.publish_raw(b"x", "xml")
    with pytest.raises(GatewayStoppedError, match="closed"):
        made.publish(readings(1))


@pytest.mark.usefixtures("platform")
def test_a_fault_in_the_gateways_thread_is_raised_by_the_next_call(gateway, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Sender, "_receipt", broken)
    made = gateway()
    made.publish(readings(1))
    with pytest.raises(GatewayStoppedError, match="a bug"):
        made.flush(20)


@pytest.mark.usefixtures("platform")
def test_a_fault_in_a_callback_of_paho_is_raised_too(gateway, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("devices.gateway.connection.Connection._on_publish", broken)
    made = gateway()
    made.publish(readings(1))
    with pytest.raises(GatewayStoppedError, match="a bug"):
        made.flush(20)


def test_the_command_publishes_lines_and_names_the_wrong_ones(platform, gateway):
    said = []
    lines = ['{"property":"n","value":1}\n', "\n", "oops\n", '{"property":"N","value":2}\n', '{"property":"n","value":3}\n']
    assert command.publish_lines(gateway(), lines, timeout=20, say=said.append) == command.REFUSED
    assert platform.values() == {1, 3}
    assert [line.split(":")[0] for line in said[:2]] == ["line 3", "line 4"]
    assert said[-1] == "2 readings published, 2 refused here, 0 messages without receipt"


def test_the_command_tells_when_there_is_no_receipt(platform, gateway):
    platform.silent = True
    said = []
    one = command.reading_of("n", "1")
    assert command.publish_readings(gateway(), [(1, one)], timeout=0.3, say=said.append) == command.UNFINISHED
    assert "no receipt within 0.3 s" in said[-1]


def test_the_command_succeeds_when_all_is_received(platform: FakePlatform, gateway):
    lines = [f'{{"property":"n","value":{i}}}' for i in range(250)]
    assert command.publish_lines(gateway(), lines, timeout=20, say=str) == command.DONE
    assert len({seq for _, _, seq, _ in platform.messages}) == 3
