"""Publish readings to the platform so that none is lost: `from devices.gateway import Gateway`."""

from devices.gateway.errors import (
    GatewayError,
    GatewayStoppedError,
    InvalidReadingError,
    OutboxError,
    OutboxFullError,
    OutboxLockedError,
    TooLargeError,
)
from devices.gateway.gateway import Gateway, Statistics
from devices.gateway.sender import Pace

__all__ = [
    "Gateway",
    "GatewayError",
    "GatewayStoppedError",
    "InvalidReadingError",
    "OutboxError",
    "OutboxFullError",
    "OutboxLockedError",
    "Pace",
    "Statistics",
    "TooLargeError",
]
