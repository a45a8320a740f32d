"""The whole road beside its limits: `python -m benchmarks.road [--quick] [--soak SECONDS] [--json FILE]`.

On the `local` servers, all on this machine: rates end to end (published until receipted and visible), latency from publish to
visible over the API, CPU seconds per 100,000 readings by process, memory, and how soon a killed bridge or worker stores again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import limits
from benchmarks.latency import measure_latency
from benchmarks.load import Spec
from benchmarks.platform import CHANNELS, Platform, platform

DEVICES = range(100)
JUDGED = range(100, 200)  # devices whose readings all tests in context judge
# One reading a second; the long windows hold 60 readings, as 6 h do at a station that reports every 6 minutes. The readings pass:
# as with good data, few verdicts change afterwards.
QUALITY = {
    "timing_gap": {"suspect_intervals": 2, "fail_intervals": 6},
    "climatology": {"low": [-50] * 12, "high": [60] * 12},
    "spike": {"suspect": 1_000},
    "rate_of_change": {"suspect_per_h": 1e9},
    "flat_line": {"suspect_h": 30 / 3600, "fail_h": 60 / 3600},
    "attenuated_signal": {"window_h": 60 / 3600, "suspect": 0.001},
    "hampel": {"readings": 7, "suspect": 1_000},
    "counter_reset": {"tolerance": 1_000},
    "duplicate": True,
}
ASKED = {
    "one reading per message": 3_000,
    "100 readings per message": 40_000,
    "100 per message, all tests in context": 30_000,
}
Figures = dict[str, Any]


def load(running: Platform, *, epoch: int, readings: int, messages: int, rate: float = 0, devices: range = DEVICES) -> Figures:
    """Publish from a process of its own and wait until everything has its receipt; figures of the run."""
    user, password = running.publisher()
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20) + timedelta(hours=12 * epoch)
    spec = Spec(
        host="127.0.0.1", port=running.mqtt_port, user=user, password=password, devices=list(devices), channels=CHANNELS,
        messages=messages, readings=readings, epoch=epoch, start=start.isoformat(), rate=rate,
    )  # fmt: skip
    before, used = running.count(), running.usage()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(spec))], check=True, capture_output=True, text=True, timeout=300
    )
    times = json.loads(done.stdout)
    sent, after = messages * readings, running.usage()
    return {
        "readings": sent,
        "stored": running.count() - before,
        "all_receipted": bool(times["receipted"]),
        "readings_per_s": round(sent / (times["ended"] - times["began"])),
        "published_per_s": round(messages / (times["published"] - times["began"])),
        "cpu_s_per_100k": {name: round((after[name]["cpu_s"] - used[name]["cpu_s"]) / sent * 1e5, 2) for name in after},
        "rss_mb": {name: round(after[name]["rss_mb"]) for name in after},
        "load_average": round(os.getloadavg()[0], 1),
    }


@contextlib.contextmanager
def background(running: Platform, *, epoch: int, rate: float, seconds: float) -> Iterator[None]:
    """Publish `rate` readings/s from a process of its own while the context lasts."""
    user, password = running.publisher()
    spec = Spec(
        host="127.0.0.1", port=running.mqtt_port, user=user, password=password, devices=list(DEVICES), channels=CHANNELS,
        messages=int(rate * seconds), readings=1, epoch=epoch, rate=rate,
        start=(datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds"),
    )  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.load", json.dumps(asdict(spec))], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def restart(running: Platform, name: str) -> float:
    """Kill -9 a process under load; seconds until a reading is stored that was published after the kill."""
    begin = running.count()
    os.kill(running.pid(name), signal.SIGKILL)
    killed = time.perf_counter()
    time.sleep(0.3)  # what was in flight gets through
    settled = running.count()
    while running.count() <= settled:
        if time.perf_counter() - killed > 120:
            raise SystemExit(f"nothing stored within 120 s after kill -9 of {name} ({begin} before)")
        time.sleep(0.05)
    return round(time.perf_counter() - killed, 2)


def soak(running: Platform, seconds: float, rate: float = 200.0) -> Figures:
    """Memory of the processes over a steady load: MB at each quarter and the slope in MB/h."""
    samples: list[dict[str, float]] = []
    with background(running, epoch=90, rate=rate, seconds=seconds + 30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(10.0, seconds / 10))
            samples.append({name: used["rss_mb"] for name, used in running.usage().items()})
    half = samples[len(samples) // 2 :]
    hours = max(len(half) - 1, 1) * min(10.0, seconds / 10) / 3600
    return {
        "seconds": seconds,
        "rss_mb": {name: round(samples[-1][name], 1) for name in samples[-1]},
        "slope_mb_per_h": {name: round((half[-1][name] - half[0][name]) / hours, 1) for name in half[-1]},
    }


def run(*, quick: bool, soak_s: float) -> Figures:
    """Measure everything on a fresh platform."""
    scale = 10 if quick else 1
    figures: Figures = {"machine": f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB", "rates": {}}
    with platform("local") as running:
        running.register(DEVICES)
        figures["limits"] = {
            "mosquitto alone, paho at both ends, messages/s": round(limits.mosquitto(running, 20_000 // scale)),
            "Kafka alone, records of 4 kB/s": round(limits.kafka(running, 20_000 // scale)),
            "COPY + ON CONFLICT alone, readings/s": round(limits.store(running, max(2, 40 // scale))),
        }
        load(running, epoch=1, readings=1, messages=2_000)  # warm
        figures["rates"]["one reading per message"] = load(running, epoch=2, readings=1, messages=60_000 // scale)
        figures["rates"]["100 readings per message"] = load(running, epoch=3, readings=100, messages=10_000 // scale)
        running.register(JUDGED, QUALITY)
        load(running, epoch=4, readings=100, messages=1_000 // scale, devices=JUDGED)  # warm
        figures["rates"]["100 per message, all tests in context"] = load(
            running, epoch=5, readings=100, messages=10_000 // scale, devices=JUDGED
        )
        with background(running, epoch=50, rate=200, seconds=600):
            figures["latency_ms"] = asdict(measure_latency(running, probes=200 // scale))
            figures["restart_s"] = {
                name: [restart(running, name) for _ in range(1 if quick else 3)] for name in ("bridge", "worker-1")
            }
        if soak_s:
            figures["soak"] = soak(running, soak_s)
    return figures


def show(figures: Figures) -> None:
    """Print the table."""
    console = Console()
    table = Table("what", "asked", "measured", "notes", title=f"The road on `local`, {figures['machine']}")
    for name, value in figures["limits"].items():
        table.add_row(f"[dim]limit: {name}[/dim]", "", f"{value:,}", "")
    copy = figures["limits"]["COPY + ON CONFLICT alone, readings/s"]
    for name, rate in figures["rates"].items():
        lost = rate["readings"] - rate["stored"]
        share = f"{rate['readings_per_s'] / copy:.0%} of COPY alone; " if rate["readings_per_s"] > 10_000 else ""
        notes = f"{share}{lost} lost, all receipted: {rate['all_receipted']}, load {rate['load_average']}"
        table.add_row(f"{name}, readings/s", f"{ASKED[name]:,}", f"{rate['readings_per_s']:,}", notes)
    latency = figures["latency_ms"]
    table.add_row("publish → visible at 200/s, ms", "p50 150, p99 1,000", f"p50 {latency['p50']:.0f}, p99 {latency['p99']:.0f}", "")
    for name, seconds in figures["restart_s"].items():
        table.add_row(f"kill -9 of {name} → next stored, s", "15", f"{max(seconds)}", f"all: {seconds}")
    for name, rss in figures["rates"]["100 readings per message"]["rss_mb"].items():
        asked = "200" if name in ("bridge", "worker-1", "api") else ""
        table.add_row(f"RSS of {name}, MB", asked, str(rss), f"{figures.get('soak', {}).get('slope_mb_per_h', {}).get(name, '')}")
    console.print(table)
    costs = Table("CPU s per 100,000 readings", *figures["rates"])
    for name in figures["rates"]["one reading per message"]["cpu_s_per_100k"]:
        costs.add_row(name, *(str(rate["cpu_s_per_100k"][name]) for rate in figures["rates"].values()))
    console.print(costs)


def main() -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the counts")
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS", help="also watch memory for so long")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/road.json"), help="file for the figures")
    asked = parser.parse_args()
    figures = run(quick=asked.quick, soak_s=asked.soak)
    asked.json.write_text(json.dumps(figures, indent=1) + "\n")
    show(figures)


if __name__ == "__main__":
    main()
