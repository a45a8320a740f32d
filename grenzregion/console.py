"""Progress for people, and errors as one line each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from rich.console import Console
from rich.markup import escape

from api.access import NoTokenError, OpenToTheWorldError
from devices.replay.recordings import UnknownRecordingError
from grenzregion.platform import NotRunningError
from infra.accounts import AccountsError
from infra.database import DatabaseAwayError
from infra.log import LogError
from infra.migrate import MigrationError
from infra.servers.server import ServerError

EXIT_FAILED, EXIT_UNUSABLE = 1, 2

# What a user can mend himself, told in one line; anything else is a bug and shows where.
EXPECTED = (
    ServerError, AccountsError, DatabaseAwayError, LogError, MigrationError, NotRunningError, OpenToTheWorldError, NoTokenError,
    UnknownRecordingError,
)  # fmt: skip

console = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def progress() -> Generator[Callable[[str], None]]:
    """Show what goes on: as one moving line on a terminal, else a line each. An empty text ends the moving line."""
    if not console.is_terminal:
        yield lambda text: console.print(escape(text), soft_wrap=True) if text else None
        return
    with console.status("starting") as status:

        def say(text: str) -> None:
            if text:
                status.update(escape(text))
                console.print(f"[dim]{escape(text)}[/dim]", soft_wrap=True)
            else:
                status.stop()

        yield say


def run(work: Callable[[], None]) -> int:
    """Do the work and return the exit code; what a user can mend is told in one line."""
    try:
        work()
    except EXPECTED as error:
        lines = str(error).splitlines() or [type(error).__name__]
        console.print(f"[red]error:[/red] {escape(lines[0])}", soft_wrap=True)
        return EXIT_UNUSABLE
    return 0
