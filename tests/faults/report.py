"""Figures as a table on the screen and as docs/reliability.md."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

DOCS = Path("docs/reliability.md")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
COLUMNS = ("fault", "result", "sent", "lost", "twice", "false receipts", "recovery p50 / max, s")
# What every scenario has; the rest are figures of its own.
USUAL = {
    *("what", "platform", "seconds", "sent", "stored", "letters", "lost", "twice", "false_receipts", "wrong", "failed", "rss_mb"),
    *("receipts_heard", "receipts_checked", "recovery_s", "recoveries_by_process", "sent_so_far", "false_receipts_so_far"),
    *("unfinished", "wanted_rate"),
}


def show(figures: dict[str, Any]) -> None:
    title = f"Faults, scale {figures['scale']}"
    table = Table(*COLUMNS, title=title)
    for name, found in _all(figures):
        table.add_row(name, *_cells(found))
    console = Console()
    console.print(table)
    for name, found in _all(figures):
        if own := _own(found):
            console.print(f"{name}: {own}", soft_wrap=True)


def write_docs(figures: dict[str, Any]) -> None:
    """Put the figures between their marks."""
    before, _, rest = DOCS.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before}{BEGIN}\n{markdown(figures)}\n{END}{after}")


def markdown(figures: dict[str, Any]) -> str:
    """Give the table, and below it what only some faults have."""
    lines = [f"Measured {figures['at']} on {figures['machine']}, scale {figures['scale']}.", ""]
    lines += [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    lines += [f"| `{name}`: {found.get('what', '')} | {' | '.join(_cells(found))} |" for name, found in _all(figures)]
    lines += ["", "Further figures:", ""]
    lines += [f"- `{name}`: {own}" for name, found in _all(figures) if (own := _own(found))]
    return "\n".join(lines)


def _all(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [*figures["scenarios"].items(), *figures["soaks"].items()]


def _cells(found: dict[str, Any]) -> list[str]:
    recovery = found.get("recovery_s")
    took = f"{recovery['p50']} / {recovery['max']} ({recovery['n']})" if recovery else ""
    counts = [str(found.get(name, "")) for name in ("sent", "lost", "twice", "false_receipts")]
    return ["FAILED" if "failed" in found or found.get("wrong") else "held", *counts, took]


def _own(found: dict[str, Any]) -> str:
    own = {name: value for name, value in found.items() if name not in USUAL and value not in (0, {})}
    said = [f"{name.replace('_', ' ')} {_text(value)}" for name, value in own.items()]
    said += [
        f"recovery from {name}: p50 {statistics.median(took):.1f} s, max {max(took):.1f} s of {len(took)}"
        for name, took in found.get("recoveries_by_process", {}).items()
    ]
    return "; ".join(said)


def _text(value: Any) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)
