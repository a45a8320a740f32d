"""The MQTT end of the bridge: one connection at a time, whose session the broker keeps over reconnects.

Single-threaded and non-blocking but for the TCP connect: the bridge's loop selects on `fileno()`, calls `receive`, and `turn` for
all that depends on time. So no callback can die unseen, and acknowledgements are sent where messages are received.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
from dataclasses import dataclass

from infra import packets
from infra.packets import Connack, Disconnect, Publish, Suback
from ingest_mqtt.metrics import Figures
from ingest_mqtt.rights import INTAKE_FILTERS, heartbeat_topic

_logger = logging.getLogger(__name__)

CHUNK_BYTES = 262_144
_CONNECT_TIMEOUT_S = 3.0
_HANDSHAKE_TIMEOUT_S = 10.0
_KEEPALIVE_S = 30
_HEARTBEAT_S = 10.0
_DELAY_MIN_S, _DELAY_MAX_S = 0.2, 5.0
_REFUSED = 0x80  # reason codes from here on are errors
_SESSION_TAKEN_OVER = 0x8E
# Reasons of CONNACK that no waiting cures (3.2.2.2).
_HOPELESS = {
    0x84: "it does not speak MQTT 5",
    0x85: "it refuses the client id",
    0x86: "user or password is wrong",
    0x87: "the user is not authorized",
    0x8A: "the client is banned",
    0x8C: "bad authentication method",
}


class SubscriberError(Exception):
    """The broker's answer that makes going on useless; the text tells an operator what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the broker is and as whom to go there.

    Several bridges divide the work under one `share` name, each with its own client id.
    """

    host: str
    port: int
    user: str
    password: str
    client_id: str
    session_expiry_s: int
    receive_maximum: int
    share: str = ""

    @property
    def filters(self) -> list[str]:
        """What the bridge subscribes to. Network servers' topics will stand here."""
        prefix = f"$share/{self.share}/" if self.share else ""
        return [heartbeat_topic(self.client_id), *(f"{prefix}{each}" for each in INTAKE_FILTERS)]


class Subscriber:
    """A persistent subscription over ever new connections.

    When devices are silent, the bridge sends itself a heartbeat: health by traffic, all the way through the broker.
    """

    def __init__(self, account: Account, figures: Figures) -> None:
        self._account = account
        self._figures = figures
        self._heartbeat_topic = heartbeat_topic(account.client_id)
        self._socket: socket.socket | None = None
        self._parser = packets.Parser()
        self._out = bytearray()
        self._connect_at = 0.0
        self._delay = _DELAY_MIN_S
        self._opened = 0.0
        self._answered = False  # with CONNACK, on this connection
        self._resumed = False
        self._keepalive = float(_KEEPALIVE_S)
        self._last_in = 0.0
        self._last_out = 0.0
        self._last_beat = 0.0

    def fileno(self) -> int | None:
        """Give the connection's file descriptor, None without a connection."""
        return self._socket.fileno() if self._socket else None

    @property
    def unsent(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return bool(self._out)

    def turn(self, now: float) -> bool:
        """Do what is due: connect, ping, heartbeat, give up a dead connection. True when a new connection epoch began."""
        if self._socket is None:
            return now >= self._connect_at and self._open(now)
        if not self._figures.subscribed:
            if now - self._opened > _HANDSHAKE_TIMEOUT_S:
                self._lost("the broker does not answer", now)
            return False
        if now - self._last_in > 1.5 * self._keepalive:
            self._lost("the broker is silent", now)
        elif now - self._last_out > 0.6 * self._keepalive:
            self._send(packets.PINGREQ, now)
        elif now - self._figures.last_traffic > _HEARTBEAT_S and now - self._last_beat > _HEARTBEAT_S:
            self._last_beat = now
            self._send(packets.publish(self._heartbeat_topic, b""), now)
        return False

    def receive(self, now: float) -> list[Publish]:
        """Read what is there; the messages of devices. Raises `SubscriberError` when going on is useless."""
        if self._socket is None:
            return []
        try:
            chunk = self._socket.recv(CHUNK_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return []
        except OSError as error:
            self._lost(str(error), now)
            return []
        if not chunk:
            self._lost("closed by the broker" if self._answered else "closed before any answer: is the password right?", now)
            return []
        self._last_in = now
        messages: list[Publish] = []
        try:
            for packet in self._parser.feed(chunk):
                if isinstance(packet, Publish):
                    messages.append(packet)
                else:
                    self._control(packet, now)
        except packets.MalformedPacketError as error:
            self._lost(str(error), now)
        if messages:
            self._figures.last_traffic = now
            heartbeat = self._heartbeat_topic.encode()
            messages = [each for each in messages if each.topic != heartbeat]
        return messages

    def acknowledge(self, mids: list[int], now: float) -> None:
        """Send PUBACKs on the current connection."""
        self._send(packets.pubacks(mids), now)

    def flush(self, now: float) -> None:
        """Send what waits, as far as the socket takes it."""
        if self._socket is None or not self._out:
            return
        try:
            del self._out[: self._socket.send(self._out)]
        except (BlockingIOError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._lost(str(error), now)
            return
        self._last_out = now

    def skip_silence(self, now: float) -> None:
        """Note that reading was paused on purpose: the broker's silence is ours."""
        self._last_in = now

    def close(self, now: float) -> None:
        """Say good-bye; the broker keeps the session and what comes meanwhile."""
        if self._socket is None:
            return
        self._socket.settimeout(1.0)
        self._send(packets.DISCONNECT, now)
        self._drop()

    def _open(self, now: float) -> bool:
        account = self._account
        self._connect_at = now + self._delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._delay = min(_DELAY_MAX_S, self._delay * 2)
        try:
            self._socket = socket.create_connection((account.host, account.port), timeout=_CONNECT_TIMEOUT_S)
        except OSError as error:
            _logger.info("no MQTT broker at %s:%d yet: %s", account.host, account.port, error)
            return False
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = packets.Parser()
        self._answered = False
        self._out.clear()
        self._opened = self._last_in = now
        self._send(
            packets.connect(
                client_id=account.client_id,
                session_expiry_s=account.session_expiry_s,
                receive_maximum=account.receive_maximum,
                keepalive_s=_KEEPALIVE_S,
                user=account.user,
                password=account.password,
            ),
            now,
        )
        return True

    def _control(self, packet: packets.Packet, now: float) -> None:
        if isinstance(packet, Connack):
            self._connected(packet, now)
        elif isinstance(packet, Suback):
            self._subscribed(packet, now)
        elif isinstance(packet, Disconnect):
            if packet.reason == _SESSION_TAKEN_OVER:
                raise SubscriberError(f"another client took over the MQTT session of client id {self._account.client_id!r}")
            self._lost(f"the broker disconnected with reason 0x{packet.reason:02x}", now)

    def _connected(self, answer: Connack, now: float) -> None:
        where = f"the MQTT broker at {self._account.host}:{self._account.port}"
        if answer.reason in _HOPELESS:
            raise SubscriberError(f"{where} refuses user {self._account.user!r}: {_HOPELESS[answer.reason]}")
        if answer.reason >= _REFUSED:
            self._lost(f"refused with reason 0x{answer.reason:02x}", now)
            return
        if answer.keepalive_s:
            self._keepalive = float(answer.keepalive_s)
        self._answered, self._resumed = True, answer.session_present
        self._send(packets.subscribe(1, self._account.filters), now)

    def _subscribed(self, answer: Suback, now: float) -> None:
        refused = [name for name, reason in zip(self._account.filters, answer.reasons, strict=False) if reason >= _REFUSED]
        if refused or len(answer.reasons) != len(self._account.filters):
            raise SubscriberError(
                f"the MQTT broker refuses user {self._account.user!r} the subscription to {', '.join(refused) or 'its topics'} "
                f"(reasons {answer.reasons.hex(' ')})"
            )
        self._delay = _DELAY_MIN_S
        session = "resumed" if self._resumed else "new"
        _logger.info("subscribed at the MQTT broker at %s:%d, session %s", self._account.host, self._account.port, session)
        self._figures.subscribed = True
        self._figures.last_traffic = now

    def _send(self, data: bytes, now: float) -> None:
        self._out += data
        self.flush(now)

    def _lost(self, why: str, now: float) -> None:
        _logger.warning("lost the MQTT broker at %s:%d: %s", self._account.host, self._account.port, why)
        self._figures.reconnects += 1
        self._drop()
        self._connect_at = max(self._connect_at, now + self._delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._out.clear()
        self._figures.subscribed = False
