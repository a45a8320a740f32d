"""The whole loop against a scripted broker and a log whose confirmations the test decides."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.settings import BridgeSettings
from ingest_mqtt import bridge as bridge_module
from ingest_mqtt.bridge import Bridge, run
from ingest_mqtt.contract import RawMessage, decode_batch
from ingest_mqtt.raw_log import Record

CONNACK_NEW, CONNACK_RESUMED = b"\x20\x03\x00\x00\x00", b"\x20\x03\x01\x00\x00"
SUBACK = b"\x90\x07\x00\x01\x00\x01\x01\x01\x01"
TOPIC = b"region/1/t/d/up/json"
PATIENCE_S = 20.0


def message(mid: int, payload: bytes = b"{}", topic: bytes = TOPIC) -> bytes:
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", mid) if mid else b"") + b"\0" + payload
    return bytes([0x32 if mid else 0x30, len(body)]) + body


class ScriptedBroker:
    """A broker that does exactly what the test says."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENCE_S)
        self.port: int = self._server.getsockname()[1]
        self._connections: list[socket.socket] = []

    def accept(self, connack: bytes = CONNACK_NEW, suback: bytes = SUBACK) -> None:
        connection, _ = self._server.accept()
        connection.settimeout(PATIENCE_S)
        self._connections.append(connection)
        assert self.packet()[0] == 0x10
        connection.sendall(connack)
        assert self.packet()[0] == 0x82
        connection.sendall(suback)

    def send(self, data: bytes) -> None:
        self._connections[-1].sendall(data)

    def packet(self) -> bytes:
        """The next packet of the bridge, all of whose packets are short here."""
        head = self._exactly(2)
        return head + self._exactly(head[1])

    def acked(self) -> int:
        kind, _, mid = struct.unpack("!BBH", self.packet())
        assert kind == 0x40
        return mid

    def silent(self) -> bool:
        """Nothing more came than what was read."""
        self._connections[-1].settimeout(0.2)
        try:
            return not self._connections[-1].recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self._connections[-1].settimeout(PATIENCE_S)

    def cut(self) -> None:
        self._connections[-1].close()

    def close(self) -> None:
        for each in (*self._connections, self._server):
            each.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._connections[-1].recv(count - len(data))
            assert more, "the bridge closed the connection"
            data += more
        return data


class HeldLog:
    """A log that confirms what the test tells it to, in the loop's thread."""

    last: HeldLog

    def __init__(self, *, confirmed, **_more) -> None:
        self._confirmed = confirmed
        self._changed = threading.Condition()
        self.records: list[Record] = []
        self._to_confirm: list[Record] = []
        self._left = 0
        HeldLog.last = self

    def __len__(self) -> int:
        return self._left

    def ensure_topic(self) -> bool:
        return True

    def oldest(self) -> None:
        return None

    def send(self, record: Record) -> None:
        with self._changed:
            self._left += 1
            self.records.append(record)
            self._changed.notify_all()

    def poll(self, _timeout_s: float = 0.0) -> None:
        with self._changed:
            ready, self._to_confirm = self._to_confirm, []
        for record in ready:
            self._left -= 1
            self._confirmed(record)

    def close(self, _timeout_s: float) -> int:
        self.poll()
        return self._left

    # What tests call:
    def wait_for(self, messages: int) -> list[RawMessage]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= messages, PATIENCE_S)
            return self.messages

    def confirm(self, *indices: int) -> None:
        with self._changed:
            self._to_confirm += [self.records[index] for index in indices]

    @property
    def messages(self) -> list[RawMessage]:
        return [each for record in self.records for each in decode_batch(record.value)]


class Running:
    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.left: int | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.left = self.bridge.run()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    made = ScriptedBroker()
    yield made
    made.close()


@contextmanager
def running(broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(bridge_module, "RawLog", HeldLog)
    it = Running(Bridge(BridgeSettings(mqtt_port=broker.port, batch_ms=1.0)))
    try:
        yield it
    finally:
        it.bridge.stop()
        it.join()


def test_messages_are_acknowledged_only_after_confirmation_and_in_order(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(broker, monkeypatch):
        broker.accept()
        broker.send(message(1))
        HeldLog.last.wait_for(1)
        broker.send(message(2))
        HeldLog.last.wait_for(2)
        HeldLog.last.confirm(1)
        assert broker.silent()
        HeldLog.last.confirm(0)
        assert [broker.acked(), broker.acked()] == [1, 2]


def test_what_the_platform_itself_published_is_acknowledged_and_goes_no_further(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = b"v1.1/Observations"
    marked = b"".join(b"\x26" + struct.pack("!H", len(part)) + part for part in (b"grenzregion",))
    marked += struct.pack("!H", 6) + b"stored"
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", 7) + bytes([len(marked)]) + marked + b"{}"
    with running(broker, monkeypatch):
        broker.accept()
        broker.send(bytes([0x32, len(body)]) + body)
        assert broker.acked() == 7
        broker.send(message(8, topic=topic))
        assert [each.topic for each in HeldLog.last.wait_for(1)] == ["v1.1/Observations"]


def test_a_confirmation_after_the_session_was_lost_is_not_acknowledged(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(broker, monkeypatch) as it:
        broker.accept()
        broker.send(message(1, b"old"))
        HeldLog.last.wait_for(1)
        broker.cut()
        broker.accept()
        broker.send(message(1, b"new"))  # the same packet identifier, another message
        HeldLog.last.wait_for(2)
        HeldLog.last.confirm(0)
        assert broker.silent()
        HeldLog.last.confirm(1)
        assert broker.acked() == 1
        assert it.bridge.figures.reconnects == 1


def test_a_resumed_session_sends_again_and_each_delivery_is_acknowledged_once(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(broker, monkeypatch):
        broker.accept()
        broker.send(message(1))
        HeldLog.last.wait_for(1)
        broker.cut()
        broker.accept(CONNACK_RESUMED)
        broker.send(message(1))
        HeldLog.last.wait_for(2)
        HeldLog.last.confirm(0, 1)
        assert broker.acked() == 1
        assert broker.silent()


def test_messages_of_one_read_become_one_record_and_poison_passes_as_bytes(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = [b"\xff\0", b"{", b'{"a":NaN}', b""]
    with running(broker, monkeypatch) as it:
        broker.accept()
        stream = b"".join(message(mid, payload) for mid, payload in enumerate(poison, 1))
        broker.send(stream + message(5, b"x", b"region/1/t/../up/json") + message(0, b"qos 0"))
        found = HeldLog.last.wait_for(6)
        assert [each.payload for each in found if each.topic == TOPIC.decode() and each.payload != b"qos 0"] == poison
        (refused,) = [each for each in found if each.refused]
        assert (refused.topic, refused.payload) == ("region/1/t/../up/json", b"x")
        assert it.bridge.figures.refused == {"bad_topic": 1}
        assert len(HeldLog.last.records) == 2  # two partitions
        HeldLog.last.confirm(0, 1)
        assert [broker.acked() for _ in range(5)] == [1, 2, 3, 4, 5]
        assert broker.silent()


def test_equal_messages_of_one_read_have_stamps_of_their_own(broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(broker, monkeypatch):
        broker.accept()
        broker.send(b"".join(message(mid, b"the same") for mid in range(1, 4)))
        stamps = [each.received_us for each in HeldLog.last.wait_for(3)]
        assert stamps == sorted(set(stamps))


@pytest.mark.parametrize(("topic", "gateway"), [(b"v1.1/Observations", "g1"), (TOPIC, None)])
def test_the_gateway_of_a_sensorthings_client_is_kept(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch, topic: bytes, gateway: str | None
) -> None:
    user = {b"gateway": b"g1", b"epoch": b"3", b"seq": b"0"}
    properties = b"".join(
        b"\x26" + struct.pack("!H", len(name)) + name + struct.pack("!H", len(value)) + value for name, value in user.items()
    )
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", 7) + bytes([len(properties)]) + properties + b"{}"
    with running(broker, monkeypatch):
        broker.accept()
        broker.send(bytes([0x32, len(body)]) + body)
        (found,) = HeldLog.last.wait_for(1)
        assert (found.gateway, found.epoch, found.seq) == (gateway, 3, 0)


def test_stopping_flushes_acknowledges_and_says_good_bye(broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(broker, monkeypatch) as it:
        broker.accept()
        broker.send(message(1))
        HeldLog.last.wait_for(1)
        HeldLog.last.confirm(0)
        assert broker.acked() == 1
        it.bridge.stop()
        assert broker.packet() == b"\xe0\x00"
        it.join()
        assert it.left == 0


def test_stopping_counts_what_was_never_confirmed(broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(broker, monkeypatch) as it:
        broker.accept()
        broker.send(message(1))
        HeldLog.last.wait_for(1)
        it.bridge.stop()
        assert broker.packet() == b"\xe0\x00"  # no acknowledgement before it
        it.join()
        assert it.left == 1


def test_a_malformed_packet_costs_the_connection_only(broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(broker, monkeypatch) as it:
        broker.accept()
        broker.send(message(1) + b"\xf0\x00")
        HeldLog.last.wait_for(0)
        broker.accept(CONNACK_RESUMED)
        broker.send(message(1))
        found = HeldLog.last.wait_for(1)
        assert found[0].topic == TOPIC.decode()
        assert it.bridge.figures.reconnects == 1


@pytest.mark.parametrize(
    ("connack", "suback", "said"),
    [
        (CONNACK_NEW, b"\x90\x07\x00\x01\x00\x01\x87\x01\x01", r"refuses user '' the subscription to region/1/\+/\+/up/\+"),
        (b"\x20\x03\x00\x86\x00", None, "user or password is wrong"),
    ],
)
def test_a_refusal_ends_the_process_with_one_line(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch, connack: bytes, suback: bytes | None, said: str
) -> None:
    monkeypatch.setattr(bridge_module, "RawLog", HeldLog)

    def script() -> None:
        connection, _ = broker._server.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            connection.recv(1_000)
            connection.sendall(connack)
            if suback:
                connection.recv(1_000)
                connection.sendall(suback)
                connection.recv(1_000)

    other = threading.Thread(target=script)
    other.start()
    with pytest.raises(SystemExit, match=said):
        run(BridgeSettings(mqtt_port=broker.port))
    other.join()


def test_a_client_that_takes_over_the_session_ends_the_process(broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(broker, monkeypatch) as it:
        broker.accept()
        broker.send(b"\xe0\x02\x8e\x00")
        it.join()
        assert "took over" in str(it.error)


def test_a_bug_in_the_loop_ends_it(broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_user: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bridge_module, "read_identity", broken)
    with running(broker, monkeypatch) as it:
        broker.accept()
        broker.send(message(1))
        it.join()
        assert isinstance(it.error, RuntimeError)
