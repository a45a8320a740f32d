"""What can be wrong with a server, each in one line for people.

ServerError                      one line that says what is wrong and where
├── PortTakenError               another program listens on the port
├── DiskFullError                no space left for the server's data
├── MissingServerError           a binary or an installation is not there
├── NotReadyError                it ended at once, or did not answer in time
└── DataInUseError               another supervisor holds the data directory
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Generator, Sequence
from pathlib import Path

_FULL = ("No space left on device", "Check free disk space")
_TELLING = ("FATAL", "PANIC", "ERROR", "Error", "error")  # lines that say why a server ended


class ServerError(RuntimeError):
    """A server can't be run; the message is one line for people."""


class PortTakenError(ServerError):
    """Another program listens on the port."""


class DiskFullError(ServerError):
    """No space left for the server's data."""


class MissingServerError(ServerError):
    """A binary or an installation is not there."""


class NotReadyError(ServerError):
    """The server ended at once, or did not answer in time."""


class DataInUseError(ServerError):
    """Another supervisor holds the data directory."""


@contextlib.contextmanager
def disk_errors(name: str) -> Generator[None]:
    """Turn the system's refusals while writing a server's files into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"{name}: no space left on the disk for {error.filename or 'its data'}") from error
        raise ServerError(f"{name}: {error.filename or 'its data'}: {error.strerror}") from error


def explain(name: str, what: str, said: Sequence[str], folder: Path, more: str = "") -> ServerError:
    """Return the error for what a server or its tool said before it gave up."""
    if any(sign in line for line in said for sign in _FULL):
        return DiskFullError(f"{name}: no space left on the disk for {folder}")
    telling = [line for line in said if any(word in line for word in _TELLING)]
    line = f": {(telling or said)[-1][:300]}" if said else ""
    return NotReadyError(f"{what}{line}{more}")
