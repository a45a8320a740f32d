"""`grenzregion quality …`: how well the rulesets judge, and judging again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from grenzregion.cli_gateway import DataDir

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


@quality.command("rejudge")
def rejudge_command(
    datastream: Annotated[int, typer.Argument(min=1, help="The Datastream's @iot.id.")],
    version: Annotated[int, typer.Option(min=1, help="Version of the rulesets.")],
    since: Annotated[str, typer.Option("--from", help="First phenomenon time, ISO 8601; without a zone: UTC.")],
    until: Annotated[str, typer.Option("--to", help="Last phenomenon time; later readings in the span are judged so, too.")],
    data_dir: DataDir = Path("var"),
    database_url: Annotated[
        str, typer.Option(envvar="GRENZREGION_DATABASE_URL", help="Database; none: that of the platform on the data directory.")
    ] = "",
) -> None:
    """Judge a span of a Datastream by another version of the rulesets; what changes is a revision."""
    import psycopg  # noqa: PLC0415 - a process that needs little shall load little

    from grenzregion.platform import NotRunningError, recall  # noqa: PLC0415
    from infra.database import DatabaseAwayError, conninfo_for, wait_for_database  # noqa: PLC0415
    from streams.consequences import StoreLimits  # noqa: PLC0415
    from streams.quality.rulesets import RulesetError  # noqa: PLC0415
    from streams.rulesets import UnknownDatastreamError, judge_by  # noqa: PLC0415

    async def judge(url: str, first: datetime, last: datetime) -> int:
        async with await psycopg.AsyncConnection.connect(conninfo_for(url, process="rejudge"), autocommit=True) as connection:
            return await judge_by(connection, datastream, first, last, version, StoreLimits())

    first, last = _time("--from", since), _time("--to", until)
    if first > last:
        _fail(f"--from {since} is after --to {until}")
    try:
        url = database_url or recall(data_dir).database_url
        wait_for_database(url, 3)
        judged = asyncio.run(judge(url, first, last))
    except (NotRunningError, DatabaseAwayError, RulesetError, UnknownDatastreamError) as error:
        _fail(str(error))
    except psycopg.OperationalError:
        _fail("the database did not answer; what was judged so far is kept, the same command goes on")
    typer.echo(f"judged {judged} times of Datastream {datastream} by version {version}")


def _time(option: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"{option} must be a time like 2026-01-31T12:00:00Z, not {text!r}")
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(2)
