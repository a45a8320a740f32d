"""How simulator and replay hand readings to a gateway: at a bounded rate, patient with a full outbox, knowing how far they got."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from devices.gateway import OutboxFullError

Message = tuple[str, Sequence[Mapping[str, Any]]]  # a device and its readings, as `Gateway.publish` takes them

_FULL_PAUSE_S = 1.0


class Publisher(Protocol):
    """What a feed needs of a gateway (devices/gateway)."""

    def publish_many(
        self,
        messages: Iterable[tuple[str | None, Sequence[Mapping[str, Any]]]],
        *,
        format: str = "json",  # noqa: A002
    ) -> list[int]:
        """Take messages durably, all or none; raises `OutboxFullError`."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class Feed:
    """Publishes messages through a gateway at no more than `rate` readings a second (None: no bound), until `stop` is set.

    `published` counts the readings handed over.
    """

    def __init__(self, gateway: Publisher, *, rate: float | None, stop: threading.Event) -> None:
        self._gateway = gateway
        self._rate = rate
        self._stop = stop
        self.published = 0

    def send(self, messages: Sequence[Message], *, form: str = "json") -> bool:
        """Hand messages of one format over; False where `stop` was set before they were taken."""
        while not self._stop.is_set():
            try:
                self._gateway.publish_many(messages, format=form)
            except OutboxFullError:
                self._stop.wait(_FULL_PAUSE_S)
                continue
            count = sum(len(readings) for _, readings in messages)
            self.published += count
            if self._rate:
                self._stop.wait(count / self._rate)
            return True
        return False


def load_marks(path: Path) -> dict[str, float]:
    """Give the moments (Unix seconds) up to which everything was handed over, by name; none at the first start."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, float])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def save_marks(path: Path, marks: Mapping[str, float]) -> None:
    """Remember those moments, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(dict(marks)))
    fresh.replace(path)
