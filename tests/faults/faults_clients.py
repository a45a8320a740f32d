"""Clients that ask too much: messages that are too large, thousands of connections at once, more readings than can be stored."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from load import register
from receipts import publisher
from road import Platform
from stage import Scenario, Stage
from truth import check_derived

from infra import packets

STORM = 2_000
HUGE = 256 * 1024 * 1024 - 64
OFFERED = 500_000  # readings, as fast as an outbox takes them


def huge(stage: Stage) -> None:
    """A message of 256 MB: the broker ends the connection, and nobody else notices."""
    with stage.load(may_lose_plain=False) as made:
        for _ in range(stage.times(3)):
            made.notes["broker_took_bytes"] = send_huge(stage.platform)
            made.measure()


def send_huge(platform: Platform) -> int:
    """Publish it with a bare socket; returns how many bytes the broker took before it ended the connection."""
    user, password = publisher(platform)
    topic = b"region/1/default/huge/up/json"
    head = bytes([0x32]) + _length(2 + len(topic) + 2 + 1 + HUGE) + len(topic).to_bytes(2, "big") + topic + b"\0\1\0"
    taken = 0
    with socket.create_connection(("127.0.0.1", platform.mqtt_port), timeout=30) as link:
        link.sendall(_connect("huge", user, password))
        assert link.recv(100)[0] == 0x20
        try:
            link.sendall(head)
            for _ in range(HUGE // 65_536):
                link.sendall(bytes(65_536))
                taken += 65_536
        except OSError:
            return taken
    raise AssertionError("the broker took 256 MB")


def _length(number: int) -> bytes:
    """MQTT's variable byte integer."""
    found = bytearray()
    while True:
        number, digit = divmod(number, 128)
        found.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(found)


def _connect(client_id: str, user: str, password: str) -> bytes:
    return packets.connect(
        client_id=client_id, session_expiry_s=0, receive_maximum=10, keepalive_s=60, user=user, password=password
    )


def reconnect_storm(stage: Stage) -> None:
    """Thousands of clients come back at the same moment, again and again."""
    with stage.load(may_lose_plain=False) as made:
        number = stage.times(STORM, 100)
        took = [asyncio.run(storm(stage.platform, number)) for _ in range(stage.times(3))]
        made.measure()
        made.notes |= {"clients": number, "storm_s": [round(each, 1) for each in took]}


async def storm(platform: Platform, number: int) -> float:
    """Connect clients all at once and let them go; returns the seconds until the last one is in."""
    user, password = publisher(platform)
    began = time.monotonic()

    async def client(place: int) -> asyncio.StreamWriter:
        for _ in range(100):
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", platform.mqtt_port)
                writer.write(_connect(f"storm-{place}", user, password))
                answer = await asyncio.wait_for(reader.readexactly(4), 120)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)
            else:
                assert answer[0] == 0x20
                return writer
        raise AssertionError("no connection")

    writers = await asyncio.gather(*(client(place) for place in range(number)))
    took = time.monotonic() - began
    for writer in writers:
        writer.transport.abort()
    return took


def overload(stage: Stage) -> None:
    """Far more is offered than is stored meanwhile; it waits in outboxes, broker and log, and is stored in the end."""
    with stage.load(may_lose_plain=False, patience_s=600) as made:
        device = f"flood-{time.monotonic_ns()}"
        channel = register(stage.platform, device)["t"]
        offered = round(stage.seconds(OFFERED, 20_000))
        with stage.platform.gateway(device, stage.folder) as gateway:
            began = time.monotonic()
            for messages in flood(offered):
                gateway.publish_many(messages)
            took = time.monotonic() - began
            stored = _rows(stage.platform, channel)
            assert gateway.flush(900), gateway.statistics()
            drained = time.monotonic() - began
        made.measure()
        made.notes |= {"offered": offered, "offered_per_s": round(offered / took)}
        made.notes |= {"stored_meanwhile": stored, "stored_per_s": round(offered / drained)}
        assert _rows(stage.platform, channel) == offered
        assert check_derived(stage.platform, [channel]) == []


def _rows(platform: Platform, channel: int) -> int:
    return platform.rows("SELECT count(*) FROM observation WHERE datastream_id = %s", channel)[0][0]


def flood(offered: int) -> Iterator[list[tuple[None, list[dict[str, Any]]]]]:
    """Fifty messages of twenty readings at a time."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=18)

    def message(first: int) -> tuple[None, list[dict[str, Any]]]:
        ticks = range(first, first + 20)
        return None, [{"time": start + timedelta(seconds=tick), "property": "t", "value": tick % 300 / 10} for tick in ticks]

    for first in range(0, offered, 1_000):
        yield [message(each) for each in range(first, first + 1_000, 20)]


SCENARIOS = [
    Scenario(name="huge", what="messages of 256 MB", run=huge, recovery_s=15.0),
    Scenario(name="reconnect-storm", what="2,000 clients that connect at the same moment", run=reconnect_storm, recovery_s=60.0),
    Scenario(name="overload", what="far more at once than is stored meanwhile", run=overload),
]
