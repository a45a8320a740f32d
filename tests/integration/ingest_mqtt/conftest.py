"""The bridge in a process of its own between real servers, which the tests may kill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from needs import need
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from infra.log import ensure_topic
from infra.servers.embedded import Rumqttd, Tansu
from infra.servers.kafka import Kafka
from infra.servers.mosquitto import Mosquitto
from infra.servers.server import Server, unprivileged_user
from infra.servers.set import Account
from ingest_mqtt.contract import RAW_TOPIC, RawMessage, decode_batch

PARTITIONS = 4
PATIENCE_S = 40.0
_CODE = """
import faulthandler, logging
faulthandler.dump_traceback_later(20, repeat=True)
from infra.settings import BridgeSettings
from ingest_mqtt.bridge import run
logging.basicConfig(level="INFO")
run(BridgeSettings())
"""


@dataclass(kw_only=True)
class Pair:
    """An MQTT broker and a log, to be killed and started again."""

    name: str
    mqtt: Rumqttd | Mosquitto
    kafka: Tansu | Kafka
    bridges: list[Bridge] = field(default_factory=list)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.kafka.port}"

    def bridge(self, account: Account | None = None, **environment: str) -> Bridge:
        made = Bridge(self, account or self.mqtt.admin, environment)
        self.bridges.append(made)
        return made


class Bridge:
    """One run of the bridge."""

    def __init__(self, pair: Pair, account: Account, environment: dict[str, str]) -> None:
        self._log: list[str] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CODE],
            env={
                "PATH": os.environ["PATH"],
                "GRENZREGION_KAFKA": pair.bootstrap,
                "GRENZREGION_PARTITIONS": str(PARTITIONS),
                "GRENZREGION_MQTT_PORT": str(pair.mqtt.port),
                "GRENZREGION_MQTT_USER": account.user,
                "GRENZREGION_MQTT_PASSWORD": account.password,
                **environment,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def said(self, text: str, times: int = 1) -> None:
        """Wait until the bridge's log has this line so many times."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.log.count(text) >= times, PATIENCE_S), self.log

    @property
    def log(self) -> str:
        return "".join(self._log)

    def kill(self) -> None:
        self.process.kill()
        self._finish()

    def terminate(self) -> int:
        self.process.terminate()
        return self._finish()

    def wait(self) -> int:
        return self._finish()

    def _finish(self) -> int:
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the bridge does not end:\n{self.log}")
        self._reader.join(PATIENCE_S)
        self.process.stderr.close()
        return code

    def _read(self) -> None:
        for line in self.process.stderr:
            with self._changed:
                self._log.append(line)
                self._changed.notify_all()


class Device:
    """Publishes numbered messages at QoS 1 and knows which the broker has acknowledged."""

    def __init__(self, pair: Pair, tenant: str, account: Account | None = None) -> None:
        account = account or (pair.mqtt.device if isinstance(pair.mqtt, Rumqttd) else pair.mqtt.admin)
        self.tenant = tenant
        self._mids: list[int] = []  # by seq
        self._acknowledged: set[int] = set()  # mids
        self._next = 0
        self._changed = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, f"device-{tenant}", protocol=paho.MQTTv5)
        self._client.username_pw_set(account.user, account.password)
        self._client.reconnect_delay_set(0.1, 0.5)
        self._client.max_inflight_messages_set(200)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", pair.mqtt.port)
        self._client.loop_start()

    def publish(self, count: int) -> None:
        for seq in range(self._next, self._next + count):
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = [("epoch", "7"), ("seq", str(seq)), ("first", "0")]
            topic = f"region/1/{self.tenant}/device-{seq % 5}/up/json"
            self._mids.append(self._client.publish(topic, f'{{"n": {seq}}}', qos=1, properties=properties).mid)
        self._next += count

    def publish_raw(self, topic: str, payload: bytes, user: list[tuple[str, str]] | None = None) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        if user:
            properties.UserProperty = user
        self._client.publish(topic, payload, qos=1, properties=properties).wait_for_publish(PATIENCE_S)

    @property
    def acknowledged(self) -> set[int]:
        """Seqs that the broker has acknowledged."""
        return {seq for seq, mid in enumerate(self._mids) if mid in self._acknowledged}

    def wait_acknowledged(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._acknowledged) >= count, PATIENCE_S), len(self._acknowledged)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_publish(self, _client: object, _data: object, mid: int, _reason: object, _properties: object) -> None:
        with self._changed:
            self._acknowledged.add(mid)
            self._changed.notify_all()


class RawReader:
    """Reads `readings.raw` from its beginning; the messages of one tenant."""

    def __init__(self, pair: Pair, tenant: str) -> None:
        self._tenant = tenant
        self._consumer = Consumer(
            {"bootstrap.servers": pair.bootstrap, "group.id": tenant, "enable.auto.commit": False, "log_level": 0}
        )
        self._consumer.assign([TopicPartition(RAW_TOPIC, partition, 0) for partition in range(PARTITIONS)])
        self.messages: list[RawMessage] = []

    def until(self, done: Callable[[list[RawMessage]], bool]) -> list[RawMessage]:
        deadline = time.monotonic() + PATIENCE_S
        while not done(self.messages):
            assert time.monotonic() < deadline, f"{len(self.messages)} messages came"
            self.more()
        return self.messages

    def more(self) -> None:
        record = self._consumer.poll(0.2)
        if record is not None:
            if record.error():
                raise KafkaException(record.error())
            self.messages += [each for each in decode_batch(record.value()) if each.topic.split("/")[2] == self._tenant]

    def has(self, seqs: set[int]) -> Callable[[list[RawMessage]], bool]:
        return lambda messages: seqs <= {each.seq for each in messages}

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture(scope="module", params=["embedded", "local"])
def servers_pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Broker and log without the database, of this module alone: its tests kill them."""
    name = request.param
    need(name)
    with TemporaryDirectory(prefix="bridge-") as folder:
        data_dir = Path(folder)
        if name == "embedded":
            pair = Pair(name=name, mqtt=Rumqttd(data_dir=data_dir, port=0), kafka=Tansu(data_dir=data_dir, port=0))
        else:
            user = unprivileged_user()
            assert user is not None
            mqtt = Mosquitto(data_dir=data_dir, port=0, host="127.0.0.1", user=user)
            pair = Pair(name=name, mqtt=mqtt, kafka=Kafka(data_dir=data_dir, port=0))
        servers: list[Server] = [pair.kafka, pair.mqtt]
        try:
            for server in servers:
                server.start()
            for server in servers:
                server.wait_ready()
            ensure_topic(pair.bootstrap, RAW_TOPIC, PARTITIONS)
            yield pair
        finally:
            for server in servers:
                server.stop()


@pytest.fixture
def pair(servers_pair: Pair) -> Iterator[Pair]:
    """The module's servers, running; bridges that a test started are gone after it."""
    for server in (servers_pair.kafka, servers_pair.mqtt):
        if server.pid is None:
            server.start()
            server.wait_ready()
    yield servers_pair
    for bridge in servers_pair.bridges:
        if bridge.process.poll() is None:
            bridge.kill()
    servers_pair.bridges.clear()


@pytest.fixture
def device(pair: Pair, request: pytest.FixtureRequest) -> Iterator[Device]:
    made = Device(pair, f"t{abs(hash(request.node.name)) % 10**9}")
    yield made
    made.close()


@pytest.fixture
def reader(pair: Pair, device: Device) -> Iterator[RawReader]:
    made = RawReader(pair, device.tenant)
    yield made
    made.close()
