"""MQTT 5 on the wire; paho's encoder of properties is the independent oracle."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from infra import packets
from infra.packets import Connack, Disconnect, MalformedPacketError, Parser, Pingresp, Puback, Publish, Suback


def variable(number: int) -> bytes:
    out = b""
    while True:
        number, byte = divmod(number, 128)
        out += bytes([byte | 128 if number else byte])
        if not number:
            return out


def framed(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + variable(len(body)) + body


def published(topic: bytes, payload: bytes, *, mid: int = 0, properties: bytes = b"\0", flags: int = 0) -> bytes:
    head = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", mid) if mid else b"")
    return framed(0x30 | flags | (2 if mid else 0), head + properties + payload)


def all_properties(user: list[tuple[str, str]]) -> bytes:
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 60
    properties.ContentType = "application/json"
    properties.ResponseTopic = "answer"
    properties.CorrelationData = b"\x26\x00\x05"
    properties.SubscriptionIdentifier = 200_000
    if user:
        properties.UserProperty = user
    return properties.pack()


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
messages = st.builds(
    lambda topic, payload, mid, user, rich: (topic.encode(), payload, mid, user, rich),
    words, st.binary(max_size=300), st.integers(0, 65_535), st.lists(st.tuples(words, words), max_size=4), st.booleans(),
)  # fmt: skip


@given(st.lists(messages, max_size=8), st.lists(st.integers(1, 200), min_size=1))
def test_messages_come_out_whole_however_the_stream_is_cut(sent: list[tuple], cuts: list[int]) -> None:
    stream = b""
    for topic, payload, mid, user, rich in sent:
        properties = Properties(PacketTypes.PUBLISH)
        if user:
            properties.UserProperty = user
        stream += published(topic, payload, mid=mid, properties=all_properties(user) if rich else properties.pack())
    parser, found, position = Parser(), [], 0
    while position < len(stream):
        step = cuts[position % len(cuts)]
        found += parser.feed(stream[position : position + step])
        position += step
    assert found == [
        Publish(topic, payload, mid, [(name.encode(), value.encode()) for name, value in user])
        for topic, payload, mid, user, _ in sent
    ]


@pytest.mark.parametrize("size", [127 - 5, 128 - 5, 16_383 - 5, 16_384 - 5, 2_097_151 - 5, 2_097_152 - 5])
def test_both_sides_of_each_length_boundary_are_read(size: int) -> None:
    (message,) = Parser().feed(published(b"t", bytes(size), mid=1) + b"\xd0")
    assert message == Publish(b"t", bytes(size), 1, [])


def test_control_packets_are_read() -> None:
    stream = (
        framed(0x20, b"\x01\x00\x00")
        + framed(0x20, b"\x00\x87\x00")
        + framed(0x20, b"\x00\x00\x06\x21\x00\x14\x13\x00\x3c")
        + framed(0x20, b"\x00\x00\x0b\x22\x00\x0a\x27\x00\x04\x10\x00\x1f\x00\x00")
        + framed(0x40, b"\x01\x02")
        + framed(0x40, b"\x01\x02\x10\x00")
        + framed(0x90, b"\x00\x01\x00\x01\x87")
        + b"\xd0\x00\xe0\x00"
        + framed(0xE0, b"\x8e\x00")
    )
    assert Parser().feed(stream) == [
        Connack(session_present=True, reason=0, keepalive_s=None),
        Connack(session_present=False, reason=0x87, keepalive_s=None),
        Connack(session_present=False, reason=0, keepalive_s=60, receive_maximum=20),
        Connack(session_present=False, reason=0, keepalive_s=None, max_packet=266_240),
        Puback(258, 0),
        Puback(258, 0x10),
        Suback(mid=1, reasons=b"\x01\x87"),
        Pingresp(),
        Disconnect(reason=0),
        Disconnect(reason=0x8E),
    ]


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        framed(0x30, b"\x00\x09to"),  # a topic longer than its packet
        framed(0x32, b"\x00\x01t"),  # no packet identifier
        framed(0x34, b"\x00\x01t\x00\x01\x00"),  # QoS 2 was not subscribed
        framed(0x30, b"\x00\x01t\x05\x26\x00"),  # properties longer than their packet
        framed(0x30, b"\x00\x01t\x02\x7f\x00"),  # no such property
        framed(0x30, b"\x00\x01t\x06\x26\x00\x01a\x00\x09"),  # a property longer than the properties
        framed(0x10, b"\x00"),  # a server sends no CONNECT
        framed(0x20, b"\x00"),
    ],
)
def test_what_mqtt_does_not_allow_is_told(stream: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        Parser().feed(stream + packets.PINGREQ.replace(b"\xc0", b"\xd0") * 10)


@given(st.binary(max_size=200))
def test_any_bytes_give_packets_or_are_called_malformed(stream: bytes) -> None:
    with suppress(MalformedPacketError):
        Parser().feed(stream)


def test_connect_asks_for_the_old_session_with_expiry_and_receive_maximum() -> None:
    sent = packets.connect(client_id="b", session_expiry_s=604_800, receive_maximum=1_000, keepalive_s=30, user="u", password="p")
    assert sent == framed(0x10, b"\0\4MQTT\5\xc0\0\x1e" + b"\x08\x11\x00\x09\x3a\x80\x21\x03\xe8" + b"\0\1b" + b"\0\1u" + b"\0\1p")


def test_acknowledgements_are_sent_in_order() -> None:
    assert packets.pubacks([1, 65_535, 256]) == b"\x40\x02\x00\x01\x40\x02\xff\xff\x40\x02\x01\x00"


@given(words, st.binary(max_size=300), st.integers(1, 65_535), words)
def test_a_publication_is_read_as_it_was_written(topic: str, payload: bytes, mid: int, value: str) -> None:
    sent = packets.publication(topic, payload, mid, packets.user_property("name", value))
    assert sent[0] == 0x32
    assert Parser().feed(sent) == [Publish(topic.encode(), payload, mid, [(b"name", value.encode())])]


def test_a_subscription_has_the_options_that_were_asked_for() -> None:
    assert packets.subscribe(7, ["a"], b"\0") == framed(0x82, b"\0\7\0\0\1a\0")
    assert packets.subscribe(7, ["a"]) == framed(0x82, b"\0\7\0\0\1a\x11")
