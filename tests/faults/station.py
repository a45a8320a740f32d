"""Gateways as processes of their own, which the scenario kills: `python station.py SPEC` with a JSON object.

A station publishes turn after turn and writes down each turn for which `publish_many` returned. Of the turn in which it was killed
nobody knows: the next run leaves it out, and it must be stored as a whole or not at all.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from road import Platform

STATIONS = 2
MESSAGES, READINGS = 4, 3
TURN = MESSAGES * READINGS


def publish_turns(spec: dict[str, Any]) -> None:
    """Publish until killed, or until the file `stop` is there; then until everything has its receipt."""
    from devices.gateway import Gateway  # noqa: PLC0415 - the scenario's side needs none

    journal, stop = Path(spec["journal"]), Path(spec["stop"])
    known = [int(line) for line in journal.read_text().split("\n")[:-1]] if journal.exists() else []
    start = datetime.fromisoformat(spec["start"])
    turn = known[-1] + 2 if known else 0
    with (
        Gateway(
            spec["host"], spec["port"], outbox=Path(spec["outbox"]), device=spec["device"], username=spec["user"],
            password=spec["password"],
        ) as gateway,
        journal.open("ab", buffering=0) as book,
    ):  # fmt: skip
        while not stop.exists():
            gateway.publish_many([(None, readings(start, turn, message)) for message in range(MESSAGES)])
            book.write(f"{turn}\n".encode())
            turn += 1
            time.sleep(0.03)
        sys.exit(0 if gateway.flush(spec["patience_s"]) else 3)


def readings(start: datetime, turn: int, message: int) -> list[dict[str, Any]]:
    ticks = range(turn * TURN + message * READINGS, turn * TURN + (message + 1) * READINGS)
    return [{"time": start + timedelta(seconds=tick), "property": "t", "value": tick % 400 / 10} for tick in ticks]


class Stations:
    """Some stations under way."""

    def __init__(self, platform: Platform, folder: Path, name: str) -> None:
        self._platform = platform
        self._folder = folder / f"stations-{name}-{time.monotonic_ns()}"
        self._start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=15)
        self._devices = [f"{name}-{time.monotonic_ns()}-{number}" for number in range(STATIONS)]
        self._channels: dict[str, int] = {}
        self._specs: dict[str, dict[str, Any]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._sizes: dict[str, int] = {}  # of the journal at the process's start
        self.kills = 0

    def kill_one(self, rng: random.Random) -> None:
        device = rng.choice(self._devices)
        self._wait_publishing(device, 30)
        assert self._processes[device].poll() is None, f"{device} ended with {self._processes[device].returncode}"
        self._processes[device].kill()
        self._processes[device].wait()
        self.kills += 1
        self._run(device)

    def settle_and_check(self) -> dict[str, Any]:
        """Let them finish; every turn that was written down is stored whole, and of others only those in which they died."""
        for device in self._devices:
            Path(self._specs[device]["stop"]).touch()
        for device, process in self._processes.items():
            assert process.wait(180) == 0, f"{device}: not everything got its receipt"
        published = 0
        for device in self._devices:
            turns = {int(line) for line in Path(self._specs[device]["journal"]).read_text().split()}
            published += len(turns) * TURN
            self._check(device, turns)
        return {"gateway_kills": self.kills, "published_by_killed_gateways": published}

    def _check(self, device: str, turns: set[int]) -> None:
        rows = self._platform.rows(
            "SELECT phenomenon_time, number FROM observation WHERE datastream_id = %s", self._channels[device]
        )
        ticks = {round((at - self._start).total_seconds()): number for at, number in rows}
        assert len(ticks) == len(rows)
        assert all(number == tick % 400 / 10 for tick, number in ticks.items())
        stored = {tick // TURN for tick in ticks}
        missing, uncertain = turns - stored, stored - turns
        assert not missing, f"{device}: {len(missing)} turns that publish returned for are not stored"
        assert len(ticks) == len(stored) * TURN, f"{device}: half a turn was stored"
        assert all(turn == 0 or {turn - 1, turn - 2} & turns for turn in uncertain), uncertain
        assert len(uncertain) <= self.kills, f"{device}: {len(uncertain)} turns from nowhere"

    def _wait_publishing(self, device: str, timeout_s: float) -> None:
        """Let it write down a turn first: a kill shall hit its work, not its start."""
        journal, deadline = Path(self._specs[device]["journal"]), time.monotonic() + timeout_s
        while not (journal.exists() and journal.stat().st_size > self._sizes[device]) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _run(self, device: str) -> None:
        journal = Path(self._specs[device]["journal"])
        self._sizes[device] = journal.stat().st_size if journal.exists() else 0
        spec = json.dumps(self._specs[device])
        self._processes[device] = subprocess.Popen([sys.executable, __file__, spec], stdin=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        from load import register  # noqa: PLC0415 - the station's own process has no such path

        self._folder.mkdir(parents=True)
        for device in self._devices:
            self._channels[device] = register(self._platform, device)["t"]
            user, password = self._platform.account(device)
            self._specs[device] = {
                "host": "127.0.0.1", "port": self._platform.mqtt_port, "user": user, "password": password, "device": device,
                "outbox": str(self._folder / f"{device}.sqlite"), "journal": str(self._folder / f"{device}.journal"),
                "stop": str(self._folder / f"{device}.stop"), "start": self._start.isoformat(), "patience_s": 150,
            }  # fmt: skip
            self._run(device)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


if __name__ == "__main__":
    publish_turns(json.loads(sys.argv[1]))
