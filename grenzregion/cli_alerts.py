"""`grenzregion alerts …`: what people do with alerts, and with what webhooks and mails were not told (docs/alerts.md)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from grenzregion.cli_gateway import DataDir
from grenzregion.desk import EXIT_UNUSABLE, DatabaseUrl, fail, user_here, with_database

if TYPE_CHECKING:
    from streams.alerts.desk import Connection

alerts = typer.Typer(help="Alerts: what rules found, and who has been told.", no_args_is_help=True)

T = TypeVar("T")

STATES = ("raised", "cleared", "withdrawn")

Number = Annotated[int, typer.Argument(metavar="ID", min=1, help="Number of an alert.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Numbers of alerts.")]
AsJson = Annotated[bool, typer.Option("--json", help="A JSON object per line.")]


@alerts.command("list")
def list_command(
    state: Annotated[str, typer.Option(help="raised, cleared or withdrawn; none: raised.")] = "raised",
    rule: Annotated[str, typer.Option(help="Only alerts of this rule.")] = "",
    level: Annotated[int, typer.Option(min=1, max=9, help="Only alerts of this level or a higher one.")] = 1,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest event first.")] = 50,
    as_json: AsJson = False,
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """List alerts, the newest event first, hidden Things' included."""
    from streams.alerts.desk import find_alerts  # noqa: PLC0415 - a process that needs little shall load little

    if state not in STATES:
        fail(f"--state: {state!r} is none of {', '.join(STATES)}", EXIT_UNUSABLE)
    rows = _with_connection(database_url, data_dir, lambda connection: find_alerts(connection, state, rule or None, level, limit))
    for row in rows:
        typer.echo(json.dumps(row, ensure_ascii=False, default=str) if as_json else _line(row))


def _line(row: dict[str, Any]) -> str:
    value = "" if row["value"] is None else f"{row['value']:g} {row['unit'] or ''}".strip()
    known = f"acknowledged by {row['acknowledged_by']}" if row["acknowledged_by"] else ""
    undelivered = f"{row['waiting']} waiting, {row['given_up']} given up" if row["waiting"] or row["given_up"] else ""
    told = (row["id"], f"{row['begins']:%Y-%m-%dT%H:%M:%SZ}", row["rule"], row["level"], row["thing"], value, known, undelivered)
    return "\t".join(str(each) for each in told).rstrip("\t")


@alerts.command("show")
def show_command(number: Number, database_url: DatabaseUrl = "", data_dir: DataDir = Path("var")) -> None:
    """Show one alert with all that happened to it and who has not been told."""
    from streams.alerts.desk import read_alert  # noqa: PLC0415

    whole = _with_connection(database_url, data_dir, lambda connection: read_alert(connection, number))
    if whole is None:
        fail(f"there is no alert {number}")
    typer.echo(json.dumps(whole, ensure_ascii=False, indent=2, default=str))


@alerts.command("acknowledge")
def acknowledge_command(
    number: Number,
    note: Annotated[str, typer.Option(help="What is done about it.")] = "",
    who: Annotated[str, typer.Option(help="Who takes note; kept for good. None: the user of this machine.")] = "",
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """Take note of an alert; webhooks and mails are told of it."""
    from infra.settings import WorkerSettings  # noqa: PLC0415
    from streams.alerts.book import AlertBook, UnknownAlertError  # noqa: PLC0415
    from streams.alerts.sinks import SinksError, sinks_of  # noqa: PLC0415

    try:
        book = AlertBook(sinks_of(WorkerSettings()))
        changed = _with_connection(
            database_url, data_dir, lambda connection: book.acknowledge(connection, number, who or user_here(), note or None)
        )
    except SinksError as error:
        fail(error, EXIT_UNUSABLE)
    except UnknownAlertError:
        fail(f"there is no alert {number}")
    typer.echo(f"alert {number} is acknowledged" if changed else f"alert {number} was acknowledged already")


@alerts.command("retry")
def retry_command(
    ids: Ids = None,
    sink: Annotated[str, typer.Option(help="Only this sink: webhook:NAME or mail:NAME.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Whatever was given up.")] = False,
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """Send again what webhooks and mails did not take and was given up; numbers are those of alerts."""
    from streams.alerts.desk import retry  # noqa: PLC0415

    if not (ids or sink or everything):
        fail("which alerts? Give numbers, --sink or --all", EXIT_UNUSABLE)
    due = _with_connection(database_url, data_dir, lambda connection: retry(connection, ids or None, sink or None))
    typer.echo(f"{due} deliveries are due again")


def _with_connection(database_url: str, data_dir: Path, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def run(url: str) -> T:
        import psycopg  # noqa: PLC0415

        async with await psycopg.AsyncConnection.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
            return await work(connection)

    return with_database(database_url, data_dir, run)
