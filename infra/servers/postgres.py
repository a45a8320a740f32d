"""PostgreSQL as every set of servers runs it: settings, a password, the directory, the database."""

from __future__ import annotations

import os
import re
import shutil
import signal
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg

from infra.servers.asking import postgres_answers
from infra.servers.errors import ServerError, explain
from infra.servers.process import MARK, Order, User, carry_out
from infra.servers.server import Server
from infra.servers.set import kept_secret

DATABASE = "grenzregion"
OWNER = "grenzregion"

# For two cores and a share of the machine's memory. Commits stay synchronous: a receipt promises that the row is on the disk.
SETTINGS: dict[str, str] = {
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_locks_per_transaction": "256",  # a backfill of years touches hundreds of chunks
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}

# glibc gives freed memory back at once and pays page faults for it at the next large answer: a fourth of the CPU of an answer of
# half a megabyte. So each connection keeps up to 32 MB that it once needed.
_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(32 << 20), "MALLOC_MMAP_THRESHOLD_": str(8 << 20)}
# What PostgreSQL says while a killed postmaster's children are still ending, or nobody has fetched its exit code.
_STILL_ENDING = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
_INITDB_OPTIONS = [
    f"--username={OWNER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
]


class Postgres(Server):
    """A PostgreSQL whose data are in `data_dir/postgres/data`, reached by TCP with a kept password."""

    name = "postgres"
    version: str  # PostgreSQL's major version
    stop_timeout_s = 30.0

    def __init__(self, *, data_dir: Path, port: int = 0, settings: Mapping[str, str] | None = None, user: User | None) -> None:
        super().__init__(data_dir=data_dir, port=port)
        self._settings = dict(settings or {})
        self._user = user

    @abstractmethod
    def find(self) -> tuple[Path, str]:
        """Return the directory of the binaries and the path of `folder`, both as the server sees them."""

    @abstractmethod
    def order(self, argv: list[str]) -> Order:
        """Tell how a program of PostgreSQL is run where it can see `folder`."""

    def prepare(self) -> Order:
        """Make the database directory when there is none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.hand_over(self.folder)
        binaries, inside = self.find()
        if not (self.folder / "data").exists():
            self._make(binaries, inside)
        made_by = (self.folder / "data" / "PG_VERSION").read_text().strip()
        if made_by != self.version:
            versions = f"was made by PostgreSQL {made_by}, this set runs {self.version}"
            raise ServerError(f"postgres: {self.folder} {versions}: use another data directory")
        self._forget_stranger()
        order = self.order([str(binaries / "postgres"), "-D", f"{inside}/data", *self._options()])
        return replace(order, stop_signal=signal.SIGINT, environment={**order.environment, **_MEMORY})  # fast shutdown

    def hand_over(self, path: Path) -> None:
        """Make a file the server's own."""
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid)

    def _make(self, binaries: Path, inside: str) -> None:
        new = self.folder / "new"  # renamed when complete, so that an interrupted start leaves no half database
        shutil.rmtree(new, ignore_errors=True)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.password)
        self.hand_over(password)
        order = self.order([str(binaries / "initdb"), f"--pgdata={inside}/new", f"--pwfile={inside}/password", *_INITDB_OPTIONS])
        made = carry_out(replace(order, environment=_ENVIRONMENT))
        password.unlink()
        if made.returncode != 0:
            said = [line for line in made.stderr.splitlines() if line]
            raise explain(self.name, "postgres: its data directory could not be made", said, self.folder)
        new.rename(self.folder / "data")

    @property
    def password(self) -> str:
        """Password of the owning role, made once."""
        return kept_secret(self.data_dir / "postgres.password")

    def url(self, database: str = DATABASE) -> str:
        """Address of a database of this server."""
        return f"postgresql://{OWNER}:{self.password}@{self.host}:{self.port}/{database}"

    def answers(self) -> bool:
        """Ask, and make the platform's database at the first answer."""
        if not postgres_answers(self.url("postgres")):
            if self.pid is None and any(said in line for line in self.log_tail() for said in _STILL_ENDING):
                self.start()
            return False
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
        return True

    def _options(self) -> list[str]:
        """Command line of the server, but for where its data are."""
        settings = {"listen_addresses": self.host, "port": str(self.port), **SETTINGS, **self._settings}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _forget_stranger(self) -> None:
        """Remove a postmaster.pid whose id belongs to another program today (ids come back soon in containers)."""
        lock = self.folder / "data" / "postmaster.pid"
        try:
            first = lock.read_text().split("\n", 1)[0]
            process = psutil.Process(int(first)) if re.fullmatch(r"\d+", first) else None
            if process is not None and process.environ().get(MARK) != str(self.folder):
                lock.unlink()
        except (FileNotFoundError, psutil.Error):
            pass  # no such file; or no such process, which PostgreSQL sees itself
