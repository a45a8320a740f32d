"""The part of MQTT 5 that bridge and notifier need, without any I/O: bytes to packets and packets to bytes.

Clause numbers are those of the OASIS standard MQTT 5.0. The hot path: a chunk of bytes becomes a list of packets in one loop
(docs/adr/0003-mqtt-ack-point.md tells why this is not paho).
"""

from __future__ import annotations

import struct

import msgspec

MAX_REMAINING_LENGTH = 268_435_455

_CONNACK, _PUBLISH, _PUBACK, _SUBACK, _PINGRESP, _DISCONNECT = 0x20, 0x30, 0x40, 0x90, 0xD0, 0xE0
_USER_PROPERTY = 0x26
_SERVER_KEEPALIVE, _RECEIVE_MAXIMUM, _MAX_PACKET = 0x13, 0x21, 0x27
# 2.2.2.2: how long each property's value is; text and binary data carry their length, a variable byte integer ends by its top bit.
_FIXED = {
    0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x27: 4,
    0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
_TEXT = frozenset((0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F))
_VARIABLE = 0x0B

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


class MalformedPacketError(Exception):
    """The broker sent what MQTT 5 does not allow; the connection is of no more use."""


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A PUBLISH: `mid` is its packet identifier, 0 for QoS 0. `user` are the user properties in their order, undecoded."""

    topic: bytes
    payload: bytes
    mid: int
    user: list[tuple[bytes, bytes]]


class Connack(msgspec.Struct, frozen=True):
    """The answer to CONNECT; `reason` 0 is success, the others stand in 3.2.2.2.

    The broker takes `receive_maximum` messages without its acknowledgement, and packets of `max_packet` bytes (None: any).
    """

    session_present: bool
    reason: int
    keepalive_s: int | None
    receive_maximum: int = 65_535
    max_packet: int | None = None


class Suback(msgspec.Struct, frozen=True):
    """The answer to SUBSCRIBE: one reason code per filter, 0x80 and above are refusals (3.9.3)."""

    mid: int
    reasons: bytes


class Puback(msgspec.Struct, frozen=True, gc=False):
    """The broker has a message of QoS 1; `reason` 0x10: nobody subscribed to it, 0x80 and above: refused (3.4.2.1)."""

    mid: int
    reason: int


class Pingresp(msgspec.Struct, frozen=True):
    """The answer to PINGREQ."""


class Disconnect(msgspec.Struct, frozen=True):
    """The broker says good-bye, and why (3.14.2.1)."""

    reason: int


Packet = Publish | Connack | Suback | Puback | Pingresp | Disconnect


def connect(*, client_id: str, session_expiry_s: int, receive_maximum: int, keepalive_s: int, user: str, password: str) -> bytes:
    """CONNECT with Clean Start 0: the broker's session goes on where it was (3.1)."""
    flags = (0x80 if user else 0) | (0x40 if password else 0)
    properties = struct.pack("!BIBH", 0x11, session_expiry_s, 0x21, receive_maximum)
    body = b"\x00\x04MQTT\x05" + struct.pack("!BH", flags, keepalive_s) + _variable(len(properties)) + properties + _text(client_id)
    if user:
        body += _text(user)
    if password:
        body += _text(password)
    return b"\x10" + _variable(len(body)) + body


def subscribe(mid: int, filters: list[str], options: bytes = b"\x11") -> bytes:
    """SUBSCRIBE, usually at QoS 1; retained messages come only with a new subscription, not at every reconnect (3.8.3.1)."""
    body = struct.pack("!H", mid) + b"\x00" + b"".join(_text(each) + options for each in filters)
    return b"\x82" + _variable(len(body)) + body


def publish(topic: str, payload: bytes) -> bytes:
    """PUBLISH at QoS 0, for the bridge's heartbeat."""
    body = _text(topic) + b"\x00" + payload
    return b"\x30" + _variable(len(body)) + body


def user_property(name: str, value: str) -> bytes:
    """One user property among a packet's properties (3.3.2.3.7)."""
    return b"\x26" + _text(name) + _text(value)


def publication(topic: str, payload: bytes, mid: int, properties: bytes) -> bytes:
    """PUBLISH at QoS 1, not retained, with packed properties of less than 128 bytes."""
    name = topic.encode()
    length = len(name) + len(properties) + len(payload) + 5
    head = b"\x32" + _variable(length) + len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big")
    return b"".join((head, len(properties).to_bytes(1, "big"), properties, payload))


def pubacks(mids: list[int]) -> bytes:
    """PUBACKs of success in the given order (3.4)."""
    return b"".join([b"@\x02" + mid.to_bytes(2, "big") for mid in mids])


class Parser:
    """Cuts a stream of bytes into packets; what is incomplete waits for the next chunk."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Packet]:
        """Take the next bytes of the connection and give the packets that are complete."""
        data = self._rest + chunk if self._rest else chunk
        packets: list[Packet] = []
        position, end = 0, len(data)
        while end - position >= 2:  # noqa: PLR2004 - the shortest packet
            length, start = _length(data, position + 1, end)
            if start < 0 or start + length > end:
                break
            try:
                packets.append(_packet(data, data[position], start, start + length))
            except (IndexError, struct.error) as error:
                raise MalformedPacketError(f"a packet of type {data[position] >> 4} ends too early") from error
            position = start + length
        self._rest = data[position:]
        return packets


def _length(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Remaining length and where the packet's body starts; -1 when the bytes end before."""
    byte = data[position]
    if byte < 128:  # noqa: PLR2004 - the top bit says that more follows
        return byte, position + 1
    length, shift = byte & 127, 7
    for following in range(position + 1, min(position + 4, end)):
        byte = data[following]
        length |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004
            return length, following + 1
        shift += 7
    if end >= position + 4:
        raise MalformedPacketError("remaining length of more than four bytes")
    return 0, -1


def _packet(data: bytes, header: int, start: int, end: int) -> Packet:
    kind = header & 0xF0
    if kind == _PUBLISH:
        return _publish(data, header, start, end)
    if kind == _CONNACK and end >= start + 2:
        given = _limits(data, start + 2, end) if end > start + 2 else {}
        return Connack(
            session_present=bool(data[start] & 1),
            reason=data[start + 1],
            keepalive_s=given.get(_SERVER_KEEPALIVE),
            receive_maximum=given.get(_RECEIVE_MAXIMUM, 65_535),
            max_packet=given.get(_MAX_PACKET),
        )
    if kind == _PUBACK and end >= start + 2:
        return Puback(data[start] << 8 | data[start + 1], data[start + 2] if end > start + 2 else 0)
    if kind == _SUBACK:
        length, after = _properties_span(data, start + 2, end)
        return Suback(mid=data[start] << 8 | data[start + 1], reasons=data[after + length : end])
    if kind == _PINGRESP:
        return Pingresp()
    if kind == _DISCONNECT:
        return Disconnect(reason=data[start] if end > start else 0)
    raise MalformedPacketError(f"unexpected packet of type {header >> 4} with {end - start} bytes")


def _publish(data: bytes, header: int, start: int, end: int) -> Publish:
    position = start + 2 + (data[start] << 8 | data[start + 1])
    topic = data[start + 2 : position]
    qos = header & 0x06
    mid = 0
    if qos:
        if qos != 2:  # noqa: PLR2004 - bit pattern of QoS 1, the highest that was subscribed
            raise MalformedPacketError("a message above the subscription's QoS")
        mid = data[position] << 8 | data[position + 1]
        position += 2
    length = data[position]
    if length == 0:
        position += 1
        user: list[tuple[bytes, bytes]] = []
    else:
        length, position = _properties_span(data, position, end)
        user = _user_properties(data, position, position + length)
        position += length
    if position > end:
        raise MalformedPacketError("a message's properties are longer than the message")
    return Publish(topic, data[position:end], mid, user)


def _properties_span(data: bytes, position: int, end: int) -> tuple[int, int]:
    length, after = _length(data, position, end)
    if after < 0 or after + length > end:
        raise MalformedPacketError("properties are longer than their packet")
    return length, after


def _user_properties(data: bytes, position: int, end: int) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    while position < end:
        if data[position] == _USER_PROPERTY:
            value = position + 3 + (data[position + 1] << 8 | data[position + 2])
            after = value + 2 + (data[value] << 8 | data[value + 1])
            found.append((data[position + 3 : value], data[value + 2 : after]))
            position = after
        else:
            position = _skip(data, position, end)
    if position != end:
        raise MalformedPacketError("a property is longer than the properties")
    return found


def _skip(data: bytes, position: int, end: int) -> int:
    """Where the property after this one starts."""
    identifier = data[position]
    if identifier in _FIXED:
        return position + 1 + _FIXED[identifier]
    if identifier in _TEXT:
        return position + 3 + (data[position + 1] << 8 | data[position + 2])
    if identifier == _VARIABLE:
        return _length(data, position + 1, end)[1]
    if identifier == _USER_PROPERTY:
        value = position + 3 + (data[position + 1] << 8 | data[position + 2])
        return value + 2 + (data[value] << 8 | data[value + 1])
    raise MalformedPacketError(f"unknown property {identifier}")


def _limits(data: bytes, position: int, end: int) -> dict[int, int]:
    """Numbers among the properties of a CONNACK: the broker's word replaces ours (3.2.2.3)."""
    length, position = _properties_span(data, position, end)
    stop = position + length
    found: dict[int, int] = {}
    while position < stop:
        identifier, size = data[position], _FIXED.get(data[position], 0)
        if size:
            found[identifier] = int.from_bytes(data[position + 1 : position + 1 + size], "big")
        position = _skip(data, position, stop)
    return found


def _variable(number: int) -> bytes:
    out = bytearray()
    while True:
        number, byte = divmod(number, 128)
        out.append(byte | 128 if number else byte)
        if not number:
            return bytes(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data
