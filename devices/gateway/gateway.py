"""A gateway: readings into the outbox, from there to the platform, until its receipt says that they are stored."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devices import topics
from devices.gateway import outbox as boxes
from devices.gateway.connection import Where
from devices.gateway.errors import GatewayStoppedError
from devices.gateway.outbox import Message, Outbox
from devices.gateway.payload import IDENTITY_ROOM, check_size, check_takes_identity, encode
from devices.gateway.sender import Pace, Sender

_PROTOCOLS = (5, 311)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How a gateway stands. Counts of messages are since its start, those of `resent` also in `sent`.

    `trouble` is the last bad word of network or broker.
    """

    connected: bool
    queued: int
    queued_bytes: int
    sent: int
    resent: int
    receipted: int
    oldest_age_s: float
    trouble: str | None


class Gateway:
    """Publish readings of `device`, and of further devices, over one connection; nothing is lost while the outbox stands.

    `outbox` is a file for this gateway alone. `username` is `tenant/device` where only a password is given. `protocol` 311 is for
    brokers and networks without MQTT 5: identity then travels in the body, so native JSON only. The last will is `device`'s.
    Threads may share a gateway. Raises `OutboxLockedError`, `OutboxError`, and `ValueError` for wrong names.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        outbox: Path,
        device: str,
        tenant: str = "default",
        username: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        protocol: int = 5,
        client_id: str | None = None,
        keepalive: int = 30,
        session_expiry: int = 7 * 86_400,
        max_messages: int = boxes.MAX_MESSAGES,
        max_bytes: int = boxes.MAX_BYTES,
        pace: Pace | None = None,
    ) -> None:
        if protocol not in _PROTOCOLS:
            raise ValueError(f"protocol {protocol}, known are 5 and 311")
        self._tenant = topics.check_name("tenant", tenant)
        self._device = topics.check_name("device", device)
        self._protocol = protocol
        self._outbox = Outbox(Path(outbox), max_messages=max_messages, max_bytes=max_bytes)
        self._outbox.line(tenant, device)
        where = Where(
            host=host,
            port=port,
            client_id=client_id or self._outbox.client_id,
            username=username or (f"{tenant}/{device}" if password else None),
            password=password,
            tls=tls,
            protocol=protocol,
            keepalive=keepalive,
            session_expiry=session_expiry,
            will_topic=topics.status_topic(tenant, device),
        )
        self._sender = Sender(self._outbox, where, pace or Pace())
        self._closed = False
        self._sender.start()

    def publish(self, readings: Sequence[Mapping[str, Any]], *, device: str | None = None, format: str = "json") -> int:  # noqa: A002
        """Publish readings as one message and return its seq, once it is durable in the outbox.

        A reading has the fields of docs/native-json.md; `time` may be an aware datetime, or absent: now. Raises
        `InvalidReadingError`, `TooLargeError` (neither takes anything), `OutboxFullError`.
        """
        return self.publish_many([(device, readings)], format=format)[0]

    def publish_many(
        self,
        messages: Iterable[tuple[str | None, Sequence[Mapping[str, Any]]]],
        *,
        format: str = "json",  # noqa: A002
    ) -> list[int]:
        """Publish messages, all or none, with one sync of the disk: each a device (None: the gateway's own) and its readings."""
        now = datetime.now(UTC)
        return self._put([(device, format, encode(readings, format, now=now)) for device, readings in messages])

    def publish_raw(self, payload: bytes, fmt: str, device: str | None = None) -> int:
        """Publish bytes as they are, unchecked but for their size."""
        return self._put([(device, fmt, payload)])[0]

    def flush(self, timeout: float) -> bool:
        """Wait until everything has its receipt; False where that took longer than `timeout` seconds."""
        with self._sender.changed:
            done = self._sender.changed.wait_for(lambda: self._outbox.count == 0 or not self._sender.is_alive(), timeout)
        self._check()
        return done

    def statistics(self) -> Statistics:
        """Return how the gateway stands."""
        oldest = None if self._closed else self._outbox.oldest()
        sender = self._sender
        return Statistics(
            connected=sender.connected,
            queued=self._outbox.count,
            queued_bytes=self._outbox.bytes,
            sent=sender.sent,
            resent=sender.resent,
            receipted=sender.receipted,
            oldest_age_s=0.0 if oldest is None else max(0.0, time.time() - oldest),
            trouble=sender.trouble,
        )

    def close(self) -> None:
        """Disconnect; what has no receipt yet stays in the outbox for the next time."""
        if not self._closed:
            self._closed = True
            self._sender.stop()
            self._sender.join()
            self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _put(self, messages: Sequence[tuple[str | None, str, bytes]]) -> list[int]:
        self._check()
        taken = [self._message(*message) for message in messages]
        seqs = self._outbox.put(taken) if taken else []
        self._sender.wake()
        return seqs

    def _message(self, device: str | None, form: str, payload: bytes) -> Message:
        check_size(payload, 0 if self._protocol == _PROTOCOLS[0] else IDENTITY_ROOM)
        if form not in topics.FORMATS:
            raise ValueError(f"format {form!r}, known are {', '.join(topics.FORMATS)}")
        if self._protocol != _PROTOCOLS[0]:
            check_takes_identity(payload, form)
        return Message(tenant=self._tenant, device=device or self._device, format=form, payload=payload)

    def _check(self) -> None:
        if self._closed:
            raise GatewayStoppedError("the gateway is closed")
        if self._sender.fault is not None:
            raise GatewayStoppedError(f"the gateway's thread ended: {self._sender.fault}") from self._sender.fault
