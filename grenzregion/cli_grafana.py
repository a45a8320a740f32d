"""`grenzregion grafana …`: boards as files, at a server, and their queries against the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

grafana = typer.Typer(help="Boards for planners.", no_args_is_help=True)

DatabaseUrl = Annotated[
    str, typer.Option(envvar="GRENZREGION_DATABASE_URL", help="Database; none: that of the platform running on the data directory.")
]
DataDir = Annotated[Path, typer.Option(envvar="GRENZREGION_DATA_DIR", help="Directory for all that the platform keeps.")]


def _database(url: str, data_dir: Path) -> str:
    from grenzregion.platform import NotRunningError, recall  # noqa: PLC0415

    try:
        return url or recall(data_dir).database_url
    except NotRunningError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


@grafana.command("render")
def render_command(directory: Annotated[Path, typer.Argument(help="Where the boards' JSON goes.")]) -> None:
    """Write every board in every language as a file for Grafana's provisioning."""
    from grafana.catalogue import render  # noqa: PLC0415

    for path in render(directory):
        typer.echo(path)


@grafana.command("publish")
def publish_command(
    url: Annotated[str, typer.Option(help="URL of the Grafana server.")],
    token: Annotated[str, typer.Option(envvar="GRENZREGION_GRAFANA_TOKEN", help="Service account token.")] = "",
    user: Annotated[str, typer.Option(envvar="GRENZREGION_GRAFANA_USER", help="Or a user …")] = "",
    password: Annotated[str, typer.Option(envvar="GRENZREGION_GRAFANA_PASSWORD", help="… and its password.")] = "",
    datasource: Annotated[
        str, typer.Option(help="Connection string under which Grafana reaches the database; none: leave it.")
    ] = "",
    overwrite: Annotated[bool, typer.Option(help="Replace boards that were changed at the server.")] = True,
) -> None:
    """Publish folder, data source and boards to a Grafana server; may be repeated."""
    from grafana.publish import Database, PublishError, publish  # noqa: PLC0415

    database = Database.of(datasource) if datasource else None
    try:
        done = publish(
            url, token=token or None, user=user or None, password=password or None, database=database, overwrite=overwrite
        )
    except PublishError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(str(done))


@grafana.command("gate")
def gate_command(database_url: DatabaseUrl = "", data_dir: DataDir = Path("var")) -> None:
    """Run every query of every board against the database, as its reader."""
    from grafana.gate import check  # noqa: PLC0415

    findings = check(_database(database_url, data_dir))
    for finding in findings:
        typer.echo(str(finding))
    raise typer.Exit(1 if findings else 0)


@grafana.command("login")
def login_command(
    database_url: DatabaseUrl = "",
    password: Annotated[
        str, typer.Option(envvar="GRENZREGION_GRAFANA_DB_PASSWORD", help="Password; none: a new one is printed.")
    ] = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """Make the database's login for Grafana, which can only read."""
    from grafana.login import create_grafana_login  # noqa: PLC0415

    made = create_grafana_login(_database(database_url, data_dir), password=password or None)
    if not password:
        typer.echo(made)
