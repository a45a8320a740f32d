"""The raw record, stable on the wire."""

import msgspec
import pytest

from ingest_mqtt.contract import RawMessage, decode_batch, encode_batch, partition_of


def test_a_device_keeps_its_partition_for_ever() -> None:
    assert partition_of("123456789", 2**32) == 0xCBF43926  # CRC-32's check value
    assert [partition_of(key, 4) for key in ("flensburg/air-1", "default/bus-7")] == [2, 0]


def test_any_bytes_come_back_as_they_were() -> None:
    poison = [bytes(range(256)), b"", b"\xff\xfe\0", b'{"a": 1e400}', b"[" * 200_000]
    messages = [RawMessage(topic="t", payload=payload, received_us=1) for payload in poison]
    assert [each.payload for each in decode_batch(encode_batch(messages))] == poison


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x92\x02\x90", b"\x92\x01\x91\x91\x01"])
def test_bytes_that_no_bridge_wrote_are_told(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_batch(value)
