"""The set `local`: mosquitto and PostgreSQL 17 with TimescaleDB and PostGIS from a Debian root, Apache Kafka on the host's Java.

Installed by `make servers` (install.py). The Debian root is entered by chroot in a private mount namespace, so root is needed;
mosquitto and PostgreSQL then run as `nobody` and see of the host only their own folder below the data directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infra.servers.errors import MissingServerError, ServerError
from infra.servers.install import is_installed, root_dir, servers_dir
from infra.servers.kafka import Kafka
from infra.servers.mosquitto import Mosquitto
from infra.servers.postgres import Postgres
from infra.servers.process import Order, unprivileged_user
from infra.servers.set import Places, Progress, ServerSet

_INSIDE = "/srv/postgres"  # the folder as PostgreSQL sees it (install.MOUNT_POINTS)
_TIMESCALE = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "8",
    "max_worker_processes": "24",
}


def local_set(
    data_dir: Path,
    *,
    mqtt_port: int = 0,
    kafka_port: int = 0,
    postgres_port: int = 0,
    mqtt_host: str = "127.0.0.1",
    auth: bool = True,
    postgres_settings: Mapping[str, str] | None = None,
    progress: Progress = lambda _step: None,
) -> ServerSet:
    """Start the three servers on this data directory; port 0 is a free one; without `auth` the broker lets everybody in.

    Raises `ServerError`.
    """
    user = unprivileged_user()
    if user is None:
        raise ServerError("`--servers local` needs root, for chroot: use `--servers embedded`")
    if not is_installed():
        raise MissingServerError(f"`--servers local`: no complete installation in {servers_dir()}: run `make servers`")
    mqtt = Mosquitto(data_dir=data_dir, port=mqtt_port, host=mqtt_host, user=user, auth=auth)
    kafka = Kafka(data_dir=data_dir, port=kafka_port)
    postgres = LocalPostgres(data_dir=data_dir, port=postgres_port, settings={**_TIMESCALE, **(postgres_settings or {})}, user=user)
    servers = ServerSet(
        name="local",
        data_dir=data_dir,
        servers=(kafka, postgres, mqtt),
        places=lambda: Places(
            database_url=postgres.url(),
            kafka=f"{kafka.host}:{kafka.port}",
            mqtt_host=mqtt.reach,
            mqtt_port=mqtt.port,
            mqtt_legacy_port=mqtt.port,
            mqtt_accounts="dynamic",
            mqtt_admin=mqtt.admin,
        ),
    )
    return servers.start(progress)


class LocalPostgres(Postgres):
    """PostgreSQL 17 with TimescaleDB and PostGIS, in the Debian root."""

    version = "17"

    def find(self) -> tuple[Path, str]:
        """Name the places inside the root."""
        return Path(f"/usr/lib/postgresql/{self.version}/bin"), _INSIDE

    def order(self, argv: list[str]) -> Order:
        """Enter the root."""
        return Order(argv=argv, user=self._user, root=root_dir(), binds=[("/dev", "/dev"), (str(self.folder), _INSIDE)])


__all__ = ["LocalPostgres", "is_installed", "local_set"]
