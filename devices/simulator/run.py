"""The simulator as a process: sends the last day at its first start, then what falls due, through a real gateway."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import msgspec

from devices.feed import Feed, Message, Publisher, load_marks, save_marks
from devices.gateway import Gateway
from devices.inventory import Inventory, Station, load_inventory
from devices.simulator.faults import Fault, truth
from devices.simulator.noise import Noise
from devices.simulator.schedule import Group, groups, messages

logger = logging.getLogger(__name__)

DEVICE = "simulator"
BACKFILL_RATE = 2_000.0  # readings a second
_BLOCK_S = 6 * 3600.0
_LONGEST_ABSENCE_S = 7 * 86_400.0
_MARK_EVERY_S = 10.0
_LONGEST_WAIT_S = 1.0
_BATCH = 8  # messages that share a sync of the disk


def run(
    *,
    host: str,
    port: int,
    data_dir: Path,
    stop: threading.Event,
    username: str | None = None,
    password: str | None = None,
    tenant: str = "default",
    seed: int = 1,
    speed: float = 1.0,
    backfill_hours: float = 24.0,
    with_faults: bool = True,
    open_gateway: Callable[[Path], Publisher] | None = None,
    inventory: Inventory | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Simulate all stations of the region until `stop` is set.

    `speed` is how many times more often than usual every channel sends. What is needed to go on stands in `data_dir`: the outbox,
    how far it got, and the truth about injected faults (`faults/YYYY-MM-DD.ndjson`). After a pause it fills the gap, at most a
    week of it. `open_gateway` makes another gateway from the outbox's path, for tests.
    """
    if speed <= 0:
        raise ValueError(f"speed {speed}: it must be more than 0")
    data_dir.mkdir(parents=True, exist_ok=True)
    outbox = data_dir / "outbox.sqlite"
    gateway = (
        open_gateway(outbox)
        if open_gateway
        else Gateway(host, port, outbox=outbox, tenant=tenant, device=DEVICE, username=username, password=password)
    )
    simulator = Simulator(
        inventory or load_inventory(),
        seed=seed,
        speed=speed,
        with_faults=with_faults,
        data_dir=data_dir,
        gateway=gateway,
        stop=stop,
    )
    try:
        now = clock()
        mark = load_marks(simulator.mark).get("published")
        since = now - backfill_hours * 3600 if mark is None else max(mark, now - _LONGEST_ABSENCE_S)
        if simulator.backfill(min(since, now), now):
            simulator.live(now, clock)
    finally:
        gateway.close()


class Simulator:
    """The stations, their schedule and the gateway; `mark` is the file that says how far it got."""

    def __init__(
        self,
        inventory: Inventory,
        *,
        seed: int,
        speed: float,
        with_faults: bool,
        data_dir: Path,
        gateway: Publisher,
        stop: threading.Event,
    ) -> None:
        self._noise = Noise(seed=seed)
        self._groups = groups(inventory, speed)
        self._with_faults = with_faults
        self._data_dir = data_dir
        self._gateway = gateway
        self._stop = stop
        self._told_until = 0
        self.mark = data_dir / "simulator.json"

    @property
    def stations(self) -> list[Station]:
        """The simulated stations."""
        return list({group.station.device: group.station for group in self._groups}.values())

    def truth(self, start: datetime, end: datetime) -> list[Fault]:
        """Give the injected faults that touch the span."""
        return truth(self._noise, self.stations, start, end) if self._with_faults else []

    def backfill(self, since: float, now: float) -> bool:
        """Send what fell due in the span, the newest hours first so that charts and map fill at once; False when stopped early."""
        feed = Feed(self._gateway, rate=BACKFILL_RATE, stop=self._stop)
        self._tell(since, now)
        until = now
        while until > since:
            after = max(since, until - _BLOCK_S)
            for form, batch in self._batches(self._groups, after, until):
                if not feed.send(batch, form=form):
                    return False
            until = after
        save_marks(self.mark, {"published": now})
        logger.info("simulator: sent %d readings of the last %.1f h", feed.published, (now - since) / 3600)
        return True

    def live(self, since: float, clock: Callable[[], float]) -> None:
        """Send each group when it falls due, until stopped."""
        feed = Feed(self._gateway, rate=None, stop=self._stop)
        queue = [(group.due(since), number, since) for number, group in enumerate(self._groups)]
        heapq.heapify(queue)
        marked = since
        while not self._stop.wait(min(max(queue[0][0] - clock(), 0.0), _LONGEST_WAIT_S)):
            now = clock()
            while queue[0][0] <= now:
                _, number, after = queue[0]
                for form, batch in self._batches([self._groups[number]], after, now):
                    if not feed.send(batch, form=form):
                        return
                heapq.heapreplace(queue, (self._groups[number].due(now), number, now))
            if now - marked >= _MARK_EVERY_S:
                self._tell(marked, now)
                save_marks(self.mark, {"published": now})
                marked = now

    def _batches(self, chosen: Sequence[Group], after: float, until: float) -> Iterator[tuple[str, list[Message]]]:
        """Give messages of one format together, some at a time."""
        for form, alike in groupby(sorted(chosen, key=lambda group: group.format), key=lambda group: group.format):
            batch: list[Message] = []
            for group in alike:
                found = messages(self._noise, group, after, until, with_faults=self._with_faults)
                batch += [(group.station.device, readings) for readings in found]
                if len(batch) >= _BATCH:
                    yield form, batch
                    batch = []
            if batch:
                yield form, batch

    def _tell(self, since: float, until: float) -> None:
        """Write the truth about every day touched that is not yet written; a file is whole or absent."""
        folder = self._data_dir / "faults"
        folder.mkdir(exist_ok=True)
        for day in range(max(int(since // 86_400), self._told_until), int(until // 86_400) + 1):
            start = datetime.fromtimestamp(day * 86_400, UTC)
            lines = [msgspec.json.encode(fault) for fault in self.truth(start, start + timedelta(days=1))]
            path = folder / f"{start:%Y-%m-%d}.ndjson"
            fresh = path.with_suffix(".new")
            fresh.write_bytes(b"".join(line + b"\n" for line in lines))
            fresh.replace(path)
            self._told_until = day + 1
