"""Accounts and rights at an MQTT broker with mosquitto's dynamic security plugin: changed at run time, over MQTT itself.

Commands go to `$CONTROL/dynamic-security/v1`, the answers come on its `/response`. Every account has one role of its own name with
literal topics: rights hang on the user, never on the client id, which everybody chooses for himself (delivery.md 3).
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_COMMANDS = "$CONTROL/dynamic-security/v1"
_AT_ONCE = 50
_ALREADY = "already exists"
_ANONYMOUS = "anonymous"


class AccountsError(Exception):
    """The broker can't or won't change its accounts; one line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Topics that an account may publish to, and topic filters that it may subscribe to and receive from."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def acls(self) -> Iterator[dict[str, Any]]:
        """Give the plugin's entries; what is not named is denied."""
        wanted = {"publishClientSend": self.publish, "publishClientReceive": self.subscribe, "subscribePattern": self.subscribe}
        for kind, topics in wanted.items():
            for topic in topics:
                yield {"acltype": kind, "topic": topic, "priority": 0, "allow": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    """An account to be made, or to be given this password and these rights."""

    user: str
    rights: Rights
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)


class BrokerAccounts:
    """The administrator's connection to the broker; a context manager. Raises `AccountsError`."""

    def __init__(self, *, host: str, port: int, user: str, password: str, patience_s: float = 10.0) -> None:
        self._where = f"the MQTT broker at {host}:{port}"
        self._address = (host, port)
        self._patience_s = patience_s
        self._answers: list[dict[str, Any]] = []
        self._refusal = ""
        self._subscribed = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set(user, password)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        try:
            self._client.connect(*self._address)
        except OSError as error:
            raise AccountsError(f"{self._where} can't be reached: {error}") from error
        self._until(lambda: self._subscribed, "did not let the administrator in: has it the dynamic security plugin?")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop(0.1)

    def put(self, accounts: Iterable[BrokerAccount]) -> None:
        """Make the accounts, or reset those that exist to this password and these rights (who is connected is cut off)."""
        wanted = list(accounts)
        for start in range(0, len(wanted), _AT_ONCE):  # a command message must stay within the broker's packet limit
            self._command([command for account in wanted[start : start + _AT_ONCE] for command in _putting(account)])

    def remove(self, user: str) -> None:
        """Remove an account and its role; nothing happens when there is none."""
        self._command([{"command": "deleteClient", "username": user}, {"command": "deleteRole", "rolename": user}], "not found")

    def open_to_anonymous(self, rights: Rights) -> None:
        """Give these rights to whoever comes without a name, where the broker lets such clients in at all."""
        role = {"rolename": _ANONYMOUS, "acls": list(rights.acls())}
        self._command(
            [
                {"command": "createRole", **role},
                {"command": "modifyRole", **role},
                {"command": "createGroup", "groupname": _ANONYMOUS, "roles": [{"rolename": _ANONYMOUS, "priority": 0}]},
                {"command": "setAnonymousGroup", "groupname": _ANONYMOUS},
            ]
        )

    def users(self) -> list[str]:
        """Name all accounts."""
        (answer,) = self._command([{"command": "listClients"}])
        return list(answer["data"]["clients"])

    def _command(self, commands: list[dict[str, Any]], *tolerated: str) -> list[dict[str, Any]]:
        self._answers = []
        self._client.publish(_COMMANDS, json.dumps({"commands": commands}), qos=1)
        self._until(lambda: len(self._answers) >= len(commands), "does not answer: has it the dynamic security plugin?")
        for answer in self._answers:
            error = answer.get("error", "")
            if error and not error.endswith((_ALREADY, *tolerated)):
                raise AccountsError(f"{self._where} refuses {answer['command']}: {error}")
        return self._answers

    def _until(self, done: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + self._patience_s
        while not done():
            state = self._client.loop(0.2)
            if self._refusal:
                raise AccountsError(f"{self._where} refuses: {self._refusal}")
            if state is not MQTTErrorCode.MQTT_ERR_SUCCESS or time.monotonic() > deadline:
                raise AccountsError(f"{self._where} {complaint}")

    def _on_connect(self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: Properties | None) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        else:
            client.subscribe(f"{_COMMANDS}/response", qos=1)

    def _on_subscribe(self, _c: paho.Client, _data: object, _mid: int, reasons: list[ReasonCode], _more: Properties | None) -> None:
        if reasons[0].is_failure:
            self._refusal = f"the account is no administrator ({reasons[0]})"
        self._subscribed = True

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._answers += json.loads(message.payload)["responses"]


def _putting(account: BrokerAccount) -> Iterator[dict[str, Any]]:
    """Make and then change: the same four commands serve a new account and an old one."""
    role = {"rolename": account.user, "acls": list(account.rights.acls())}
    client = {"username": account.user, "password": account.password, "roles": [{"rolename": account.user, "priority": 0}]}
    yield {"command": "createRole", **role}
    yield {"command": "modifyRole", **role}
    yield {"command": "createClient", **client}
    yield {"command": "modifyClient", **client}
