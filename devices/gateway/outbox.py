"""The outbox: what was published and has no receipt yet, in one SQLite file that survives kill -9.

Callers that publish while a commit is under way share the next one (group commit), so many threads cost few syncs.
"""

from __future__ import annotations

import fcntl
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

import msgspec

from devices import topics
from devices.gateway.errors import GatewayStoppedError, OutboxError, OutboxFullError, OutboxLockedError

MAX_MESSAGES = 1_000_000
MAX_BYTES = 1 << 30
# SQLite's write-ahead log keeps the size that it once had: 0.5 MB instead of 4, for a gateway's disk is small and one that the logs
# have filled leaves no room to take out what has its receipt.
_LOG_PAGES = 128


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be put: its device, one of `topics.FORMATS`, and its bytes."""

    tenant: str
    device: str
    format: str
    payload: bytes


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A message as the outbox holds it."""

    number: int
    format: str
    payload: bytes


class Line(msgspec.Struct, kw_only=True):
    """A device's messages. `base` is the number of seq 0 of this epoch, `first` the lowest number held, `next` the next one's."""

    id: int
    tenant: str
    device: str
    epoch: int
    base: int
    next: int
    first: int


class _Put(msgspec.Struct, kw_only=True):
    """A waiting caller's messages and what became of them."""

    messages: Sequence[Message]
    seqs: list[int] = msgspec.field(default_factory=list[int])
    error: OutboxError | None = None
    done: bool = False


class Outbox:
    """The messages of any number of devices in the file `path`, at most `max_messages` and `max_bytes` of them.

    Raises `OutboxLockedError` where another process has the file open, `OutboxError` where it is no outbox.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._sql = _statements()
        self._lock_file = _lock(path)
        try:
            self._writer, self._reader = _open(path, self._sql["schema"])
            self._lines = {(line.tenant, line.device): line for line in self._stored_lines()}
            self.opened = {line.id: line.next for line in self._lines.values()}  # each line's next number at the opening
            self.count, self.bytes = self._writer.execute(self._sql["held"]).fetchone()
            self.client_id = self._client_id()
        except sqlite3.Error as error:
            self._lock_file.close()
            raise OutboxError(f"outbox {path}: {error}") from error
        self._write_lock = threading.Lock()  # who holds it writes
        self._read_lock = threading.Lock()
        self._changed = threading.Condition()  # guards _waiting, and what a put reports
        self._waiting: list[_Put] = []
        self._leading = False
        self._closed = False

    def lines(self) -> list[Line]:
        """Return every device's line."""
        with self._write_lock:
            return list(self._lines.values())

    def line(self, tenant: str, device: str) -> Line:
        """Return a device's line; a new one's epoch is the present Unix second (decisions.md 3)."""
        known = self._lines.get((tenant, device))
        if known is not None:
            return known
        topics.check_name("tenant", tenant)
        topics.check_name("device", device)
        with self._write_lock:
            return self._line(tenant, device)

    def put(self, messages: Sequence[Message]) -> list[int]:
        """Keep messages, all or none, and return their seqs once they are durable; raises `OutboxFullError`."""
        put = _Put(messages=messages)
        for message in messages:
            self.line(message.tenant, message.device)
        with self._changed:
            self._waiting.append(put)
            while not put.done and self._leading:
                self._changed.wait()
            if not put.done:
                self._leading = True
        if not put.done:
            self._lead()
        if put.error is not None:
            raise put.error
        return put.seqs

    def read(self, line: Line, number: int, limit: int) -> list[Held]:
        """Return up to `limit` messages of a device from this number on."""
        with self._read_lock:
            rows: Iterable[tuple[int, str, bytes]] = self._reader.execute(self._sql["read"], (line.id, number, limit)).fetchall()
        return [Held(*row) for row in rows]

    def delete(self, line: Line, number: int) -> int:
        """Delete a device's messages up to this number, which is below its next; return how many there were."""
        with self._write_lock:
            ((count, size),) = self._writer.execute(self._sql["size"], (line.id, number)).fetchall()
            self._transact([(self._sql["delete"], [(line.id, number)])])
            line.first = max(line.first, number + 1)
            self.count -= count
            self.bytes -= size
        return count

    def renumber(self, line: Line, *, above: int) -> None:
        """Begin a new epoch above this one: the messages held are seq 0, 1, … of it."""
        with self._write_lock:
            epoch = max(int(self._clock()), above + 1)
            self._transact([(self._sql["renumber"], [(epoch, line.first, line.id)])])
            line.epoch, line.base = epoch, line.first

    def oldest(self) -> float | None:
        """Unix time at which the oldest message was put; None for an empty outbox."""
        with self._read_lock:
            return self._reader.execute(self._sql["oldest"]).fetchone()[0]

    def close(self) -> None:
        """Close the file; the messages stay in it."""
        with self._write_lock, self._read_lock:
            self._closed = True
            self._reader.close()
            self._writer.close()
            self._lock_file.close()

    def _lead(self) -> None:
        """Write what waits, one transaction after the other, until the own messages are among it; then pass the lead on."""
        with self._changed:
            puts, self._waiting = self._waiting, []
        try:
            with self._write_lock:
                self._write(puts)
        finally:
            with self._changed:
                for put in puts:
                    put.done = True
                self._leading = False
                self._changed.notify_all()

    def _write(self, puts: list[_Put]) -> None:
        taken: list[_Put] = []
        count, size = self.count, self.bytes
        for put in puts:
            put_size = sum(len(message.payload) for message in put.messages)
            if self._closed:
                put.error = OutboxError("the outbox is closed")
            elif count + len(put.messages) > self._max_messages or size + put_size > self._max_bytes:
                put.error = OutboxFullError(f"the outbox holds {self.count} messages of {self.bytes} bytes and takes no more")
            else:
                taken.append(put)
                count += len(put.messages)
                size += put_size
        try:
            self._insert(taken)
        except OutboxError as error:
            for put in taken:
                put.error = error
        else:
            self.count, self.bytes = count, size

    def _insert(self, puts: list[_Put]) -> None:
        now = self._clock()
        nexts = {id(line): line.next for line in self._lines.values()}
        rows: list[tuple[int, int, str, float, bytes]] = []
        touched: dict[int, Line] = {}
        for put in puts:
            for message in put.messages:
                line = self._lines[message.tenant, message.device]
                number = nexts[id(line)]
                nexts[id(line)] = number + 1
                touched[line.id] = line
                rows.append((line.id, number, message.format, now, message.payload))
                put.seqs.append(number - line.base)
        if not rows:
            return
        ends = [(nexts[id(line)], line.id) for line in touched.values()]
        self._transact([(self._sql["put"], rows), (self._sql["set_next"], ends)])
        for line in touched.values():
            line.next = nexts[id(line)]

    def _transact(self, work: Iterable[tuple[str, Sequence[tuple[object, ...]]]]) -> None:
        if self._closed:
            raise GatewayStoppedError("the outbox is closed")
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for statement, rows in work:
                self._writer.executemany(statement, rows)
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise OutboxError(f"the outbox can't be written: {error}") from error

    def _stored_lines(self) -> list[Line]:
        rows = self._writer.execute(self._sql["devices"]).fetchall()
        return [Line(id=row[0], tenant=row[1], device=row[2], epoch=row[3], base=row[4], next=row[5], first=row[6]) for row in rows]

    def _line(self, tenant: str, device: str) -> Line:
        known = self._lines.get((tenant, device))
        if known is not None:
            return known
        epoch = int(self._clock())
        try:
            ((made,),) = self._writer.execute(self._sql["add_device"], (tenant, device, epoch)).fetchall()
        except sqlite3.Error as error:
            raise OutboxError(f"the outbox can't be written: {error}") from error
        line = Line(id=made, tenant=tenant, device=device, epoch=epoch, base=0, next=0, first=0)
        self._lines[tenant, device] = line
        return line

    def _client_id(self) -> str:
        """Return the MQTT client id made with this outbox: a session belongs to it."""
        row = self._writer.execute(self._sql["client_id"]).fetchone()
        if row is not None:
            return row[0]
        made = f"gateway-{uuid.uuid4().hex[:12]}"
        self._writer.execute(self._sql["set_client_id"], (made,))
        return made


def _statements() -> dict[str, str]:
    text = Path(__file__).with_name("outbox.sql").read_text()
    parts = re.split(r"^-- (\w+)[^\n]*\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _lock(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f"{path.name}.lock").open("ab")
    except OSError as error:
        raise OutboxError(f"outbox {path}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise OutboxLockedError(f"outbox {path} is open in another process: one gateway for one outbox") from None
    return file


def _open(path: Path, schema: str) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = FULL")
        writer.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        writer.executescript(schema)
        reader = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    except sqlite3.Error:
        writer.close()
        raise
    return writer, reader
