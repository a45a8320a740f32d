"""What commands for people share: the running platform's database, who asks, and errors in one line."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

EXIT_FAILED, EXIT_UNUSABLE = 1, 2
_PATIENCE_S = 3

T = TypeVar("T")

DatabaseUrl = Annotated[
    str, typer.Option(envvar="GRENZREGION_DATABASE_URL", help="Database; none: that of the platform running on the data directory.")
]


def with_database(database_url: str, data_dir: Path, work: Callable[[str], Awaitable[T]]) -> T:
    """Do something with the URL of the database, or end with what is wrong with it."""
    import psycopg  # noqa: PLC0415 - a process that needs little shall load little
    from psycopg_pool import PoolTimeout  # noqa: PLC0415

    from grenzregion.platform import NotRunningError, recall  # noqa: PLC0415
    from infra.database import DatabaseAwayError, wait_for_database  # noqa: PLC0415

    async def run(url: str) -> T:
        return await work(url)

    try:
        url = database_url or recall(data_dir).database_url
        wait_for_database(url, _PATIENCE_S)
        return asyncio.run(run(url))
    except (NotRunningError, DatabaseAwayError) as error:
        fail(error, EXIT_UNUSABLE)
    except (psycopg.OperationalError, PoolTimeout):
        fail("the database did not answer", EXIT_FAILED)


def user_here() -> str:
    """Give the user of this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


def fail(message: object, code: int = EXIT_FAILED) -> NoReturn:
    """End with one line."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)
