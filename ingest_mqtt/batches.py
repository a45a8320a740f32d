"""Micro-batches: many MQTT messages of one partition become one record.

Pure; the clock is an argument (monotonic seconds). A partition that was quiet for `wait_s` sends its first message at once, so an
idle road adds no latency; a busy one closes a record every `wait_s`, or as soon as it is full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ingest_mqtt.contract import RawMessage

_OVERHEAD_BYTES = 96  # msgpack's framing, the stamp and an identity of three 64-bit numbers, with room
_REFUSAL_BYTES = 300


@dataclass(slots=True, kw_only=True)
class Batch:
    """Messages that will be one record of `partition`, with the ordinals of their arrival."""

    partition: int
    due: float
    messages: list[RawMessage] = field(default_factory=list[RawMessage])
    ordinals: list[int] = field(default_factory=list[int])
    size: int = 0


class Batcher:
    """One open batch per partition."""

    def __init__(self, *, partitions: int, limit_bytes: int, wait_s: float) -> None:
        self._open: dict[int, Batch] = {}
        self._closed: list[Batch] = []
        self._sent = [-math.inf] * partitions
        self._limit = limit_bytes
        self._wait = wait_s
        self.size = 0  # bytes in open batches

    def add(self, partition: int, message: RawMessage, ordinal: int, now: float) -> None:
        """Put a message into its partition's batch; a batch that it would overfill is closed before."""
        size = len(message.topic) + len(message.payload) + _OVERHEAD_BYTES
        if message.refused is not None:
            size += _REFUSAL_BYTES
        batch = self._open.get(partition)
        if batch is not None and batch.size + size > self._limit:
            self._close(batch)
            batch = None
        if batch is None:
            batch = self._open[partition] = Batch(partition=partition, due=max(now, self._sent[partition] + self._wait))
        batch.messages.append(message)
        batch.ordinals.append(ordinal)
        batch.size += size
        self.size += size

    def take(self, now: float, *, everything: bool = False) -> list[Batch]:
        """Batches to send now: the full ones and those that waited long enough."""
        for batch in [each for each in self._open.values() if everything or each.due <= now]:
            self._close(batch)
            self._sent[batch.partition] = now
        taken, self._closed = self._closed, []
        return taken

    def next_due(self) -> float:
        """When `take` will have something; infinity when nothing is open."""
        return min((batch.due for batch in self._open.values()), default=math.inf)

    def _close(self, batch: Batch) -> None:
        del self._open[batch.partition]
        self._closed.append(batch)
        self.size -= batch.size
