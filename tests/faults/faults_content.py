"""What devices send at their worst: again and again, shuffled, late, from wrong clocks, poisoned."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import paho.mqtt.client as mqtt
from load import register
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from receipts import publisher
from road import Platform, until
from road_poison import poisons
from sources import CHANNELS
from stage import Scenario, Stage
from truth import check_derived

from devices.gateway import Gateway, Pace

BERLIN = ZoneInfo("Europe/Berlin")
DST_DAYS = {"2026-03-29": 92, "2025-10-26": 100}

Message = tuple[str, bytes, int, int]  # device, body, epoch, seq
Row = tuple[datetime, float]


def shuffled(stage: Stage) -> None:
    """Every message three times, in any order, some of it 30 days late: the tables are those of each message once."""
    with stage.load(may_lose_plain=False) as made:
        device = f"shuffled-{time.monotonic_ns()}"
        channels = register(stage.platform, device, CHANNELS)
        messages, rows = _identified(device, stage.times(3_000, 200), stage.rng)
        _send_shuffled(stage, messages)
        expect_rows(stage.platform, channels, rows)
        made.notes["repeated_messages"] = 2 * len(messages)


def _send_shuffled(stage: Stage, messages: list[Message]) -> None:
    copies = messages * 3
    stage.rng.shuffle(copies)
    with publishing(stage.platform) as publish:
        publish(copies)
    last = len(messages) - 1
    until(lambda: receipted(stage.platform, messages[0][0]) == last, 120, "all of it is receipted")


def _identified(device: str, number: int, rng: random.Random) -> tuple[list[Message], dict[str, dict[datetime, float]]]:
    """Messages of two readings; times of now and of 30 days ago, some of them twice with another value: the later number counts."""
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    rows: dict[str, dict[datetime, float]] = {channel: {} for channel in CHANNELS}
    messages: list[Message] = []
    for seq in range(number):
        body: list[dict[str, Any]] = []
        for channel in CHANNELS:
            at = now - timedelta(days=rng.choice([0, 0, 30]), seconds=rng.randrange(number * 4))
            value = rng.randrange(400) / 10
            rows[channel][at] = value
            body.append({"time": at.isoformat(), "property": channel, "value": value})
        messages.append((device, json.dumps({"readings": body}).encode(), 7, seq))
    return messages, rows


def redelivered(stage: Stage) -> None:
    """Gateways that lose patience at once, and a second copy of every message from elsewhere."""
    with stage.load(may_lose_plain=False) as made:
        device = f"impatient-{time.monotonic_ns()}"
        channels = register(stage.platform, device, CHANNELS)
        user, password = stage.platform.account(device)
        pace = Pace(resend_after=0.05, settle=0.1)
        rows: dict[str, dict[datetime, float]] = {channel: {} for channel in CHANNELS}
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
        with Gateway(
            "127.0.0.1", stage.platform.mqtt_port, outbox=stage.folder / f"{device}.sqlite", device=device, username=user,
            password=password, pace=pace,
        ) as gateway:  # fmt: skip
            for number in range(stage.times(2_000, 100)):
                at = start + timedelta(seconds=number)
                for channel in CHANNELS:
                    rows[channel][at] = number % 40 / 2
                gateway.publish([{"time": at, "property": channel, "value": number % 40 / 2} for channel in CHANNELS])
            assert gateway.flush(120), gateway.statistics()
            made.notes["sent_again"] = gateway.statistics().resent
        expect_rows(stage.platform, channels, rows)


def clock_jumps(stage: Stage) -> None:
    """A gateway's clock jumps hours back and forth: of two readings with one time the later message's counts.

    More than a day ahead is refused, more than five minutes ahead is flagged 4.
    """
    with stage.load(may_lose_plain=False):
        device = f"jumping-{time.monotonic_ns()}"
        channels = register(stage.platform, device)
        rows: dict[datetime, float] = {}
        refused = 0
        clock = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)
        with stage.platform.gateway(device, stage.folder) as gateway:
            for number in range(stage.times(1_000, 100)):
                clock += timedelta(seconds=10)
                if number % 20 == 19:
                    clock += timedelta(hours=stage.rng.choice([-3, -2, 2, 3]))
                ahead = number % 50 == 49
                latest = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=20)
                at = clock + timedelta(days=400) if ahead else min(clock, latest)
                refused += ahead
                if not ahead:
                    rows[at] = number % 30
                gateway.publish([{"time": at, "property": "t", "value": number % 30}])
            assert gateway.flush(120), gateway.statistics()
        expect_rows(stage.platform, channels, {"t": rows})
        assert stage.platform.refused(device) == refused
        limit = datetime.now(UTC) + timedelta(minutes=6)
        early = stage.platform.rows(
            "SELECT count(*) FROM observation WHERE datastream_id = %s AND phenomenon_time > %s AND flag <> 4", channels["t"], limit
        )
        assert early == [(0,)], "readings ahead of their reception are not flagged 4"


def dst_days(stage: Stage) -> None:
    """The days on which clocks change have 92 and 100 quarter-hours; each of their readings is in its local day."""
    with stage.load(may_lose_plain=False):
        device = f"dst-{time.monotonic_ns()}"
        channels = register(stage.platform, device, timezone="Europe/Berlin")
        with stage.platform.gateway(device, stage.folder) as gateway:
            for day in DST_DAYS:
                start = datetime.fromisoformat(day).replace(tzinfo=BERLIN) - timedelta(hours=2)
                first = start.astimezone(UTC)
                times = [first + timedelta(minutes=15 * number) for number in range(4 * 30)]
                stage.rng.shuffle(times)
                gateway.publish_many([(None, [{"time": at, "property": "t", "value": at.hour}]) for at in times])
            assert gateway.flush(120), gateway.statistics()
        for day, quarters in DST_DAYS.items():
            start = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
            ((n,),) = stage.platform.rows(
                "SELECT sum(n) FROM aggregate WHERE datastream_id = %s AND span = 'day' AND bucket = %s", channels["t"], start
            )
            assert n == quarters, f"{day} has {n} quarter-hours"
        assert check_derived(stage.platform, channels.values()) == []


def poisoned(stage: Stage) -> None:
    """One message in a hundred is poison of every kind in turn; each of its kinds ends among the dead letters."""
    table = poisons()
    with stage.load(may_lose_plain=False) as made:
        device = f"poisoned-{time.monotonic_ns()}"
        channel = register(stage.platform, device)["t"]
        stored = refused = 0
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
        used: set[str] = set()
        with stage.platform.gateway(device, stage.folder) as gateway:
            for turn in range(max(len(table), stage.times(200))):
                ticks = range(turn * 99, turn * 99 + 99)
                good = [(None, [{"time": start + timedelta(seconds=n), "property": "t", "value": 20}]) for n in ticks]
                gateway.publish_many(good)
                poison = table[turn % len(table)]
                gateway.publish_raw(poison.payload, poison.format)
                stored += len(good) + (poison.stored if poison.name not in used else 0)  # the same times again are the same rows
                refused += poison.refused
                used.add(poison.name)
            assert gateway.flush(240), gateway.statistics()
        found = stage.platform.stored(device), stage.platform.refused(device)
        assert found == (stored, refused), f"stored and refused are {found}, not {(stored, refused)}"
        assert check_derived(stage.platform, [channel]) == []
        made.notes["poisoned_messages"] = refused


def expect_rows(platform: Platform, channels: dict[str, int], rows: dict[str, dict[datetime, float]]) -> None:
    for channel, expected in rows.items():
        found = dict(platform.rows("SELECT phenomenon_time, number FROM observation WHERE datastream_id = %s", channels[channel]))
        wrong = [at for at in expected.keys() | found.keys() if expected.get(at) != found.get(at)]
        assert not wrong, f"{channel}: {len(wrong)} of {len(expected)} rows are wrong, {len(found)} are there"
    wrong = check_derived(platform, channels.values())
    assert not wrong, wrong


def receipted(platform: Platform, device: str) -> int | None:
    """How far the contiguous run of a device reaches."""
    rows = platform.rows(
        "SELECT (SELECT upper(run) - 1 FROM unnest(runs) AS run WHERE run @> first) FROM receipt WHERE device = %s", device
    )
    return rows[0][0] if rows else None


@contextmanager
def publishing(platform: Platform) -> Iterator[Callable[[list[Message]], None]]:
    """Publish with identity for any device, and wait for the broker's acknowledgements."""
    connected = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(*publisher(platform))
    client.max_queued_messages_set(0)
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", platform.places.mqtt_port)
    client.loop_start()

    def publish(messages: list[Message]) -> None:
        assert connected.wait(20)
        sent = []
        for device, body, epoch, seq in messages:
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = [("epoch", str(epoch)), ("seq", str(seq)), ("first", "0")]
            sent.append(client.publish(f"region/1/default/{device}/up/json", body, qos=1, properties=properties))
        for each in sent:
            each.wait_for_publish(60)

    try:
        yield publish
    finally:
        client.disconnect()
        client.loop_stop()
        client.__del__()


SCENARIOS = [
    Scenario(name="shuffled", what="every message three times, shuffled, a third of it 30 days late", run=shuffled),
    Scenario(name="redelivered", what="gateways that send everything again at once", run=redelivered),
    Scenario(name="clock-jumps", what="a gateway's clock that jumps hours back and forth", run=clock_jumps),
    Scenario(name="dst-days", what="the days on which clocks change", run=dst_days),
    Scenario(name="poisoned", what="1 % poison of every kind", run=poisoned),
]
