"""The database as every process meets it: how it connects, and waiting until it is there."""

from __future__ import annotations

import time

import psycopg
from psycopg.conninfo import make_conninfo

_SESSION = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601"


class DatabaseAwayError(ConnectionError):
    """The database could not be reached in time; the message names host and port, never the password."""


def conninfo_for(url: str, *, process: str, role: str | None = None, options: str = "") -> str:
    """Return `url` as a process uses it: UTC, ISO, named after the process, as `role` when one is given.

    Dead peers are noticed within 25 s, so that a frozen network holds nobody's locks.
    """
    parts = [_SESSION, *([f"-c role={role}"] if role else []), *([options] if options else [])]
    return make_conninfo(
        url,
        application_name=process,
        options=" ".join(parts),
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )


def wait_for_database(url: str, timeout_s: float = 60.0) -> None:
    """Return as soon as the database carries out a statement; raises `DatabaseAwayError`.

    A refused password or a database that does not exist is raised at once: waiting does not cure it.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with psycopg.connect(make_conninfo(url, connect_timeout=3), autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            said = str(error).strip().splitlines()[0]
            if time.monotonic() > deadline or _is_hopeless(said):
                raise DatabaseAwayError(f"no database: {said}") from error
        else:
            return
        time.sleep(0.1)


def _is_hopeless(said: str) -> bool:
    # libpq gives no SQLSTATE for a connection that failed, only text; lc_messages of our servers is C.
    return "password authentication failed" in said or ('database "' in said and "does not exist" in said)
