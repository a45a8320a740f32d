"""The worker's emergency stop: it waits for somebody to look when most of what comes, from many devices, can't be read.

A wrong release would otherwise send the region's readings to the dead letters (decisions.md 5). What was taken from the log and not
stored stays unstored; the pause is a row of `worker_pause`, so a restart ends in the same pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

import msgspec

from streams.intake import Intake
from streams.queries import query
from streams.sessions import TRANSIENT, Pool, retrying

log = logging.getLogger(__name__)

LAST_MESSAGES = 1_000
MOST_FAILURES = 500
FEWEST_DEVICES = 10
ASK_S = 1.0
# Shorter than the 1,000 s after which aiokafka leaves the group in silence (ledger.md): the process begins anew, in the same pause.
HOLD_S = 600.0


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen: so many `failures` among the last `messages`, from so many `devices`; `example` is the newest one's reason."""

    failures: int
    messages: int
    devices: int
    example: str


class Watch:
    """The last messages of this worker: which of them failed to decode or hit a bug."""

    def __init__(self) -> None:
        self._count = 0
        self._failures: deque[tuple[int, str]] = deque()  # (number of the message, its topic)

    def look_ahead(self, intake: Intake) -> Alarm | None:
        """Say whether this batch brings too many failures, at whichever of its messages."""
        recent = deque(self._failures)
        for place, topic in intake.failures:
            number = self._count + place
            recent.append((number, topic))
            _forget(recent, number + 1 - LAST_MESSAGES)
            devices = len({source_of(each) for _, each in recent}) if len(recent) > MOST_FAILURES else 0
            if devices >= FEWEST_DEVICES:
                messages = min(number + 1, LAST_MESSAGES)
                return Alarm(failures=len(recent), messages=messages, devices=devices, example=_example(intake))
        return None

    def add(self, intake: Intake) -> None:
        """Take note of a batch that was stored."""
        self._failures.extend((self._count + place, topic) for place, topic in intake.failures)
        self._count += intake.messages
        _forget(self._failures, self._count - LAST_MESSAGES)

    def clear(self) -> None:
        """Begin anew."""
        self._count = 0
        self._failures.clear()


def _forget(failures: deque[tuple[int, str]], oldest: int) -> None:
    while failures and failures[0][0] < oldest:
        failures.popleft()


def source_of(topic: str) -> str:
    """Device of a message's topic; a SensorThings client's topic stands for itself."""
    return "/".join(topic.split("/")[2:4]) if topic.startswith("region/") else topic


def is_enough(sources: Sequence[str]) -> bool:
    """Whether so many failures, one source each, would pause whatever was before."""
    return len(sources) > MOST_FAILURES and len(set(sources)) >= FEWEST_DEVICES


def _example(intake: Intake) -> str:
    failed = {topic for _, topic in intake.failures}
    letter = next((each for each in reversed(intake.letters) if each.message.topic in failed), None)
    return f"{letter.message.topic[:200]}: {letter.reason}: {letter.detail}"[:500] if letter is not None else ""


class Gate:
    """Closed while the worker is paused; all its partitions wait at it."""

    def __init__(self, pool: Pool, worker: str) -> None:
        self._pool = pool
        self._worker = worker
        self._open = asyncio.Event()
        self._open.set()
        self.reason: str | None = None

    async def passed(self) -> None:
        """Return when the gate is open."""
        await self._open.wait()

    async def close(self, alarm: Alarm) -> bool:
        """Pause until somebody resumes; False: it took so long that the process has to begin anew."""
        self._open.clear()
        self._say(f"paused: {alarm.failures} of the last {alarm.messages} messages, of {alarm.devices} devices, can't be read")
        log.critical("%s; the last: %s. `grenzregion resume` goes on", self.reason, alarm.example)
        try:
            async with asyncio.timeout(HOLD_S):
                await self._keep(alarm)
                await self.resumed()
        except TimeoutError:
            return False
        return True

    async def _keep(self, alarm: Alarm) -> None:
        values = {"worker": self._worker, "failures": alarm.failures, "messages": alarm.messages, "devices": alarm.devices}
        async for attempt in retrying(HOLD_S):
            with attempt:
                async with self._pool.connection() as connection:
                    await connection.execute(query("pause_worker"), {**values, "example": alarm.example.replace("\x00", "\\0")})

    async def resumed(self) -> None:
        """Return when no pause of this worker is on; asked at its start too."""
        while await self._is_paused():
            if self._open.is_set():
                log.critical("%s; `grenzregion resume` goes on", self.reason or "whether it is paused is not known")
            self._open.clear()
            await asyncio.sleep(ASK_S)
        if not self._open.is_set():
            log.warning("resumed")
        self.reason = None
        self._open.set()

    async def _is_paused(self) -> bool:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(
                    "SELECT failures, messages, devices FROM worker_pause WHERE worker = %s", (self._worker,)
                )
                row = await cursor.fetchone()
        except TRANSIENT as error:
            log.warning("whether it is paused is not known: %s", error)
            return True
        if row is not None:
            self._say(f"paused: {row[0]} of the last {row[1]} messages, of {row[2]} devices, can't be read")
        return row is not None

    def _say(self, reason: str) -> None:
        self.reason = reason
