"""What the bridge hands on: topics of the log and the raw record.

A record of `readings.raw` carries many MQTT messages of one partition (delivery.md 4). Its value is msgpack, written by
`encode_batch` and read by `decode_batch`; its key is empty, its partition chosen by `partition_of`.
"""

from __future__ import annotations

import zlib

import msgspec

RAW_TOPIC = "readings.raw"
STORED_TOPIC = "readings.stored"
ALERTS_TOPIC = "alerts"

BATCH_VERSION = 1


class RawMessage(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """One MQTT message as the bridge saw it.

    `received_us` is Unix time in microseconds (UTC) of the bridge's first sight. `epoch`, `seq` and `first` are the MQTT 5 user
    properties (decisions.md 2-3), None where absent. `refused` is the bridge's reason (`code: detail`) for a message that must
    end among the dead letters without being decoded. `gateway` names the outbox of a SensorThings client (docs/gateway.md).
    """

    topic: str
    payload: bytes
    received_us: int
    epoch: int | None = None
    seq: int | None = None
    first: int | None = None
    refused: str | None = None
    gateway: str | None = None


class RawBatch(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The value of one record of `readings.raw`."""

    version: int
    messages: list[RawMessage]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RawBatch)


def encode_batch(messages: list[RawMessage]) -> bytes:
    """Pack messages of one partition into the value of one record."""
    return _encoder.encode(RawBatch(version=BATCH_VERSION, messages=messages))


def decode_batch(value: bytes) -> list[RawMessage]:
    """Unpack the value of one record; raises `msgspec.DecodeError` for bytes that no bridge wrote."""
    batch = _decoder.decode(value)
    if batch.version != BATCH_VERSION:
        raise msgspec.DecodeError(f"raw record of version {batch.version}, this worker reads {BATCH_VERSION}")
    return batch.messages


def partition_of(key: str, partitions: int) -> int:
    """Partition of `tenant/device` (or of another topic's device or Datastream id): stable for ever, as CRC-32 is."""
    return zlib.crc32(key.encode()) % partitions
