"""Bring a database to the schema: `infra/migrations/NNNN_verb_noun.sql`, in order, each once and in its own transaction.

MigrationError
├── BadNumberError       a duplicate, or a name that is no `NNNN_verb_noun.sql`
├── ChangedError         an applied file was edited or is gone, or a new one comes before an applied one
└── FailedError          PostgreSQL refused a file
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString, cast

import psycopg

MIGRATIONS = Path(__file__).with_name("migrations")

_NAME = re.compile(r"(\d{4})_[a-z0-9]+(?:_[a-z0-9]+)+\.sql")
_LOCK = 4_716_023_911_442  # any number; whoever migrates holds this advisory lock


class MigrationError(RuntimeError):
    """The schema could not be brought up to date."""


class BadNumberError(MigrationError):
    """Two files have one number, or a file is not named as a migration is."""


class ChangedError(MigrationError):
    """What was applied is not what stands at the beginning of the folder."""


class FailedError(MigrationError):
    """PostgreSQL refused a migration; the ones before it stay applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file."""

    number: int
    name: str
    text: str
    checksum: str


def read_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """All migrations in order; raises `BadNumberError`."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match:
            raise BadNumberError(f"migration {path.name} is not named NNNN_verb_noun.sql")
        if found and found[-1].number == int(match[1]):
            raise BadNumberError(f"migrations {found[-1].name} and {path.stem} have the same number")
        data = path.read_bytes()
        checksum = hashlib.sha256(data).hexdigest()
        found.append(Migration(number=int(match[1]), name=path.stem, text=data.decode(), checksum=checksum))
    return found


def migrate(conninfo: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing and return the names of what was applied now; raises `MigrationError`.

    Two processes may call this at once: the second waits for the first and finds nothing left to do.
    """
    migrations = read_migrations(folder)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        applied = _applied(connection)
        _compare(applied, migrations)
        missing = migrations[len(applied) :]
        for migration in missing:
            _apply(connection, migration)
    return [migration.name for migration in missing]


def _applied(connection: psycopg.Connection) -> list[tuple[str, str]]:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration ("
        " number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
    )
    return connection.execute("SELECT name, checksum FROM schema_migration ORDER BY number").fetchall()


def _compare(applied: list[tuple[str, str]], migrations: list[Migration]) -> None:
    known = {migration.name for migration in migrations}
    for name, _checksum in applied:
        if name not in known:
            raise ChangedError(f"the database has migration {name}, which this version does not know: use a newer version")
    for (name, checksum), migration in zip(applied, migrations, strict=False):
        if migration.name != name:
            raise ChangedError(f"migration {migration.name} was added before {name}, which is applied: give it the next number")
        if migration.checksum != checksum:
            raise ChangedError(f"migration {name} was changed after it was applied: restore the file and add a new one")


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(cast("LiteralString", migration.text))
            connection.execute(
                "INSERT INTO schema_migration (number, name, checksum) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.checksum),
            )
    except psycopg.Error as error:
        raise FailedError(f"migration {migration.name} failed: {str(error).splitlines()[0]}") from error
