"""The gateway's thread: hands messages to the broker, takes receipts, and sends again what got none (decisions.md 3).

A broker's PUBACK is no receipt (delivery.md 1). So a message leaves the outbox only by the platform's receipt for its epoch, and
what has none is sent again: at once when the broker forgot the session, else after a pause that doubles.

The state of a device's sending lives in this thread alone; others put messages into the outbox and call `wake`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

import msgspec

from devices import topics
from devices.gateway.connection import Acked, Connection, UserProperties, Where
from devices.gateway.errors import OutboxError
from devices.gateway.outbox import Held, Line, Outbox
from devices.gateway.payload import with_identity

log = logging.getLogger(__name__)

_TICK = 0.25
_CHUNK = 200
_LONGEST_RESEND = 300.0  # while a connection lasts the broker has what it acknowledged: repeats only make the backlog longer
_LONGEST_RECONNECT = 30.0
_READY_TIMEOUT = 15.0
_ACK_TIMEOUT = 60.0
_FIVE = 5


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway sends. Times are seconds.

    `window`: most messages without receipt that are under way, shared evenly by the devices. `resend_after`: silence after which
    what is under way is sent again. `settle`: wait for a retained receipt before a device's first message, lest an old epoch be
    used. `reconnect_after`: first pause after a lost connection; it doubles up to 30 s.
    """

    window: int = 5_000
    resend_after: float = 10.0
    settle: float = 0.5
    reconnect_after: float = 1.0


class Receipt(msgspec.Struct, frozen=True):
    """Every message of that epoch up to this seq is stored or among the dead letters."""

    epoch: int
    seq: int


class _State(msgspec.Struct, kw_only=True):
    """Where sending stands for a device: `sent` is the next number to hand over, `limit` the highest that can have a receipt."""

    line: Line
    sent: int
    limit: int
    settled: bool = False
    settle_at: float = 0.0
    progress_at: float = 0.0
    attempts: int = 0
    waiting: set[int] = msgspec.field(default_factory=set[int])


class Sender(threading.Thread):
    """Send what is in the outbox until `stop`. `changed` is notified when it shrank or the thread ended; `fault` says by what."""

    def __init__(self, outbox: Outbox, where: Where, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name="gateway", daemon=True)
        self.changed = threading.Condition()
        self.fault: Exception | None = None
        self.trouble: str | None = None
        self.connected = False
        self.sent = self.resent = self.receipted = 0
        self._outbox = outbox
        self._where = where
        self._pace = pace
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._states: dict[str, _State] = {}  # by receipt topic
        self._mids: dict[int, tuple[_State, int]] = {}
        self._acked_at = 0.0

    def wake(self) -> None:
        """Say that there is something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Disconnect and end the thread; what is in the outbox stays there."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Connect again and again; the thread's end is told to all who wait."""
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - every later call of the gateway raises it
            self.fault = error
        finally:
            self.connected = False
            with self.changed:
                self.changed.notify_all()

    def _run(self) -> None:
        pause = self._pace.reconnect_after
        while not self._stopping.is_set():
            connection = Connection(self._where, self._wake.set)
            try:
                if connection.open():
                    self._serve(connection)
            finally:
                self.connected = False
                connection.close(farewell=[(self._status_topic(state.line), b"offline") for state in self._states.values()])
            if connection.fault is not None:
                raise connection.fault
            if not self._stopping.is_set():
                self.trouble = connection.trouble
                log.warning("%s", connection.trouble)
            pause = self._pace.reconnect_after if connection.ready else min(2 * pause, _LONGEST_RECONNECT)
            self._stopping.wait(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, lest all gateways come at once

    def _serve(self, connection: Connection) -> None:
        deadline = self._clock() + _READY_TIMEOUT
        while not (connection.ready or connection.lost.is_set() or self._stopping.is_set()):
            self._rest()
            if self._clock() > deadline:
                connection.trouble = "the broker does not answer"
                return
        if connection.ready:
            self._begin(connection)
        while not (connection.lost.is_set() or self._stopping.is_set()):
            self._take_events(connection)
            self._adopt(connection)
            self._send(connection)
            self._rest()
        self._take_events(connection)

    def _rest(self) -> None:
        self._wake.wait(_TICK)
        self._wake.clear()

    def _begin(self, connection: Connection) -> None:
        """Start a connection: what the last one left without PUBACK goes again, and all where the broker forgot the session."""
        self.connected, self.trouble = True, None
        self._mids.clear()
        self._acked_at = now = self._clock()
        for state in self._states.values():
            first = state.line.first
            state.sent = max(first, min(state.waiting, default=state.sent)) if connection.session_present else first
            state.waiting.clear()
            state.progress_at, state.attempts = now, 0
        self._greet(connection, list(self._states.values()))

    def _adopt(self, connection: Connection) -> None:
        """Take in the devices that the outbox came to know."""
        lines = self._outbox.lines()
        if len(lines) == len(self._states):
            return
        made: list[_State] = []
        for line in lines:
            topic = topics.receipt_topic(line.tenant, line.device)
            if topic not in self._states:
                self._states[topic] = _State(line=line, sent=line.first, limit=self._limit(line), progress_at=self._clock())
                made.append(self._states[topic])
        self._greet(connection, made)

    def _limit(self, line: Line) -> int:
        """Return the highest number that may have been sent before this process began."""
        return self._outbox.opened.get(line.id, 0) - 1

    def _greet(self, connection: Connection, states: list[_State]) -> None:
        if not states:
            return
        settle_at = self._clock() + self._pace.settle
        connection.subscribe(topics.receipt_topic(state.line.tenant, state.line.device) for state in states)
        for state in states:
            state.settle_at = settle_at
            connection.publish(self._status_topic(state.line), b"online", retain=True)

    def _status_topic(self, line: Line) -> str:
        return topics.status_topic(line.tenant, line.device)

    def _take_events(self, connection: Connection) -> None:
        shrank = 0
        while connection.events:
            event = connection.events.popleft()
            if isinstance(event, Acked):
                self._acked_at = self._clock()
                state, number = self._mids.pop(event.mid, (None, 0))
                if state is not None:
                    state.waiting.discard(number)
                if event.refusal is not None:
                    self.trouble = f"the broker refused a message: {event.refusal}"
                    log.warning("%s", self.trouble)
            elif event.topic in self._states:
                shrank += self._receipt(self._states[event.topic], event.payload)
        if shrank:
            self.receipted += shrank
            with self.changed:
                self.changed.notify_all()

    def _receipt(self, state: _State, payload: bytes) -> int:
        """Take a receipt; returns how many messages it took out of the outbox."""
        try:
            receipt = _receipts.decode(payload)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            log.warning("not a receipt: %s", error)
            return 0
        line = state.line
        number = line.base + receipt.seq
        state.settled = True
        if receipt.epoch > line.epoch or (receipt.epoch == line.epoch and number > state.limit):
            # Another outbox was here, or this one was put back from an older copy: these seqs are taken.
            self._renumber(state, receipt)
        elif receipt.epoch == line.epoch and number >= line.first:
            state.attempts = 0
            state.progress_at = self._clock()
            state.sent = max(state.sent, number + 1)
            return self._take_out(line, number)
        return 0

    def _take_out(self, line: Line, number: int) -> int:
        """Take receipted messages out; where the disk has no room for that they stay, are sent again and receipted again."""
        try:
            return self._outbox.delete(line, number)
        except OutboxError as error:
            self.trouble = str(error)
            log.warning("%s", self.trouble)
            return 0

    def _renumber(self, state: _State, receipt: Receipt) -> None:
        line = state.line
        self._outbox.renumber(line, above=receipt.epoch)
        log.warning("%s/%s: receipt of epoch %d, seq %d is not ours; on with epoch %d", line.tenant, line.device, *(
            receipt.epoch, receipt.seq, line.epoch))  # fmt: skip
        state.sent, state.limit = line.first, line.first - 1
        state.waiting.clear()
        self._mids = {mid: entry for mid, entry in self._mids.items() if entry[0] is not state}

    def _send(self, connection: Connection) -> None:
        now = self._clock()
        self._resend(now)
        if self._mids and now - self._acked_at > _ACK_TIMEOUT:
            connection.trouble = "the broker acknowledges nothing"
            connection.lost.set()
        busy = True
        while busy and not connection.lost.is_set():
            busy = False
            for state in self._states.values():
                if state.sent < state.line.next and (state.settled or now >= state.settle_at):
                    busy = self._send_some(connection, state) or busy
            if busy:
                self._take_events(connection)

    def _send_some(self, connection: Connection, state: _State) -> bool:
        share = max(1, self._pace.window // len(self._states))  # lest a device without receipts hold up the others
        under_way = state.sent - state.line.first
        room = min(_CHUNK, connection.receive_maximum - len(self._mids), share - under_way)
        if room <= 0:
            return False
        held = self._outbox.read(state.line, state.sent, room)
        for message in held:
            self._hand_over(connection, state, message)
        return bool(held)

    def _hand_over(self, connection: Connection, state: _State, message: Held) -> None:
        line, number = state.line, message.number
        identity = {"epoch": line.epoch, "seq": number - line.base, "first": line.first - line.base}
        topic = topics.up_topic(line.tenant, line.device, message.format)
        if self._where.protocol == _FIVE:
            mid = connection.publish(topic, message.payload, UserProperties(**identity))
        else:
            mid = connection.publish(topic, with_identity(message.payload, **identity))
        if not self._mids:
            self._acked_at = self._clock()
        self._mids[mid] = (state, number)
        state.waiting.add(number)
        if number <= state.limit:
            self.resent += 1
        self.sent += 1
        if state.sent == line.first:
            state.progress_at = self._clock()
        state.sent = number + 1
        state.limit = max(state.limit, number)

    def _resend(self, now: float) -> None:
        for state in self._states.values():
            pause = min(self._pace.resend_after * 2**state.attempts, _LONGEST_RESEND)
            if state.sent > state.line.first and now - state.progress_at > pause:
                state.attempts = min(state.attempts + 1, 10)
                state.progress_at = now
                state.sent = state.line.first


_receipts = msgspec.json.Decoder(Receipt)
