"""An API as a process of its own with authentication, and an environment that has the clients of partner regions."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.servers.server import free_port

TOKEN = "a-token-of-tests"

_REPOSITORY = Path(__file__).parents[2]
_LOCK = _REPOSITORY / "requirements" / "clients.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where the API is."""

    url: str  # ends with a slash
    log: Path

    @property
    def root(self) -> str:
        return f"{self.url}v1.1"

    def conformance(self) -> list[str]:
        return httpx.get(self.root).raise_for_status().json()["serverSettings"]["conformance"]

    def has(self, requirements_class: str) -> bool:
        """Whether the service root lists this class of 18-088, or a requirement of it."""
        return any(f"/req/{requirements_class}" in name for name in self.conformance())


@contextmanager
def serving(database: str, folder: Path) -> Iterator[Served]:
    port, log = free_port(), folder / "api.log"
    environment = {
        **os.environ,
        "GRENZREGION_DATABASE_URL": database,
        "GRENZREGION_HTTP_PORT": str(port),
        "GRENZREGION_TOKEN": TOKEN,
        "GRENZREGION_KAFKA": "127.0.0.1:1",
        "GRENZREGION_DATA_DIR": str(folder),
    }
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "grenzregion", "api"], env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while not _is_alive(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield Served(url=f"http://127.0.0.1:{port}/", log=log)
    finally:
        process.kill()
        process.wait()


def _is_alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
    except httpx.TransportError:
        return False


def python_with_clients() -> Path:
    """The interpreter of an environment that has exactly what the lock lists; made once, in build/."""
    place = _REPOSITORY / "build" / f"clients-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]}"
    python, stamp = place / "bin" / "python", place / ".complete"
    place.parent.mkdir(exist_ok=True)
    with (place.parent / ".clients.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
            # The lock names all that is needed; rasterio is not, though pygeoapi asks for it (requirements/clients.in).
            options = ["-q", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes", "-r", str(_LOCK)]
            install = [str(python), "-m", "pip", "install", *options]
            subprocess.run(install, check=True, timeout=300)
            stamp.touch()
    return python
