"""A platform whose servers are run by the scenario, behind proxies: it decides when they are away, slow, full or cut off."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ballast import SmallDisk
from needs import need
from proxy import Proxy
from road import PROCESSES, READY_S, SERVERS, Platform, until

from infra.servers.errors import ServerError
from infra.servers.kafka import Kafka
from infra.servers.local import _TIMESCALE, LocalPostgres
from infra.servers.mosquitto import Mosquitto
from infra.servers.process import unprivileged_user
from infra.servers.server import Server, free_port

LINKS = ("devices", "broker", "log", "database")


class ProxiedKafka(Kafka):
    """Tells its clients the proxy's port, so that they stay behind it."""

    advertised = 0

    def _properties(self) -> str:
        plain = super()._properties()
        return plain.replace(
            f"advertised.listeners=PLAINTEXT://{self.host}:{self.port}",
            f"advertised.listeners=PLAINTEXT://{self.host}:{self.advertised}",
        )


class Apart(Platform):
    """`links` are the proxies: devices to broker, platform to broker, to log, to database.

    With `disk_bytes` each server has a disk of its own of that size, in `disks`. Dead servers are started again, as by a
    supervisor, unless they are held away.
    """

    def __init__(self, folder: Path, *, disk_bytes: int = 0) -> None:
        need("local")
        super().__init__("external", folder / "data", mqtt_port=free_port())
        self._server_dir = folder / "servers"
        user = unprivileged_user()
        assert user is not None
        self._kafka = ProxiedKafka(data_dir=self._server_dir)
        self._mqtt = Mosquitto(data_dir=self._server_dir, user=user)
        self._servers: dict[str, Server] = {
            "postgres": LocalPostgres(data_dir=self._server_dir, settings=_TIMESCALE, user=user),
            "kafka": self._kafka,
            "mqtt": self._mqtt,
        }
        mqtt, kafka, database = self._mqtt.port, self._kafka.port, self._servers["postgres"].port
        targets = {"devices": mqtt, "broker": mqtt, "log": kafka, "database": database}
        self.links = {name: Proxy(target, self.mqtt_port if name == "devices" else 0) for name, target in targets.items()}
        self._kafka.advertised = self.links["log"].port
        self.disks = {name: SmallDisk(server.folder, disk_bytes) for name, server in self._servers.items() if disk_bytes}
        self._stack = ExitStack()
        self._away: set[str] = set()
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._answers = itertools.count()
        self.deaths = 0  # of servers, without being asked

    def start(self) -> Platform:
        if not self._ending.is_set() and self._keeper_is_new():
            try:
                self._start_servers()
            except BaseException:
                self.end()
                raise
        return super().start()

    def _keeper_is_new(self) -> bool:
        return self._servers["postgres"].pid is None

    def _start_servers(self) -> None:
        for part in (*self.links.values(), *self.disks.values()):
            self._stack.enter_context(part)
        for server in self._servers.values():
            server.start()
        for server in self._servers.values():
            server.wait_ready(READY_S)
        threading.Thread(target=self._keep, name="keeper", daemon=True).start()

    def _keep(self) -> None:
        while not self._ending.wait(0.2):
            with self._lock, suppress(ServerError):
                for name, server in self._servers.items():
                    if server.pid is None and name not in self._away and not self._ending.is_set():
                        self.deaths += 1
                        server.start()

    def environment(self) -> dict[str, str]:
        admin = self._mqtt.admin
        return {
            **super().environment(),
            "GRENZREGION_DATABASE_URL": self.database_url(self.links["database"].port),
            "GRENZREGION_KAFKA": f"127.0.0.1:{self.links['log'].port}",
            "GRENZREGION_MQTT_HOST": "127.0.0.1",
            "GRENZREGION_MQTT_PORT": str(self.links["broker"].port),
            "GRENZREGION_MQTT_USER": admin.user,
            "GRENZREGION_MQTT_PASSWORD": admin.password,
        }

    def database_url(self, port: int) -> str:
        server = self._servers["postgres"]
        assert isinstance(server, LocalPostgres)
        return server.url().replace(f":{server.port}/", f":{port}/")

    @property
    def places(self):
        """Where this side reaches the servers: database and broker beside the proxies."""
        found = super().places
        return type(found)(
            database_url=self.database_url(self._servers["postgres"].port), kafka=found.kafka, mqtt_host="127.0.0.1",
            mqtt_port=self._mqtt.port, mqtt_legacy_port=self._mqtt.port, mqtt_accounts="given", mqtt_admin=self._mqtt.admin,
        )  # fmt: skip

    def folder_of(self, name: str) -> Path:
        return self._servers[name].folder

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """Kill a server and keep it away."""
        with self._lock:
            self._away.add(name)
            self._servers[name].kill()
        try:
            yield
        finally:
            with self._lock:
                self._away.discard(name)
                self._servers[name].start()
            self.wait_server(name)

    def wait_server(self, name: str, timeout_s: float = READY_S) -> None:
        """Wait until a server answers, started again meanwhile as often as it takes."""

        def answers() -> bool:
            with self._lock:
                return self._servers[name].pid is not None and self._servers[name].answers()

        until(answers, timeout_s, f"{name} answers", pause_s=0.2, tolerate=(ServerError,))

    def heal(self) -> None:
        for link in self.links.values():
            link.heal()

    def roots(self) -> tuple[Path, ...]:
        return (self.data_dir, self._server_dir)

    def names(self) -> tuple[str, ...]:
        return (*SERVERS, *super().names())

    def pid(self, name: str) -> int:
        if name in SERVERS:
            pid = self._servers[name].pid
            if pid is None:
                raise FileNotFoundError(name)
            return pid
        return super().pid(name)

    def readiness(self, name: str) -> int:
        if name in SERVERS:
            self.wait_server(name)
            return next(self._answers)
        return super().readiness(name)

    def ports(self) -> list[int]:
        return [self.http_port, *(link.port for link in self.links.values()), *(server.port for server in self._servers.values())]

    def send(self, name: str, number: signal.Signals) -> None:
        if name in SERVERS and number == signal.SIGKILL:
            with self._lock:
                self._servers[name].kill()
                self._servers[name].start()
        else:
            super().send(name, number)

    def end(self) -> None:
        self.heal_if_running()
        super().end()
        self._ending.set()
        with self._lock:
            for server in reversed(self._servers.values()):
                with suppress(ServerError):
                    server.stop()
        self._stack.close()

    def heal_if_running(self) -> None:
        with suppress(RuntimeError):
            self.heal()


__all__ = ["LINKS", "PROCESSES", "Apart"]
