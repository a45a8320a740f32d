"""Bring folder, data source and dashboards to a running Grafana over its HTTP API; doing it again changes nothing but the boards.

PublishError
├── UnreachableError     no Grafana answers at this address
├── NotAllowedError      the token or the user may not do this
├── ConflictError        somebody saved a newer version in Grafana
└── RefusedError         Grafana answered with another error
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import niquests
import psycopg
from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException
from psycopg.conninfo import conninfo_to_dict

from grafana.catalogue import Folder, Rendered, rendered
from grafana.panels import DATASOURCE_TYPE, DATASOURCE_UID

DATASOURCE_NAME = "Smarte Grenzregion"
TIMEOUT_S = 15.0

T = TypeVar("T")


class PublishError(RuntimeError):
    """The boards could not be published; the message is one line."""


class UnreachableError(PublishError):
    """No Grafana answers at this address."""


class NotAllowedError(PublishError):
    """The token or the user may not do this."""


class ConflictError(PublishError):
    """Somebody saved a newer version in Grafana, and overwriting was not asked for."""


class RefusedError(PublishError):
    """Grafana answered with an error that has no class of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where Grafana itself reaches PostgreSQL, and the role it logs in with (`grafana.login`)."""

    host: str
    port: int
    name: str
    user: str
    password: str
    sslmode: str = "prefer"
    timescaledb: bool = False

    @classmethod
    def of(cls, conninfo: str, *, timescaledb: bool = False) -> Database:
        """Read a PostgreSQL connection string; raises `PublishError` when it is none or lacks host, database, user or password."""
        try:
            parts: dict[str, Any] = {**conninfo_to_dict(conninfo)}
        except psycopg.ProgrammingError as error:
            raise PublishError(f"the database's address is no connection string: {str(error).splitlines()[0]}") from error
        missing = [name for name in ("host", "dbname", "user", "password") if not parts.get(name)]
        if missing:
            raise PublishError(f"the database's address for Grafana lacks {', '.join(missing)}")
        return cls(
            host=str(parts["host"]),
            port=int(parts.get("port") or 5432),
            name=str(parts["dbname"]),
            user=str(parts["user"]),
            password=str(parts["password"]),
            sslmode=_sslmode(str(parts.get("sslmode") or "disable")),
            timescaledb=timescaledb,
        )


def _sslmode(mode: str) -> str:
    """Grafana knows no `allow` and no `prefer`: both mean that unencrypted is good enough."""
    return "disable" if mode in {"allow", "prefer"} else mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was brought to Grafana; `unchanged` dashboards were left alone."""

    dashboards: tuple[str, ...]
    unchanged: tuple[str, ...]


def publish(
    url: str,
    *,
    token: str | None = None,
    user: str | None = None,
    password: str | None = None,
    database: Database | None = None,
    overwrite: bool = True,
    dashboards: Sequence[Rendered] | None = None,
) -> Published:
    """Create or update folders, data source (when `database` is given) and dashboards.

    A service account's `token`, or `user` and `password`. With `overwrite` off, a dashboard that is in
    Grafana with another content, whoever changed it, is a `ConflictError`. Raises `PublishError`.
    """
    boards = rendered() if dashboards is None else dashboards
    api = _connect(url, token, user, password)
    for folder in {board.folder.uid: board.folder for board in boards}.values():
        _asked(url, lambda folder=folder: _put_folder(api, folder))
    if database is not None:
        _asked(url, lambda: _put_datasource(api, database))
    changed = [board.uid for board in boards if _asked(url, lambda board=board: _put_dashboard(api, board, overwrite))]
    return Published(dashboards=tuple(changed), unchanged=tuple(board.uid for board in boards if board.uid not in changed))


def _connect(url: str, token: str | None, user: str | None, password: str | None) -> Any:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise PublishError(f"{url} is no address: its port is no number") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PublishError(f"{url} is no address: it must begin with http:// or https://")
    if token is None and (user is None or password is None):
        raise PublishError("publishing needs a service account's token, or user and password")
    path = parts.path.strip("/")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return GrafanaApi(
        token if token is not None else (user, password),
        protocol=parts.scheme,
        host=host,
        port=port,
        url_path_prefix=f"{path}/" if path else "",
        timeout=TIMEOUT_S,
    )


def _asked(url: str, ask: Callable[[], T]) -> T:
    """Translate the client's errors once."""
    try:
        return ask()
    except GrafanaException as error:
        raise _translated(url, error) from error
    except (niquests.exceptions.RequestException, OSError) as error:
        raise UnreachableError(f"no Grafana answers at {_shown(url)}") from error


def _translated(url: str, error: Any) -> PublishError:
    response: Any = error.response
    status: int = error.status_code
    text: Any = cast("dict[str, Any]", response).get("message", "") if isinstance(response, dict) else error.message
    said = " ".join(str(text).split())[:200]
    match status:
        case 0:
            return UnreachableError(f"no Grafana answers at {_shown(url)}")
        case 401:
            return NotAllowedError(f"Grafana at {_shown(url)} does not accept this token or password (401)")
        case 403:
            return NotAllowedError(f"Grafana at {_shown(url)} does not allow this account to do that (403): {said}")
        case 412:
            return ConflictError(
                f"Grafana at {_shown(url)} holds a newer version, publish with --overwrite to replace it (412): {said}"
            )
        case _:
            return RefusedError(f"Grafana at {_shown(url)} refused ({status}): {said}")


def _shown(url: str) -> str:
    """Leave out a password that stood in the address."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _absent(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except GrafanaClientError as error:
        if error.status_code == 404:  # noqa: PLR2004 - HTTP
            return None
        raise


def _put_folder(api: Any, folder: Folder) -> None:
    known: Any = _absent(lambda: api.folder.get_folder(folder.uid))
    if known is None:
        api.folder.create_folder(folder.title, uid=folder.uid)
    elif known["title"] != folder.title:
        api.folder.update_folder(folder.uid, title=folder.title, overwrite=True)


def _put_datasource(api: Any, database: Database) -> None:
    model = _datasource(database)
    if _absent(lambda: api.datasource.get_datasource_by_uid(DATASOURCE_UID)) is None:
        api.datasource.create_datasource(model)
    else:
        api.datasource.update_datasource_by_uid(DATASOURCE_UID, model)


def _datasource(database: Database) -> dict[str, Any]:
    return {
        "uid": DATASOURCE_UID,
        "name": DATASOURCE_NAME,
        "type": DATASOURCE_TYPE,
        "access": "proxy",
        "url": f"{database.host}:{database.port}",
        "user": database.user,
        "isDefault": False,
        "jsonData": {
            "database": database.name,
            "sslmode": database.sslmode,
            "postgresVersion": 1500,
            "timescaledb": database.timescaledb,
            "maxOpenConns": 10,
            "maxIdleConns": 2,
        },
        "secureJsonData": {"password": database.password},
    }


def _put_dashboard(api: Any, board: Rendered, overwrite: bool) -> bool:
    """Save what differs; returns whether anything did."""
    known: Any = _absent(lambda: api.dashboard.get_dashboard(board.uid))
    model = dict(board.model)
    if known is not None:
        if known["meta"].get("folderUid") == board.folder.uid and _same(known["dashboard"], model):
            return False
        model["id"] = known["dashboard"]["id"]
    message = "published by grenzregion"
    api.dashboard.update_dashboard({"dashboard": model, "folderUid": board.folder.uid, "overwrite": overwrite, "message": message})
    return True


def _same(known: dict[str, Any], model: dict[str, Any]) -> bool:
    return {key: value for key, value in known.items() if key not in {"id", "version"}} == model
