"""`grenzregion gateway …`, `grenzregion device …`, and the two sources of data as processes."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

gateway = typer.Typer(help="Send readings through an outbox.", no_args_is_help=True)
device = typer.Typer(help="Devices and their accounts.", no_args_is_help=True)
partner = typer.Typer(help="Partner regions and their MQTT accounts.", no_args_is_help=True)

DataDir = Annotated[Path, typer.Option(envvar="GRENZREGION_DATA_DIR", help="Directory for all that the platform keeps.")]
Speed = Annotated[float, typer.Option(envvar="GRENZREGION_SPEED", min=0.1, max=100_000, help="Seconds of data per second.")]

EXIT_FAILED, EXIT_UNUSABLE = 1, 2


def _fail(message: object, code: int = EXIT_FAILED) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


@gateway.command("publish")
def publish(
    device: Annotated[str, typer.Option(help="The device, as its Thing's properties.device.")],
    tenant: Annotated[str, typer.Option(help="Its tenant.")] = "default",
    file: Annotated[typer.FileText | None, typer.Argument(help="Lines of JSON, one reading each; none: standard input.")] = None,
    property: Annotated[str, typer.Option(help="Send one reading: its property.")] = "",  # noqa: A002 - the payload's own word
    value: Annotated[str, typer.Option(help="… its value, JSON or text.")] = "",
    time: Annotated[str, typer.Option(help="… its time, RFC 3339; none: now.")] = "",
    unit: Annotated[str, typer.Option(help="… its UCUM unit; none: the Datastream's.")] = "",
    host: Annotated[str, typer.Option(help="MQTT broker.", envvar="GRENZREGION_MQTT_HOST")] = "",
    port: Annotated[int, typer.Option(help="Its port for MQTT 5.", envvar="GRENZREGION_MQTT_PORT")] = 0,
    user: Annotated[str, typer.Option(help="MQTT user; none: tenant/device.", envvar="GRENZREGION_MQTT_USER")] = "",
    password: Annotated[str, typer.Option(help="Its password.", envvar="GRENZREGION_MQTT_PASSWORD")] = "",
    outbox: Annotated[Path | None, typer.Option(help="File of the outbox; none: DATA_DIR/gateway/TENANT-DEVICE.")] = None,
    form: Annotated[str, typer.Option("--format", help="json, senml-json or senml-cbor.")] = "json",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the receipt.")] = 30.0,
    data_dir: DataDir = Path("var"),
) -> None:
    """Publish readings and wait until the platform has stored them.

    Without --host, the platform that runs on the data directory gets them, with the account that it gives to devices.
    """
    from devices.gateway import Gateway  # noqa: PLC0415 - a process that needs little shall load little
    from devices.gateway.command import publish_lines, publish_readings, reading_of  # noqa: PLC0415
    from devices.gateway.errors import GatewayError  # noqa: PLC0415
    from grenzregion.platform import NotRunningError, device_account  # noqa: PLC0415

    try:
        if not host:
            host, port, account = device_account(data_dir, tenant, device)
            user, password = user or account.user, password or account.password
        path = outbox or data_dir / "gateway" / f"{tenant}-{device}.sqlite"
        with Gateway(
            host, port or 1883, outbox=path, device=device, tenant=tenant, username=user or None, password=password or None
        ) as opened:
            if property:
                readings = [(1, reading_of(property, value, time or None, unit or None))]
                code = publish_readings(opened, readings, timeout=timeout, say=_say, form=form)
            else:
                code = publish_lines(opened, file or sys.stdin, timeout=timeout, say=_say, form=form)
    except (GatewayError, NotRunningError, ValueError) as error:
        _fail(error, EXIT_UNUSABLE)
    raise typer.Exit(code)


def _say(text: str) -> None:
    typer.echo(text, err=True)


@device.command("password")
def password_command(
    name: Annotated[str, typer.Argument(metavar="TENANT/DEVICE", help="The device, which is also its MQTT user name.")],
    data_dir: DataDir = Path("var"),
) -> None:
    """Give a device an MQTT account with a new password, printed once."""
    from grenzregion.accounts import NoDeviceAccountsError, new_device_password  # noqa: PLC0415
    from grenzregion.platform import NotRunningError, recall  # noqa: PLC0415
    from infra.accounts import AccountsError  # noqa: PLC0415

    try:
        typer.echo(new_device_password(recall(data_dir), name))
    except (AccountsError, NoDeviceAccountsError, NotRunningError, ValueError) as error:
        _fail(error, EXIT_UNUSABLE)


@partner.command("password")
def partner_password(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The partner, as a name of a-z 0-9 _ . -")],
    data_dir: DataDir = Path("var"),
) -> None:
    """Give a partner region an MQTT account for SensorThings: user and new password, printed once."""
    from grenzregion.accounts import NoDeviceAccountsError, new_partner_password  # noqa: PLC0415
    from grenzregion.platform import NotRunningError, recall  # noqa: PLC0415
    from infra.accounts import AccountsError  # noqa: PLC0415

    try:
        user, password = new_partner_password(recall(data_dir), name)
        typer.echo(f"{user} {password}")
    except (AccountsError, NoDeviceAccountsError, NotRunningError, ValueError) as error:
        _fail(error, EXIT_UNUSABLE)


def simulator(
    data_dir: DataDir = Path("var"), speed: Speed = 1.0, seed: Annotated[int, typer.Option(help="Seed of the region.")] = 1
) -> None:
    """Simulate the stations of the region, through a real gateway."""
    from devices.simulator.run import run  # noqa: PLC0415
    from infra.settings import Settings  # noqa: PLC0415
    from infra.telemetry import set_up_logging  # noqa: PLC0415

    settings = Settings()
    set_up_logging("simulator", settings.log_level)
    run(
        host=settings.mqtt_host, port=settings.mqtt_port, username=settings.mqtt_user or None,
        password=settings.mqtt_password.get_secret_value() or None, data_dir=data_dir / "simulator",
        seed=seed, speed=speed, stop=_stop(),
    )  # fmt: skip


def replay(
    data_dir: DataDir = Path("var"),
    speed: Speed = 1.0,
    name: Annotated[list[str] | None, typer.Option(help="Which recordings; none: all.")] = None,
    retime: Annotated[bool, typer.Option(help="Move them by whole weeks so that they happen now.")] = True,
) -> None:
    """Replay recordings at their true places, through a real gateway."""
    from devices.replay.recordings import UnknownRecordingError  # noqa: PLC0415
    from devices.replay.run import run  # noqa: PLC0415
    from infra.settings import Settings  # noqa: PLC0415
    from infra.telemetry import set_up_logging  # noqa: PLC0415

    settings = Settings()
    set_up_logging("replay", settings.log_level)
    try:
        run(
            host=settings.mqtt_host, port=settings.mqtt_port, username=settings.mqtt_user or None,
            password=settings.mqtt_password.get_secret_value() or None, data_dir=data_dir / "replay", names=name, speed=speed,
            retime=retime, stop=_stop(),
        )  # fmt: skip
    except UnknownRecordingError as error:
        _fail(error, EXIT_UNUSABLE)


def _stop() -> threading.Event:
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop
