"""A second worker beside the platform's own, with a short session, started and killed by the scenario."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Self

from road import Platform, environment

SESSION_S = 6.0
NAME = "worker-extra"


class ExtraWorker:
    """Joins the group of the platform's workers; what it says stands in a log of its own."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        places, data = self._platform.places, self._platform.data_dir
        account = data / "accounts/worker"
        given = {
            "DATABASE_URL": places.database_url, "KAFKA": places.kafka,
            "MQTT_HOST": places.mqtt_host, "MQTT_PORT": str(places.mqtt_port),
            "MQTT_USER": "grenzregion-worker", "MQTT_PASSWORD": account.read_text().strip(),
            "DATA_DIR": str(data), "WORKER_ID": NAME, "SESSION_TIMEOUT_S": str(SESSION_S),
        }  # fmt: skip
        with (data / "log" / f"{NAME}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "grenzregion", "worker"],
                env={**environment(), **{f"GRENZREGION_{name}": value for name, value in given.items()}},
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def owns_partitions(self) -> bool:
        """Whether the ledger names it as an owner and it lives; a worker that ended by itself is started again."""
        if self._process is not None and self._process.poll() is not None:
            self.start()
        sql = "SELECT count(*) FROM ledger WHERE owner = %s"
        return self._platform.rows(sql, f"{NAME}/{self.pid}")[0][0] > 0

    def epochs(self) -> int:
        """How often partitions were claimed, all in all."""
        return int(self._platform.rows("SELECT sum(epoch) FROM ledger")[0][0])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)  # a frozen process does not even hear that it shall die, until it goes on
        self.kill()
