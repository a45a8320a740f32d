"""What can go wrong at a gateway.

GatewayError
├── OutboxError            the outbox can't be used
│   ├── OutboxFullError    its bound is reached; nothing was dropped, nothing was taken
│   └── OutboxLockedError  another process has it open
├── TooLargeError          the message is larger than platform or broker take
├── InvalidReadingError    the platform would refuse this reading
└── GatewayStoppedError    the gateway is closed, or its thread ended by a fault
"""

from __future__ import annotations


class GatewayError(Exception):
    """Something went wrong at a gateway; the message says what."""


class OutboxError(GatewayError):
    """The outbox can't be used."""


class OutboxFullError(OutboxError):
    """The outbox is full: publish again later. Nothing was dropped, nothing was taken."""


class OutboxLockedError(OutboxError):
    """Another process has the outbox open."""


class TooLargeError(GatewayError):
    """The message is larger than platform or broker take."""


class InvalidReadingError(GatewayError, ValueError):
    """The platform would refuse this reading."""


class GatewayStoppedError(GatewayError):
    """The gateway is closed, or its thread ended by a fault."""
