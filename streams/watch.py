"""When devices were heard of last, and how far their clocks are off; noted at most every 10 s and device."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
from psycopg.rows import TupleRow

from devices.vocabulary import Decoded
from streams.queries import query
from streams.standing import DeviceKey

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PAUSE_US = 10_000_000


class Seen(msgspec.Struct):
    """The bridge's newest stamp, and the smallest difference of a stamp from the newest time in its message, in microseconds."""

    stamp_us: int
    offset_us: int | None = None

    def see(self, stamp_us: int, decoded: Decoded | None) -> None:
        """Take note of a message."""
        self.stamp_us = max(self.stamp_us, stamp_us)
        if decoded is not None and decoded.readings:
            newest = max(reading.end or reading.time for reading in decoded.readings)
            offset = stamp_us - (newest - EPOCH) // MICROSECOND
            self.offset_us = offset if self.offset_us is None else min(offset, self.offset_us)


def due(seen: dict[DeviceKey, Seen], noted: dict[DeviceKey, int]) -> dict[DeviceKey, Seen]:
    """Leave out what was noted a moment ago."""
    return {device: each for device, each in seen.items() if each.stamp_us - noted.get(device, 0) >= PAUSE_US}


async def note(connection: psycopg.AsyncConnection[TupleRow], seen: dict[DeviceKey, Seen]) -> None:
    """Write what was seen, within the open transaction."""
    if not seen:
        return
    keys = sorted(seen)
    await connection.execute(
        query("note_devices"),
        {
            "tenants": [tenant for tenant, _ in keys],
            "devices": [device for _, device in keys],
            "stamps": [EPOCH + timedelta(microseconds=seen[key].stamp_us) for key in keys],
            "offsets": [None if (offset := seen[key].offset_us) is None else offset / 1e6 for key in keys],
        },
    )
