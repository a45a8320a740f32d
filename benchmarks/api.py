"""`make bench-api`: how fast the SensorThings API answers, beside what is asked and what the reference server reached.

    python -m benchmarks.api [--quick] [--compare] [--json FILE] [--only f1,f2,…]

Runs a platform of its own on the set `local`, with authentication, fills it, and measures each request with its clients on the same
machine. The figures of the reference server (FROST, Java) were taken once on such a machine with 2 cores; `pgbench -S -c 8` of the
same run tells how this one compares. `--compare` measures instead how much slower requests for one Observation, one latest value
and one Datastream become when there are ten times as many Observations (`--scale`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from api.memory import keep_freed_memory
from benchmarks import api_extra
from benchmarks.api_client import Connection, Measured, Service, measure
from benchmarks.api_region import Region
from benchmarks.api_scale import add_things, grow, some_ids, tidy
from benchmarks.api_stages import ROWS, Stage, arrays, compared, posting, reading, run, within
from benchmarks.platform import Platform, platform

CONSOLE = Console(width=150, highlight=False)
MQTT_ASKED = 2_500
CSV_ASKED_MB = 200
MANY_THINGS = 10_000
SLOWER_ASKED = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table. `measured` None: it could not be measured, and `note` says why."""

    name: str
    about: str
    frost: str
    asked: str
    measured: float | None
    unit: str = "/s"
    reached: bool | None = None
    note: str = ""
    p50_ms: float | None = None
    p99_ms: float | None = None
    errors: int = 0


@dataclass(slots=True, kw_only=True)
class Report:
    """All rows of a run."""

    rows: list[Row] = field(default_factory=list[Row])

    def stage(self, stage: Stage, measured: Measured) -> None:
        """Add a measured stage."""
        p50, p99 = measured.percentile_ms(0.5), measured.percentile_ms(0.99)
        limits = [(stage.p50_ms, p50, "p50"), (stage.p99_ms, p99, "p99")]
        reached = measured.rate >= (stage.asked or 0) and all(most is None or took <= most for most, took, _ in limits)
        parts = [f"{stage.asked:,.0f}"] if stage.asked is not None else []
        asked = ", ".join(parts + [f"{name} {most:.0f} ms" for most, _, name in limits if most is not None])
        if not measured.rows:
            self.add(
                Row(name=stage.name, about=stage.about, frost=stage.frost, asked=asked, measured=None, note=measured.first_error)
            )
            return
        row = Row(
            name=stage.name, about=stage.about, frost=stage.frost, asked=asked, measured=measured.rate, reached=reached,
            p50_ms=p50, p99_ms=p99, errors=measured.errors, note=measured.first_error,
        )  # fmt: skip
        self.add(row)

    def add(self, row: Row) -> None:
        """Add a row and tell of it."""
        self.rows.append(row)
        value = "not measured" if row.measured is None else f"{row.measured:,.1f}{row.unit}"
        CONSOLE.print(f"{row.name}: {value} {row.note[:200]}", markup=False)

    def table(self) -> Table:
        """Give the table for people."""
        table = Table("request", "what", "FROST", "asked", "measured", "p50 ms", "p99 ms", "errors")
        for row in self.rows:
            colour = {True: "green", False: "red", None: "default"}[row.reached]
            value = "–" if row.measured is None else f"[{colour}]{row.measured:,.0f}{row.unit}[/]"
            times = [f"{t:.1f}" if t is not None else "" for t in (row.p50_ms, row.p99_ms)]
            table.add_row(row.name, row.about, row.frost, row.asked, value, *times, str(row.errors or ""))
        return table


def main() -> int:
    """Measure what the arguments say; returns the exit code."""
    given = arguments().parse_args()
    if given.quick:
        given.things, given.observations, given.seconds = 20, 20_000, 2.0
    only = frozenset(filter(None, given.only.split(",")))
    keep_freed_memory()
    with platform(given.servers) as running:
        report, facts = Report(), {"load_before": os.getloadavg()[0]}
        uvloop.run(measure_requests(running, given, only, report))
        if given.servers == "local" and not given.compare and (not only or "pgbench" in only):
            facts["pgbench"] = api_extra.pgbench(
                running, int(max(3, given.seconds)), lambda text: CONSOLE.print(text, markup=False)
            )
        facts |= {"observations": running.count(), "cores": os.cpu_count(), "load_after": os.getloadavg()[0]}
    CONSOLE.print(report.table())
    CONSOLE.print(", ".join(f"{name} {value}" for name, value in facts.items()), markup=False)
    if given.json:
        write(given.json, report.rows, facts, vars(given))
    return 0


async def measure_requests(running: Platform, given: argparse.Namespace, only: frozenset[str], report: Report) -> None:
    """Fill the platform and measure each stage."""
    service = Service.at(running.url, running.http.headers["Authorization"].removeprefix("Bearer "))
    region, connection = Region(), Connection(service)
    await region.make(connection, given.things, given.per_thing)
    connection.close()

    def wanted(stage: Stage) -> bool:
        if given.compare:
            return False
        return not only or stage.name in only or stage.name.split()[0] in only

    for stage in filter(wanted, posting(region)):
        report.stage(stage, await run(service, stage, given.seconds))
    fill = arrays(region)
    missing = max(0, given.observations - running.count())
    filled = await measure(service, fill.work, clients=fill.clients, requests=-(-missing // ROWS))
    report.stage(fill, filled)
    tidy(running.places()["database_url"])
    if given.compare:
        await compare(running, service, region, given, report)
        return
    for stage in filter(wanted, [read.stage(given.clients) for read in reading(region)]):
        report.stage(stage, await run(service, stage, given.seconds))
    among_many = [*filter(wanted, [read.stage(given.clients) for read in within()])]
    if among_many and given.servers == "local":
        add_things(running.places()["database_url"], MANY_THINGS - len(region.things))
    for stage in among_many:
        report.stage(stage, await run(service, stage, given.seconds))
    if not only or "mqtt" in only:
        measure_mqtt(running, region, given.messages if not given.quick else 2_000, report)
    if not only or "csv" in only:
        measure_csv(running, report)


async def compare(running: Platform, service: Service, region: Region, given: argparse.Namespace, report: Report) -> None:
    """Measure with the Observations that are there and with many more, which the store's SQL adds within twenty minutes."""
    before, there = await measure_compared(service, region, given), running.count()
    reached = grow(running.places()["database_url"], region, there * given.scale)
    CONSOLE.print(f"{there:,} Observations, then {reached:,}", markup=False)
    after = await measure_compared(service, region, given)
    for stage, first in before:
        last = next(measured for other, measured in after if other.name == stage.name)
        slower = first.rate / last.rate if last.rate else float("inf")
        errors = first.errors + last.errors
        row = Row(
            name=stage.name, about=f"{stage.about}; at {there:,}: {first.rate:,.0f}/s", frost="",
            asked=f"{SLOWER_ASKED} x slower at most", measured=last.rate, reached=slower <= SLOWER_ASKED and not errors,
            note=f"{slower:.2f} x slower", p50_ms=last.percentile_ms(0.5), p99_ms=last.percentile_ms(0.99), errors=errors,
        )  # fmt: skip
        report.add(row)


async def measure_compared(service: Service, region: Region, given: argparse.Namespace) -> list[tuple[Stage, Measured]]:
    """Measure what must not depend on the number of Observations."""
    connection = Connection(service)
    ids = await some_ids(connection, region)
    connection.close()
    stages = [read.stage(given.clients) for read in compared(region, ids)]
    return [(stage, await run(service, stage, given.seconds)) for stage in stages]


def measure_mqtt(running: Platform, region: Region, messages: int, report: Report) -> None:
    """Measure creating over MQTT."""
    about, frost = f"create over MQTT, QoS 1, {messages:,} messages", "780–970"
    rate, lost = api_extra.create_over_mqtt(running, region, messages)
    reached, note = rate >= MQTT_ASKED and not lost, f"{lost} lost" if lost else ""
    row = Row(
        name="mqtt",
        about=about,
        frost=frost,
        asked=f"{MQTT_ASKED:,}, all stored",
        measured=rate,
        reached=reached,
        errors=lost,
        note=note,
    )
    report.add(row)


def measure_csv(running: Platform, report: Report) -> None:
    """Measure the memory of the API's process while everything streams out."""
    asked, about = f"under {CSV_ASKED_MB} MB", "memory while all streams out as CSV"
    probe = running.http.get("v1.1/Observations?$resultFormat=CSV&$top=1")
    if probe.status_code != 200:
        note = f"{probe.status_code} {probe.text[:100]}"
        report.add(Row(name="csv", about=about, frost="", asked=asked, measured=None, note=note))
        return
    seconds, lines, megabytes = api_extra.stream_csv(running)
    report.add(
        Row(
            name="csv", about=f"{about}: {lines:,} lines in {seconds:.1f} s", frost="", asked=asked, measured=megabytes, unit=" MB",
            reached=megabytes < CSV_ASKED_MB,
        )
    )  # fmt: skip


def write(path: Path, rows: Sequence[Row], facts: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Write the run as JSON."""
    values = [{name: getattr(row, name) for name in Row.__slots__} for row in rows]
    path.write_text(json.dumps({"facts": facts, "arguments": given, "rows": values}, indent=1, default=str, ensure_ascii=False))


def arguments() -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = argparse.ArgumentParser(prog="make bench-api", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 Things, 20,000 Observations, 2 s a stage")
    parser.add_argument("--things", type=int, default=100)
    parser.add_argument("--per-thing", type=int, default=10, help="Datastreams of a Thing")
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--messages", type=int, default=20_000, help="messages of the stage mqtt")
    parser.add_argument("--clients", type=int, default=8, help="reading clients")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stage")
    parser.add_argument("--compare", action="store_true", help="compare with --scale times as many Observations, and nothing else")
    parser.add_argument("--scale", type=int, default=10, help="of --compare")
    parser.add_argument("--servers", choices=("local", "embedded"), default="local")
    parser.add_argument("--only", default="", help="stages, separated by commas")
    parser.add_argument("--json", type=Path, help="file to write the run to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
