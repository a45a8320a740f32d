"""Where a running platform is: written by `up`, read by the other commands on the same data directory."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from infra.servers.set import Account, Places

FILE = Path("run/platform.json")


class NotRunningError(RuntimeError):
    """No platform runs on the data directory; the message is one line."""


def remember(data_dir: Path, places: Places) -> None:
    """Keep the addresses, with their passwords, in a file only its owner may read."""
    path = data_dir / FILE
    path.parent.mkdir(parents=True, exist_ok=True)  # no server of ours has made it where somebody else runs them
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(places))


def forget(data_dir: Path) -> None:
    """Remove the file."""
    (data_dir / FILE).unlink(missing_ok=True)


def device_account(data_dir: Path, tenant: str, device: str) -> tuple[str, int, Account]:
    """Host, port and account with which a device on this machine reaches the running platform; raises `NotRunningError`.

    Where every device has an account of its own, this one's password is not known here, and its user has none.
    """
    places = recall(data_dir)
    return places.mqtt_host, places.mqtt_port, places.mqtt_device or Account(user=f"{tenant}/{device}", password="")


def recall(data_dir: Path) -> Places:
    """Return where the platform is; raises `NotRunningError`."""
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Places)
    except FileNotFoundError:
        raise NotRunningError(f"no platform runs on {data_dir}: start it with `grenzregion up --data-dir {data_dir}`") from None
