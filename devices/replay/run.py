"""The replay as a process: recordings published through a real gateway, moved to end now or at their own time."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devices.feed import Feed, Message, Publisher, load_marks, save_marks
from devices.gateway import Gateway
from devices.replay.readers import Event
from devices.replay.recordings import recording, recordings, span
from devices.replay.retime import due, happening_now, once
from devices.vocabulary import Reading

DEVICE = "replay"
RATE = 2_000.0  # readings a second
_TICK_S = 1.0
_MARK_EVERY_S = 10.0
_LONGEST_ABSENCE_S = 7 * 86_400.0
_PER_MESSAGE = 500
_BATCH = 8
# A recording of vehicles is dense: two hours of it are as much as two days of the others.
_BACKFILL_THINNED_S = 2 * 3_600.0


def run(
    *,
    host: str,
    port: int,
    data_dir: Path,
    stop: threading.Event,
    names: Sequence[str] | None = None,
    username: str | None = None,
    password: str | None = None,
    tenant: str = "default",
    speed: float = 1.0,
    retime: bool = True,
    backfill_hours: float = 48.0,
    open_gateway: Callable[[Path], Publisher] | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Replay recordings until `stop` is set; raises `UnknownRecordingError`.

    With `retime` they repeat for ever, moved by whole weeks so that they happen now (`parameters.replayed` is the shift in s).
    The first start sends the last `backfill_hours` (of vehicles two hours at most), a later one what has come due since. At another
    `speed` than 1 the replay starts `backfill_hours` ago and runs that many times as fast until it has caught up with the clock.
    Without `retime` each runs once at its own times from its beginning, `speed` times as fast.
    """
    chosen = list(names) if names else recordings(default=True)
    for name in chosen:
        recording(name)
    if speed <= 0:
        raise ValueError(f"speed {speed}: it must be more than 0")
    data_dir.mkdir(parents=True, exist_ok=True)
    outbox = data_dir / "outbox.sqlite"
    gateway = (
        open_gateway(outbox)
        if open_gateway
        else Gateway(host, port, outbox=outbox, tenant=tenant, device=DEVICE, username=username, password=password)
    )
    replay = Replay(chosen, data_dir=data_dir, gateway=gateway, stop=stop, clock=clock)
    try:
        if retime:
            replay.now(speed=speed, backfill_s=backfill_hours * 3600)
        else:
            replay.once(speed=speed)
    finally:
        gateway.close()


class Replay:
    """Chosen recordings, a gateway, and the file that says how far each got."""

    def __init__(
        self, names: Sequence[str], *, data_dir: Path, gateway: Publisher, stop: threading.Event, clock: Callable[[], float]
    ) -> None:
        self._names = names
        self._data_dir = data_dir
        self._stop = stop
        self._clock = clock
        self._feed = Feed(gateway, rate=RATE, stop=stop)

    def now(self, *, speed: float, backfill_s: float) -> None:
        """Keep the recordings happening now, until stopped."""
        path = self._data_dir / "replay.json"
        began = self._clock()
        marks = {name: self._since(name, load_marks(path).get(name), began, backfill_s) for name in self._names}
        earliest = min(marks.values())
        players = {name: Player(happening_now(name, mark)) for name, mark in marks.items()}
        saved = began - _MARK_EVERY_S
        while not self._stop.is_set():
            now = self._clock()
            horizon = now if speed == 1.0 else min(now, earliest + speed * (now - began))
            if not self._play(players, dict.fromkeys(players, horizon)):
                return
            if now - saved >= _MARK_EVERY_S:
                save_marks(path, {name: max(mark, horizon) for name, mark in marks.items()})
                saved = now
            self._stop.wait(_TICK_S)

    def once(self, *, speed: float) -> None:
        """Play each recording once at its own times, until stopped."""
        path = self._data_dir / "replay-once.json"
        began = self._clock()
        already = load_marks(path)
        starts = {name: span(name)[0].timestamp() for name in self._names}
        players = {name: Player(once(name, start + already.get(name, -1.0))) for name, start in starts.items()}
        while not self._stop.is_set():
            elapsed = {name: max(already.get(name, 0.0), 0.0) + speed * (self._clock() - began) for name in players}
            if not self._play(players, {name: start + elapsed[name] for name, start in starts.items()}):
                return
            save_marks(path, elapsed)
            self._stop.wait(_TICK_S)

    def _play(self, players: Mapping[str, Player], horizons: Mapping[str, float]) -> bool:
        """Send what is due; False where the replay was stopped before all was taken."""
        for name, player in players.items():
            batch: list[Message] = []
            for message in messages(player.until(horizons[name])):
                batch.append(message)
                if len(batch) == _BATCH:
                    if not self._feed.send(batch):
                        return False
                    batch = []
            if batch and not self._feed.send(batch):
                return False
        return True

    @staticmethod
    def _since(name: str, mark: float | None, now: float, backfill_s: float) -> float:
        if mark is not None:
            return min(max(mark, now - _LONGEST_ABSENCE_S), now)
        return now - (min(backfill_s, _BACKFILL_THINNED_S) if recording(name).thin_s else backfill_s)


class Player:
    """Events in order, taken as they fall due."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._next = next(events, None)

    def until(self, moment: float) -> Iterator[Event]:
        """Take what is due by that moment (Unix seconds)."""
        while self._next is not None and due(self._next[1]) <= moment:
            yield self._next
            self._next = next(self._events, None)


def messages(events: Iterable[Event]) -> Iterator[Message]:
    """Give the readings as messages: each of one device, of at most 500 readings, none kept back for longer than that."""
    waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for device, reading in events:
        waiting[device].append(as_published(reading))
        if len(waiting[device]) == _PER_MESSAGE:
            yield device, waiting.pop(device)
    yield from waiting.items()


def as_published(reading: Reading) -> dict[str, Any]:
    """Give a reading the fields that `Gateway.publish` takes."""
    when: dict[str, Any] = {"time": reading.time} if reading.end is None else {"start": reading.time, "end": reading.end}
    more = {"unit": reading.unit, "position": reading.position, "parameters": reading.parameters}
    return {**when, "property": reading.property, "value": reading.value} | {k: v for k, v in more.items() if v is not None}
