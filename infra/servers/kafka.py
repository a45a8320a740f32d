"""Apache Kafka, one KRaft node on the host's Java."""

from __future__ import annotations

import base64
import shutil
import uuid
from pathlib import Path

from infra.servers.asking import kafka_answers
from infra.servers.errors import MissingServerError, explain
from infra.servers.install import kafka_dir
from infra.servers.process import Order, carry_out
from infra.servers.server import Server

_SETTINGS = Path(__file__).parents[1] / "kafka"


class Kafka(Server):
    """The log of `local`; its controller listens on the next port."""

    name = "kafka"
    stop_timeout_s = 30.0
    ready_timeout_s = 90.0

    def __init__(self, *, data_dir: Path, port: int = 0) -> None:
        super().__init__(data_dir=data_dir, port=port, ports=2)

    def prepare(self) -> Order:
        """Write server.properties and format the storage when it is new."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        properties.write_text(self._properties())
        if not (self._data / "meta.properties").exists():
            self._format(properties)
        return Order(argv=[*self._java(), "kafka.Kafka", str(properties)])

    def answers(self) -> bool:
        """Ask for metadata."""
        return kafka_answers(f"{self.host}:{self.port}")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _properties(self) -> str:
        broker, controller = f"{self.host}:{self.port}", f"{self.host}:{self.port + 1}"
        lines = [
            (_SETTINGS / "server.properties").read_text(),
            f"listeners=PLAINTEXT://{broker},CONTROLLER://{controller}",
            f"advertised.listeners=PLAINTEXT://{broker}",
            f"controller.quorum.voters=1@{controller}",
            f"log.dirs={self._data}",
        ]
        return "\n".join(lines) + "\n"

    def _format(self, properties: Path) -> None:
        cluster = new_cluster_id()
        java, *options = self._java()
        tool = [
            java,
            "-XX:TieredStopAtLevel=1",
            *options,
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster,
            "-c",
            str(properties),
        ]
        done = carry_out(Order(argv=tool))
        if done.returncode != 0:
            said = [line for line in (done.stderr + done.stdout).splitlines() if line]
            raise explain(self.name, "kafka: its data directory could not be made", said, self.folder)

    def _java(self) -> list[str]:
        java = shutil.which("java")
        if java is None:
            raise MissingServerError("kafka: no java on this machine: run `make servers`")
        return [
            java,
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",  # leaves a file in /tmp
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.net.preferIPv4Stack=true",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={_SETTINGS / 'log4j2.properties'}",
            "-cp",
            f"{kafka_dir()}/*",
        ]


def new_cluster_id() -> str:
    """Make an id as Kafka's own tool makes them; one that begins with a dash would be read as an option."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made
