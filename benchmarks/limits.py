"""The limits beside which the road is measured: each server alone, on the same machine in the same run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
from confluent_kafka import Consumer, Producer
from confluent_kafka.cimpl import TopicPartition
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.platform import Platform
from infra.log import ensure_topic
from streams.candidate import Candidate
from streams.registry import Registry
from streams.sessions import open_pool
from streams.store import StoreLimits, write_rows

MESSAGE = b'{"readings":[{"time":"2026-01-01T00:00:00Z","property":"c0","value":12.34}]}'
TOPIC = "bench.limit"


def mosquitto(platform: Platform, messages: int = 10_000) -> float:
    """Messages/s from a publisher over QoS 1 to a subscriber over QoS 1, paho at both ends, each a process of its own."""
    places = platform.places()
    admin = places["mqtt_admin"]
    done, subscribed, seen = threading.Event(), threading.Event(), [0]

    def on_message(*_: object) -> None:
        seen[0] += 1
        if seen[0] == messages:
            done.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(admin["user"], admin["password"])
    client.on_connect = lambda c, *_: c.subscribe("bench/limit", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = on_message
    client.connect("127.0.0.1", platform.mqtt_port)
    client.loop_start()
    subscribed.wait(10)
    code = (
        "import sys, threading, paho.mqtt.client as m; n=int(sys.argv[4]); w=threading.Semaphore(900); up=threading.Event()\n"
        "c=m.Client(m.CallbackAPIVersion.VERSION2, protocol=m.MQTTv5); c.username_pw_set(*sys.argv[2:4])\n"
        "c.max_inflight_messages_set(1000); c.on_publish=lambda *_: w.release(); c.on_connect=lambda *_: up.set()\n"
        f"c.connect('127.0.0.1', int(sys.argv[1])); c.loop_start(); up.wait(10)\n"
        f"for _ in range(n): w.acquire(); c.publish('bench/limit', {MESSAGE!r}, qos=1)\n"
        "for _ in range(900): w.acquire()\n"
        "c.disconnect(); c.loop_stop()\n"
    )
    began = time.perf_counter()
    arguments = [str(platform.mqtt_port), admin["user"], admin["password"], str(messages)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, timeout=120)
    done.wait(60)
    seconds = time.perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return seen[0] / seconds


def kafka(platform: Platform, records: int = 20_000, size: int = 4_000) -> float:
    """Records/s of `size` bytes through the log, acks=all and idempotent, one producer and one consumer."""
    bootstrap = platform.places()["kafka"]
    ensure_topic(bootstrap, TOPIC, 1)
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 5})
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    value, began, read = b"x" * size, time.perf_counter(), 0
    for number in range(records):
        while True:
            try:
                producer.produce(TOPIC, value, partition=0)
                break
            except BufferError:
                producer.poll(0.01)
        if number % 500 == 0:
            producer.poll(0)
    producer.flush(60)
    while read < records:
        read += len(consumer.consume(1_000, 1.0))
    seconds = time.perf_counter() - began
    consumer.close()
    return records / seconds


def store(platform: Platform, batches: int = 20, devices: int = 100, ticks: int = 10) -> float:
    """Readings/s of COPY + ON CONFLICT alone: ready-made rows into the same table, indexes and aggregates, one connection."""
    return asyncio.run(_store(platform.places()["database_url"], batches, devices, ticks))


async def _store(url: str, batches: int, devices: int, ticks: int) -> float:
    pool = open_pool(url, 1, "bench")
    await pool.open()
    registry, start, rows, seconds = Registry(), datetime.now(UTC) - timedelta(days=30), 0, 0.0
    async with pool, pool.connection() as connection:
        await registry.load(connection)
        for batch in range(batches):
            candidates = [
                Candidate(
                    channel=channel, time=at, received=at, number=(batch * 7919 + tick) % 4000 / 100, epoch=0, seq=batch, item=tick
                )
                for device in range(devices)
                for channel in (registry.channels("default", f"bench-{device}") or {}).values()
                for tick in range(ticks)
                for at in [start + timedelta(seconds=batch * ticks + tick)]
            ]
            began = time.perf_counter()
            async with connection.transaction():
                await write_rows(connection, candidates, StoreLimits())
            seconds += time.perf_counter() - began
            rows += len(candidates)
    return rows / seconds
