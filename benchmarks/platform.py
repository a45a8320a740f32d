"""A platform of the benchmark's own on free ports, with devices to send for, and what its processes cost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import psutil

from grenzregion.accounts import NoDeviceAccountsError, new_partner_password
from grenzregion.platform import recall
from infra.servers.server import free_port

PROCESSES = ("bridge", "worker-1", "api", "mqtt", "kafka", "postgres")
CHANNELS = 10


class Platform:
    """A running platform."""

    def __init__(self, process: subprocess.Popen[str], data_dir: Path, url: str, mqtt_port: int) -> None:
        self.process = process
        self.data_dir = data_dir
        self.url = url
        self.mqtt_port = mqtt_port
        token = (data_dir / "token").read_text().strip()
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def pid(self, name: str) -> int:
        """Process id of a part."""
        return int((self.data_dir / "run" / f"{name}.pid").read_text())

    def places(self) -> dict[str, Any]:
        """Addresses and accounts."""
        return json.loads((self.data_dir / "run/platform.json").read_text())

    def publisher(self) -> tuple[str, str]:
        """User and password of an account that may publish for every device."""
        return "grenzregion-publisher", (self.data_dir / "accounts/publisher").read_text().strip()

    def partner(self) -> tuple[str, str]:
        """User and new password of a partner region's account, which creates Observations, or of the one account for all."""
        try:
            return new_partner_password(recall(self.data_dir), "bench")
        except NoDeviceAccountsError:
            return self.publisher()

    def count(self) -> int:
        """How many Observations are visible."""
        return self.http.get("v1.1/Observations?$count=true&$top=0").json()["@iot.count"]

    def register(self, devices: range, quality: dict[str, Any] | None = None) -> None:
        """Make the benchmark's devices, as a device owner would; `quality` are the tests in context of all their channels."""
        for device in devices:
            body = {
                "name": f"bench {device}", "description": "benchmark", "properties": {"device": f"bench-{device}"},
                "Locations": [{"name": "x", "description": "x", "encodingType": "application/geo+json",
                               "location": {"type": "Point", "coordinates": [9.4, 54.8]}}],
                "Datastreams": [_datastream(channel, quality or {}) for channel in range(CHANNELS)],
            }  # fmt: skip
            self.http.post("v1.1/Things", json=body).raise_for_status()

    def usage(self) -> dict[str, dict[str, float]]:
        """CPU seconds so far and RSS in MB of each part, its children included."""
        used: dict[str, dict[str, float]] = {}
        for name in PROCESSES:
            cpu = rss = 0.0
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                first = psutil.Process(self.pid(name))
                for process in [first, *first.children(recursive=True)]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        times = process.cpu_times()
                        cpu += times.user + times.system + times.children_user + times.children_system
                        rss += process.memory_info().rss / 1e6
            used[name] = {"cpu_s": cpu, "rss_mb": rss}
        return used


def _datastream(channel: int, quality: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"c{channel}", "description": "benchmark", "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "Cel"},
        "properties": {"channel": f"c{channel}", "fail_span": [-50, 60], "suspect_span": [-30, 45], "interval_s": 1,
                       "quality": quality},
        "Sensor": {"name": "bench", "description": "bench", "encodingType": "text/html", "metadata": "x"},
        "ObservedProperty": {"name": "bench", "definition": "urn:bench", "description": "bench"},
    }  # fmt: skip


@contextlib.contextmanager
def platform(servers: str = "local") -> Generator[Platform]:
    """Start `grenzregion up` in a directory of its own and end it."""
    with tempfile.TemporaryDirectory(prefix="grenzregion-bench-") as folder:
        data_dir, http_port, mqtt_port = Path(folder), free_port(), free_port(neighbours=1)
        command = [
            sys.executable, "-m", "grenzregion", "up", "--servers", servers, "--data-dir", folder, "--http-port", str(http_port),
            "--mqtt-port", str(mqtt_port), "--simulator", "off", "--replay", "off",
        ]  # fmt: skip
        with (data_dir / "up.log").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(os.environ))
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready.startswith("READY "):
                raise SystemExit(f"no READY: {(data_dir / 'up.log').read_text()[-2000:]}")
            yield Platform(process, data_dir, ready.removeprefix("READY ").strip(), mqtt_port)
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            process.wait()
            time.sleep(0.2)
