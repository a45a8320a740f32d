"""The command line: `grenzregion up` and one subcommand for each process and each tool."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from grenzregion import cli_alerts, cli_gateway, cli_grafana, cli_letters, cli_quality
from grenzregion.cli_gateway import DataDir, Speed

app = typer.Typer(
    help="Data platform of the Smarte Grenzregion.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

app.add_typer(cli_gateway.gateway, name="gateway")
app.add_typer(cli_gateway.device, name="device")
app.add_typer(cli_gateway.partner, name="partner")
app.add_typer(cli_grafana.grafana, name="grafana")
app.add_typer(cli_quality.quality, name="quality")
app.add_typer(cli_letters.letters, name="letters")
app.add_typer(cli_alerts.alerts, name="alerts")
app.command()(cli_letters.resume)
app.command()(cli_gateway.simulator)
app.command()(cli_gateway.replay)


class ServerChoice(StrEnum):
    """Sets of servers (docs/servers.md)."""

    embedded = "embedded"
    local = "local"
    external = "external"


class Switch(StrEnum):
    """On or off."""

    on = "on"
    off = "off"


@app.command("up")
def up_command(
    servers: Annotated[ServerChoice, typer.Option(envvar="GRENZREGION_SERVERS", help="Set of servers.")] = ServerChoice.embedded,
    data_dir: DataDir = Path("var"),
    host: Annotated[str, typer.Option(envvar="GRENZREGION_HOST", help="Address to listen on.")] = "127.0.0.1",
    http_port: Annotated[
        int, typer.Option(envvar="GRENZREGION_HTTP_PORT", min=1, max=65535, help="Port of the API and the page.")
    ] = 8080,
    mqtt_port: Annotated[
        int, typer.Option(envvar="GRENZREGION_MQTT_PORT", min=1, max=65534, help="Port of the MQTT broker.")
    ] = 1883,
    auth: Annotated[
        Switch, typer.Option(envvar="GRENZREGION_AUTH", help="Writing needs a token; off only on loopback.")
    ] = Switch.on,
    simulator: Annotated[
        Switch, typer.Option(envvar="GRENZREGION_SIMULATOR", help="Simulate the stations of the region.")
    ] = Switch.on,
    replay: Annotated[
        str, typer.Option(envvar="GRENZREGION_REPLAY", help="Replay recordings: on, off, or the name of one.")
    ] = "on",
    speed: Speed = 1.0,
    workers: Annotated[int, typer.Option(envvar="GRENZREGION_WORKERS", min=1, max=64, help="How many workers.")] = 1,
    public_url: Annotated[str, typer.Option(envvar="GRENZREGION_PUBLIC_URL", help="URL under which the world sees the API.")] = "",
) -> None:
    """Run the whole platform on this machine until SIGINT or SIGTERM."""
    from grenzregion import console, up  # noqa: PLC0415 - a process that needs little shall load little

    plan = up.Plan(
        servers=servers.value, data_dir=data_dir, host=host, http_port=http_port, mqtt_port=mqtt_port, auth=auth is Switch.on,
        simulator=simulator is Switch.on, replay=replay, speed=speed, workers=workers, public_url=public_url,
        settings=up.Settings(),
    )  # fmt: skip
    with console.progress() as say:
        sys.exit(console.run(lambda: up.up(plan, say)))


@app.command()
def bridge() -> None:
    """Run the bridge from MQTT to Kafka; settings come from the environment."""
    from infra.settings import BridgeSettings  # noqa: PLC0415
    from ingest_mqtt.bridge import run  # noqa: PLC0415

    run(BridgeSettings())


@app.command()
def worker() -> None:
    """Run one Faust worker; settings come from the environment."""
    from grenzregion.related import write_related  # noqa: PLC0415
    from infra.database import DatabaseAwayError  # noqa: PLC0415
    from infra.log import LogError  # noqa: PLC0415
    from infra.settings import WorkerSettings  # noqa: PLC0415
    from streams.app import run  # noqa: PLC0415

    try:
        run(WorkerSettings(), write_related)
    except (DatabaseAwayError, LogError) as error:  # while a server is away this process is started again and again
        sys.exit(f"error: {error}")


@app.command()
def api() -> None:
    """Serve SensorThings, the planning API and the page; settings come from the environment."""
    from api.app import run  # noqa: PLC0415
    from infra.settings import ApiSettings, WorkerSettings  # noqa: PLC0415

    run(ApiSettings(), WorkerSettings())


@app.command()
def notifier() -> None:
    """Tell MQTT subscribers of stored and changed entities; settings come from the environment."""
    from api.notifier import run  # noqa: PLC0415
    from infra.settings import NotifierSettings  # noqa: PLC0415

    run(NotifierSettings())


@app.command()
def migrate() -> None:
    """Bring the database up to date."""
    from infra.migrate import migrate  # noqa: PLC0415
    from infra.settings import Settings  # noqa: PLC0415

    for name in migrate(Settings().database_url):
        typer.echo(name)
