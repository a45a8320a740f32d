"""What the bridge itself refuses: a topic outside the names' grammar, an unusable identity, a message too large for a record.

Pure functions. A refused message still travels through the log, marked with its reason, so that it ends among the dead letters with
its original bytes (delivery.md 7); the worker stores it. Reasons are `code: detail`; the codes stand in docs/dead-letters.md.
"""

from __future__ import annotations

import hashlib

from devices.topics import device_key, is_name
from ingest_mqtt.contract import RawMessage

BAD_IDENTITY = "bad_identity"
BAD_TOPIC = "bad_topic"
TOO_LARGE = "too_large"
REASONS = (BAD_IDENTITY, BAD_TOPIC, TOO_LARGE)

MAX_MESSAGE_BYTES = 900_000  # topic and payload; a record stays below Kafka's 1 MB (decisions.md 7)
KEPT_BYTES = 65_536  # of a message too large

_IDENTITY = {b"epoch": 0, b"seq": 1, b"first": 2}
_GATEWAY = b"gateway"
_LONGEST = 19  # digits of 2^63 - 1
_MAXIMUM = 2**63 - 1

Identity = tuple[int | None, int | None, int | None]
_NO_IDENTITY: Identity = (None, None, None)


def read_topic(raw: bytes) -> tuple[str, str, str | None]:
    """Topic as text that every store can hold, the partition's key, and the reason to refuse it."""
    try:
        topic = raw.decode()
    except UnicodeDecodeError:
        topic = raw.decode(errors="backslashreplace")
        return topic, topic, f"{BAD_TOPIC}: not UTF-8"
    if "\0" in topic:
        topic = topic.replace("\0", "\\x00")
        return topic, topic, f"{BAD_TOPIC}: contains U+0000"
    key = device_key(topic)
    if topic.startswith("region/") and not all(is_name(name) for name in topic.split("/")[2:4]):
        return topic, key, f"{BAD_TOPIC}: tenant and device are names of 1 to 63 of a-z 0-9 _ . - beginning with a letter or digit"
    return topic, key, None


def read_identity(user: list[tuple[bytes, bytes]]) -> tuple[Identity, str | None]:
    """(epoch, seq, first) of a message's user properties, and the reason to refuse them (decisions.md 2 and 3)."""
    found: list[int | None] = [None, None, None]
    for name, value in user:
        place = _IDENTITY.get(name)
        if place is None:
            continue
        if found[place] is not None:
            return _NO_IDENTITY, f"{BAD_IDENTITY}: {name.decode()} is given twice"
        if not value.isdigit() or len(value) > _LONGEST or (number := int(value)) > _MAXIMUM:
            return _NO_IDENTITY, f"{BAD_IDENTITY}: {name.decode()} is not a decimal number below 2^63: {_shown(value)}"
        found[place] = number
    epoch, seq, first = found
    if (epoch is None) != (seq is None):
        return _NO_IDENTITY, f"{BAD_IDENTITY}: {'epoch' if epoch is None else 'seq'} is missing"
    if first is not None and epoch is None:
        return _NO_IDENTITY, f"{BAD_IDENTITY}: first without epoch and seq"
    return (epoch, seq, first), None


def read_gateway(user: list[tuple[bytes, bytes]]) -> tuple[str | None, str | None]:
    """Name of the outbox that a SensorThings client's message comes from, None where it names none, and the reason to refuse it."""
    names = [value for name, value in user if name == _GATEWAY]
    if not names:
        return None, None
    if len(names) > 1:
        return None, f"{BAD_IDENTITY}: gateway is given twice"
    name = names[0].decode("ascii", errors="backslashreplace")
    if not is_name(name):
        return None, f"{BAD_IDENTITY}: gateway is no name of 1 to 63 of a-z 0-9 _ . -: {_shown(names[0])}"
    return name, None


def _shown(value: bytes) -> str:
    return repr(value[:40].decode("ascii", errors="backslashreplace").replace("\0", "\\x00"))


def shorten(message: RawMessage) -> RawMessage:
    """Cut a message too large for a record to what a record can carry; its size and digest tell what was cut."""
    size = len(message.payload)
    digest = hashlib.sha256(message.payload).hexdigest()
    return RawMessage(
        topic=message.topic,
        payload=message.payload[:KEPT_BYTES],
        received_us=message.received_us,
        epoch=message.epoch,
        seq=message.seq,
        first=message.first,
        gateway=message.gateway,
        refused=f"{TOO_LARGE}: {size} bytes, kept {KEPT_BYTES}, SHA-256 of all {digest}",
    )
