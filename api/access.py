"""Who may do what: writing needs the bearer token; without it a reader sees public Things only (decisions.md 8).

Clients of SensorThings that know HTTP Basic alone (FROST's, stapy) send the token as the password, with any user.

`auth` off makes every request a writer's, which is why it is refused unless the API listens on loopback.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from api.errors import UnauthorizedError

TOKEN_FILE = "token"  # noqa: S105 -- a file's name, no password
_SCHEME = "bearer"
_BASIC = "basic"
_TOKEN_BYTES = 32


class OpenToTheWorldError(ValueError):
    """Authentication is off and the API would listen on an address that others reach."""

    def __init__(self, host: str) -> None:
        super().__init__(f"--auth off is refused on {host}: without authentication the API listens on loopback only (127.0.0.1)")
        self.host = host


class NoTokenError(ValueError):
    """Authentication is on and there is no token."""

    def __init__(self) -> None:
        super().__init__("authentication is on, but there is no token: set GRENZREGION_TOKEN")


def ensure_token(data_dir: Path) -> tuple[str, bool]:
    """Give the bearer token of a data directory, and whether it was made just now.

    It is kept in `DATA_DIR/token`, readable by its owner alone. Two processes that start together get the same one.
    """
    path = data_dir / TOKEN_FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return path.read_text().strip(), False
    draft = data_dir / f".{TOKEN_FILE}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(_TOKEN_BYTES) + "\n")
    try:
        os.link(draft, path)  # fails where another process was first; the file is whole when it appears
        is_new = True
    except FileExistsError:
        is_new = False
    finally:
        draft.unlink()
    return path.read_text().strip(), is_new


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_auth(*, auth: bool, host: str) -> None:
    """Refuse to be open to the world: raises `OpenToTheWorldError`."""
    if not auth and not is_loopback(host):
        raise OpenToTheWorldError(host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Decides about a request by its headers. `token` None: authentication is off."""

    token: bytes | None

    @classmethod
    def of(cls, *, auth: bool, token: str, host: str) -> Guard:
        """Make the guard of an installation; raises `OpenToTheWorldError` or `NoTokenError`."""
        check_auth(auth=auth, host=host)
        if not auth:
            return cls(token=None)
        if not token:
            raise NoTokenError
        return cls(token=token.encode())

    def sees_private(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a reader sees private Things too; a wrong token raises `UnauthorizedError`.

        Another scheme, and Basic with another password, is a proxy's business and counts as no token.
        """
        return self.token is None or self._has_token(headers)

    def require_writer(self, headers: Mapping[str, str]) -> None:
        """Let a writer pass; raises `UnauthorizedError`."""
        if self.token is not None and not self._has_token(headers):
            raise UnauthorizedError("writing needs the header 'Authorization: Bearer <token>'")

    def _has_token(self, headers: Mapping[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if self.token is None:
            return False
        if scheme.lower() == _BASIC:
            return hmac.compare_digest(_password(given.strip()), self.token)
        if scheme.lower() != _SCHEME:
            return False
        # Header values arrive as Latin-1; a comparison in constant time needs bytes.
        if not hmac.compare_digest(given.strip().encode("latin-1", "replace"), self.token):
            raise UnauthorizedError("this token is wrong")
        return True


def _password(credentials: str) -> bytes:
    """Give the password of Basic credentials (RFC 7617), empty where they are none."""
    try:
        return base64.b64decode(credentials.encode("latin-1", "replace"), validate=True).partition(b":")[2]
    except ValueError:
        return b""
