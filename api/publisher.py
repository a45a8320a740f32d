"""The notifier's end at the MQTT broker: publishes with many messages in flight, and hears who subscribes to what.

One thread and a socket that never blocks: `turn` keeps the connection, `publish` sends and waits for the broker's confirmations.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from api.sensorthings.interest import Greeting
from devices.topics import ECHO, SUBSCRIPTIONS_TOPIC, UPTIME_TOPIC
from infra import packets
from infra.packets import Connack, Disconnect, Puback, Publish, Suback
from infra.settings import NotifierSettings

_logger = logging.getLogger(__name__)

_CLIENT_ID = "grenzregion-notifier"
_CHUNK_BYTES = 65_536
_IN_FLIGHT = 1_000
_CONNECT_TIMEOUT_S, _HANDSHAKE_TIMEOUT_S, _CONFIRM_S = 3.0, 10.0, 20.0
_KEEPALIVE_S = 60
_SESSION_EXPIRY_S = 7 * 86_400
_DELAY_MIN_S, _DELAY_MAX_S = 0.5, 5.0
_REFUSED = 0x80  # reason codes from here on are errors
# MQTT 5 brokers may say that a message met no subscription (3.4.2.1): its topic is then left out for a while.
_NOBODY = 0x10
_QUIET_S = 2.0
_QUIET_TOPICS = 50_000
_PROPERTIES = packets.user_property(*ECHO)
_OVERHEAD = len(_PROPERTIES) + 16  # bytes of a packet beside topic and payload

Message = tuple[str, bytes]


class NotConfirmedError(ConnectionError):
    """The broker did not confirm what was published: it is published again."""


class Publisher:
    """The connection to the broker, made anew whenever it is lost.

    `heard` is told each line in which the broker tells of a subscription; they are acknowledged by `settle`.
    """

    def __init__(self, settings: NotifierSettings, heard: Callable[[str], None]) -> None:
        self._settings = settings
        self._heard = heard
        self._socket: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._parser = packets.Parser()
        self._out = bytearray()
        self._flying: dict[int, str] = {}  # topics by packet identifier, until the broker's confirmation
        self._mid = 0
        self._window = _IN_FLIGHT
        self._max_packet: int | None = None
        self._unsettled: list[int] = []
        self._quiet: dict[str, float] = {}  # topics that nobody subscribed to, and until when that is believed
        self._asks = True  # whether the broker is asked for subscriptions: rumqttd cuts the connection
        self._connect_at = 0.0
        self._delay = _DELAY_MIN_S
        self._last_out = self._last_in = 0.0
        self._answers: dict[str, int] = {}  # during the handshake
        self.greeting: Greeting | None = None  # of this connection
        self.too_large = 0  # messages above the broker's limit since the start: nobody could be told

    def is_connected(self) -> bool:
        """Whether the broker is there."""
        return self.greeting is not None

    def turn(self) -> bool:
        """Connect when it is due, keep the connection and read what came; whether the broker is there."""
        now = time.monotonic()
        if self._socket is None:
            if now < self._connect_at:
                return False
            self._connect_at = now + self._delay
            self._delay = min(_DELAY_MAX_S, self._delay * 2)
            return self._connect()
        try:
            if now - self._last_out > _KEEPALIVE_S / 2:
                self._out += packets.PINGREQ
            self._exchange(0.0)
            while self._selector.select(0.0):
                self._exchange(0.0)
            if now - self._last_in > 1.5 * _KEEPALIVE_S:
                raise NotConfirmedError("the broker is silent")
        except NotConfirmedError as error:
            _logger.warning("lost the MQTT broker: %s", error)
        return self.is_connected()

    def publish(self, messages: Iterable[Message]) -> int:
        """Publish and wait for the broker's confirmations; how many were sent. Raises `NotConfirmedError`."""
        sent, largest = 0, self._max_packet
        for topic, body in messages:
            if self._quiet and self._quiet.get(topic, 0.0) > time.monotonic():
                continue
            if largest is not None and len(topic) + len(body) + _OVERHEAD > largest:
                self.too_large += 1
                continue
            self._mid = self._mid % 65_535 + 1
            self._flying[self._mid] = topic
            self._out += packets.publication(topic, body, self._mid, _PROPERTIES)
            sent += 1
            if len(self._out) >= _CHUNK_BYTES:
                self._until(lambda: len(self._out) < _CHUNK_BYTES)
            if len(self._flying) >= self._window:
                self._until(lambda: len(self._flying) <= self._window // 2)
        self._until(lambda: not self._flying)
        return sent

    def settle(self) -> None:
        """Acknowledge what the broker told: it is kept."""
        if self._unsettled:
            self._out += packets.pubacks(self._unsettled)
            self._unsettled.clear()
            self._exchange(0.0)

    def stop(self) -> None:
        """Say good-bye; the broker goes on keeping what it has to tell."""
        if self._socket is not None:
            self._out += packets.DISCONNECT
            with suppress(NotConfirmedError):  # the broker closes at once
                self._exchange(0.0)
        self._drop()
        self._selector.close()

    def _connect(self) -> bool:
        settings = self._settings
        where = (settings.mqtt_host, settings.mqtt_port)
        try:
            self._socket = socket.create_connection(where, timeout=_CONNECT_TIMEOUT_S)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ)
            self._greet(settings.mqtt_user, settings.mqtt_password.get_secret_value())
        except OSError as error:
            _logger.info("no MQTT broker at %s:%d yet: %s", *where, error)
            self._drop()
            return False
        self._delay = _DELAY_MIN_S
        return True

    def _greet(self, user: str, password: str) -> None:
        self._parser, self._answers = packets.Parser(), {}
        self._out += packets.connect(
            client_id=_CLIENT_ID, session_expiry_s=_SESSION_EXPIRY_S, receive_maximum=_IN_FLIGHT, keepalive_s=_KEEPALIVE_S,
            user=user, password=password,
        )  # fmt: skip
        self._until(lambda: "connack" in self._answers, _HANDSHAKE_TIMEOUT_S)
        if self._answers["connack"] >= _REFUSED:
            raise NotConfirmedError(f"it refuses user {user!r} with reason 0x{self._answers['connack']:02x}")
        if self._asks:
            self._ask()
        tells = self._answers.get("granted", _REFUSED) < _REFUSED and "told" in self._answers
        self.greeting = Greeting(tells=tells, resumed=bool(self._answers["resumed"]), uptime_s=self._answers.get("uptime"))

    def _ask(self) -> None:
        # The uptime first: by the answer to the second both have come, and the broker has told of this very subscription.
        self._out += packets.subscribe(1, [UPTIME_TOPIC], b"\0") + packets.subscribe(2, [SUBSCRIPTIONS_TOPIC])
        try:
            self._until(lambda: "granted" in self._answers, _HANDSHAKE_TIMEOUT_S)
        except NotConfirmedError:
            _logger.info("the MQTT broker does not tell who subscribes")
            self._asks, self._connect_at = False, 0.0
            raise

    def _until(self, done: Callable[[], bool], patience_s: float = _CONFIRM_S) -> None:
        deadline = time.monotonic() + patience_s
        while not done():
            if time.monotonic() > deadline:
                self._drop()
                raise NotConfirmedError("the broker did not answer in time")
            self._exchange(1.0, done)

    def _exchange(self, timeout_s: float, done: Callable[[], bool] = lambda: False) -> None:
        """Send, and unless that was enough receive what comes within this time; raises `NotConfirmedError` without a connection."""
        if self._socket is None:
            raise NotConfirmedError("not connected to the MQTT broker")
        try:
            self._send(self._socket)
            if done():
                return
            self._selector.modify(self._socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0))
            if self._selector.select(timeout_s):
                self._receive(self._socket)
        except (OSError, packets.MalformedPacketError) as error:
            self._drop()
            raise NotConfirmedError(str(error)) from error

    def _send(self, connection: socket.socket) -> None:
        while self._out:
            try:
                del self._out[: connection.send(self._out)]
            except (BlockingIOError, ssl.SSLWantWriteError):
                return
            self._last_out = time.monotonic()

    def _receive(self, connection: socket.socket) -> None:
        try:
            chunk = connection.recv(_CHUNK_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        if not chunk:
            raise ConnectionResetError("closed by the broker")
        self._last_in = time.monotonic()
        for packet in self._parser.feed(chunk):
            if isinstance(packet, Puback):
                self._confirmed(packet)
            elif isinstance(packet, Publish):
                self._told(packet)
            elif isinstance(packet, Disconnect):
                raise ConnectionResetError(f"the broker disconnected with reason 0x{packet.reason:02x}")
            elif isinstance(packet, Connack):
                self._answers |= {"connack": packet.reason, "resumed": packet.session_present}
                self._window, self._max_packet = min(_IN_FLIGHT, packet.receive_maximum), packet.max_packet
            elif isinstance(packet, Suback) and packet.mid == 2:  # noqa: PLR2004 - the second question
                self._answers["granted"] = packet.reasons[0]

    def _confirmed(self, answer: Puback) -> None:
        topic = self._flying.pop(answer.mid, None)
        if answer.reason >= _REFUSED:
            raise ConnectionRefusedError(f"the broker refuses a message on {topic!r} with reason 0x{answer.reason:02x}")
        if topic is not None and answer.reason == _NOBODY:
            if len(self._quiet) >= _QUIET_TOPICS:
                self._quiet.clear()
            self._quiet[topic] = time.monotonic() + _QUIET_S

    def _told(self, message: Publish) -> None:
        if message.mid:
            self._unsettled.append(message.mid)
        text = message.payload.decode(errors="replace")
        if message.topic == SUBSCRIPTIONS_TOPIC.encode():
            self._answers["told"] = 1
            self._quiet.clear()
            self._heard(text)
        elif text.partition(" ")[0].isdecimal():
            self._answers.setdefault("uptime", int(text.partition(" ")[0]))

    def _drop(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
        self._socket = None
        self.greeting = None
        self._out.clear()
        self._flying.clear()
        self._unsettled.clear()
        self._quiet.clear()
