"""`grenzregion quality …`: how well the rulesets judge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

quality = typer.Typer(help="Quality control.", no_args_is_help=True)


@quality.callback()
def about() -> None:
    """Quality control of readings (docs/quality.md)."""


@quality.command("score")
def score_command(
    out: Annotated[Path | None, typer.Option(help="Page to put the tables into, like docs/quality.md; none: print them.")] = None,
    days: Annotated[int, typer.Option(min=1, max=90, help="Simulated days in each of four seasons.")] = 30,
    every: Annotated[int, typer.Option(min=1, help="Simulate each n-th station only.")] = 1,
    recordings: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder with more labelled recordings (*.dia).")
    ] = None,
) -> None:
    """Judge injected faults and labelled recordings: recall, precision and false alarms. Takes some minutes."""
    from devices.inventory import load_inventory  # noqa: PLC0415 - a process that needs little shall load little
    from streams.quality.scoring.report import put_into, report  # noqa: PLC0415

    text = report(load_inventory(), days=days, every=every, folder=recordings)
    if out is None:
        typer.echo(text)
        return
    try:
        put_into(out, text)
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
