"""Proves delivery on this machine: `make faults [ARGS="--scale 0.05 --only kill-bridge,zombie --report"]`.

Every scenario makes one fault under load on the `local` servers and then compares what was sent with what is stored. Instead,
`--soak SECONDS` kills at random.

Exit code 1 when anything was lost, counted twice, falsely receipted, wrong, or slower than promised.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from catalogue import SCENARIOS
from figures_file import begin, save
from report import DOCS, show, write_docs
from soak import soak
from stage import Scenario
from theatre import Theatre, temporary_theatre


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks counts and durations; 1: about two hours")
    parser.add_argument("--only", default="", metavar="NAMES", help="scenarios, separated by commas")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    parser.add_argument("--json", type=Path, default=Path("var/faults.json"), help="file for the raw figures, written after each")
    parser.add_argument("--report", action="store_true", help=f"write the figures into {DOCS}")
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS", help="random kills for so long instead of scenarios")
    parser.add_argument("--rate", type=float, default=300.0, help="readings/s of the soak")
    parser.add_argument("--no-kills", action="store_true", help="a soak without kills: memory only")
    asked = parser.parse_args()
    if asked.list:
        say("\n".join(f"{scenario.name:18} {scenario.what}" for scenario in SCENARIOS))
        return 0
    chosen = choose(asked.only)
    if chosen is None:
        return 2
    figures = begin(asked.json, asked.scale)
    with ExitStack() as stack:
        theatre = temporary_theatre(stack, asked.json.with_suffix(".logs"))
        if asked.soak:
            soak(theatre, figures, asked.json, seconds=asked.soak, rate=asked.rate, kills=not asked.no_kills)
        else:
            for scenario in chosen:
                figures["scenarios"][scenario.name] = play(theatre, scenario, asked.scale)
                save(asked.json, figures)
    show(figures)
    if asked.report:
        write_docs(figures)
    return 1 if is_wrong(figures) else 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def choose(names: str) -> list[Scenario] | None:
    if not names:
        return SCENARIOS
    known = {scenario.name: scenario for scenario in SCENARIOS}
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        sys.stderr.write(f"no such scenario: {', '.join(unknown)}; known are {', '.join(known)}\n")
        return None
    return [known[name] for name in names.split(",")]


def play(theatre: Theatre, scenario: Scenario, scale: float) -> dict[str, Any]:
    say(f"{datetime.now(UTC):%H:%M:%S} {scenario.name}: {scenario.what}")
    try:
        figures = theatre.play(scenario, scale, limit_s=scenario.recovery_s)
    except KeyboardInterrupt:
        raise
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - it is told, and the next scenario gets a fresh platform
        traceback.print_exc(limit=-6)
        theatre.discard()
        figures = theatre.last
    recovery = figures.get("recovery_s")
    told = f", recovery p50 {recovery['p50']} s, max {recovery['max']} s of {recovery['n']}" if recovery else ""
    say(f"         {'FAILED' if 'failed' in figures else 'held'} in {figures['seconds']} s{told}")
    return figures


def is_wrong(figures: dict[str, Any]) -> bool:
    played = [*figures["scenarios"].values(), *figures["soaks"].values()]
    return any("failed" in each or each.get("wrong") for each in played)


if __name__ == "__main__":
    sys.exit(main())
