"""Figures as a table on the screen and as docs/reliability.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

DOCS = Path("docs/reliability.md")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def show(figures: dict[str, Any]) -> None:
    title = f"Faults, scale {figures['scale']}"
    table = Table(
        "fault",
        "result",
        "sent",
        "lost",
        "twice",
        "false receipts",
        "recovery p50 / max, s",
        title=title,
    )
    for name, found in figures["scenarios"].items():
        table.add_row(name, *_cells(found))
    for name, found in figures["soaks"].items():
        table.add_row(name, *_cells(found))
    Console().print(table)
    for found in figures["soaks"].values():
        Console().print(found)


def write_docs(figures: dict[str, Any]) -> None:
    """Put the figures between their marks."""
    text = DOCS.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before}{BEGIN}\n{markdown(figures)}\n{END}{after}")


def markdown(figures: dict[str, Any]) -> str:
    lines = [
        f"Measured {figures['at']} on {figures['machine']}, scale {figures['scale']}.",
        "",
        "| fault | result | readings sent | lost | counted twice | false receipts | recovery p50 / max, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in [*figures["scenarios"].items(), *figures["soaks"].items()]:
        lines.append(f"| `{name}`: {found.get('what', '')} | {' | '.join(_cells(found))} |")
    for name, found in figures["soaks"].items():
        lines += ["", f"`{name}`: memory slope after warm-up, MB/h: " + _pairs(found.get("rss_slope_mb_per_h", {}))]
        lines += ["", f"`{name}`: kills: " + _pairs(found.get("kills", {}))]
    return "\n".join(lines)


def _cells(found: dict[str, Any]) -> list[str]:
    recovery = found.get("recovery_s")
    took = f"{recovery['p50']} / {recovery['max']} ({recovery['n']})" if recovery else ""
    counts = [str(found.get(name, "")) for name in ("sent", "lost", "twice", "false_receipts")]
    return ["FAILED" if "failed" in found or found.get("wrong") else "held", *counts, took]


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
