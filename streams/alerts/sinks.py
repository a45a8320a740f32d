"""Who outside is told of alerts: the named webhooks and mails of the file `GRENZREGION_ALERT_SINKS`.

The store writes a row of `alert_outbox` for each sink that `Sinks.wanting` names; `streams.alerts.sending` delivers it.
"""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from infra.settings import WorkerSettings

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
LONGEST_TIMEOUT_S = 60.0
SECRET_PREFIX = "whsec_"  # noqa: S105 -- how a secret begins, after Standard Webhooks 1.0
SHORTEST_KEY, LONGEST_KEY = 24, 64

Language = Literal["de", "da", "en"]
Name = Annotated[str, Field(pattern=NAME)]


class SinksError(ValueError):
    """The file of sinks can't be read; the message names the place and no value, for values may be secrets."""


def _address(text: str) -> str:
    name, at, host = text.rpartition("@")
    if not (name and at and host) or any(c in text for c in "\r\n,;<> \t") or not (text.isascii() and text.isprintable()):
        raise ValueError("no mail address")
    return text


def _host(text: str) -> str:
    if not text or not text.isprintable() or any(c in text for c in "/@ \t"):
        raise ValueError("no host name")
    return text


Address = Annotated[str, AfterValidator(_address)]


class Sink(BaseModel):
    """What webhooks and mails have in common: which alerts they want, and how long to wait for them."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    rules: tuple[str, ...] = Field(default=("*",), description="names of rules, `*` and `?` stand for others")
    level: int = Field(default=1, ge=1, le=100, description="lowest level: an alert is told from its reaching it to its end")
    tenants: tuple[str, ...] = Field(default=("*",), description="tenants of the Things, as `rules`")
    timeout_s: float = Field(default=10.0, gt=0, le=LONGEST_TIMEOUT_S, description="longest time of one attempt")

    def wants(self, *, rule: str, highest: int, tenant: str) -> bool:
        """Tell whether it is told of a transition; `highest` is the highest level of the alert in any transition so far.

        Who was told that an alert began hears of its end too, for `highest` never falls.
        """
        return (
            highest >= self.level
            and any(fnmatchcase(rule, pattern) for pattern in self.rules)
            and any(fnmatchcase(tenant, pattern) for pattern in self.tenants)
        )


class Webhook(Sink):
    """An address that takes alerts as JSON by POST. The address itself may hold a secret."""

    url: SecretStr
    secret: SecretStr | None = Field(default=None, description="`whsec_` and the signature's key in Base64; none: no signature")

    @property
    def key(self) -> bytes:
        """The signature's key; empty where there is none, or none in the form of Standard Webhooks."""
        kept = self.secret.get_secret_value() if self.secret else ""
        try:
            return base64.b64decode(kept.removeprefix(SECRET_PREFIX), validate=True) if kept.startswith(SECRET_PREFIX) else b""
        except ValueError:
            return b""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.secret is not None and not SHORTEST_KEY <= len(self.key) <= LONGEST_KEY:
            raise ValueError(f"secret: not {SECRET_PREFIX} and {SHORTEST_KEY} to {LONGEST_KEY} bytes in Base64")
        try:
            parts = urlsplit(self.url.get_secret_value())
            fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        if not fits:
            raise ValueError("url: neither http:// nor https:// with a host")
        return self


class Mail(Sink):
    """A mail server and whom it shall write to."""

    server: Annotated[str, AfterValidator(_host)]
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="none sends in the clear, without a login")
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: Address
    to: tuple[Address, ...] = Field(min_length=1, max_length=50)
    languages: tuple[Language, ...] = Field(default=("en",), min_length=1, description="of the text, one below the other")
    page: str = Field(default="", pattern=r"^(https?://\S+)?$", description="URL of the page, for a link to the station")

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if self.user and self.security == "none":
            raise ValueError("user: a password is not sent in the clear; use starttls or tls")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    webhook: dict[Name, Webhook] = Field(default_factory=dict)
    mail: dict[Name, Mail] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    """All named sinks, by the name that `alert_outbox.sink` has: `webhook:NAME` and `mail:NAME`."""

    webhooks: dict[str, Webhook] = field(default_factory=dict[str, Webhook])
    mails: dict[str, Mail] = field(default_factory=dict[str, Mail])

    def __iter__(self) -> Iterator[tuple[str, Sink]]:
        """Give each with its name."""
        yield from self.webhooks.items()
        yield from self.mails.items()

    def wanting(self, *, rule: str, highest: int, tenant: str) -> list[str]:
        """Name the sinks that are told of a transition, see `Sink.wants`."""
        return [name for name, sink in self if sink.wants(rule=rule, highest=highest, tenant=tenant)]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of sinks; raises `SinksError`."""
        try:
            whole = _File.model_validate(tomllib.loads(path.read_text()))
        except (OSError, UnicodeDecodeError) as error:
            raise SinksError(f"{path}: can't be read ({type(error).__name__})") from None
        except tomllib.TOMLDecodeError as error:
            raise SinksError(f"{path}: no TOML: {error}") from None
        except ValidationError as error:
            raise SinksError(f"{path}: {_told(error)}") from None
        return cls(
            webhooks={f"webhook:{name}": each for name, each in whole.webhook.items()},
            mails={f"mail:{name}": each for name, each in whole.mail.items()},
        )


def sinks_of(settings: WorkerSettings) -> Sinks:
    """Give the sinks that the settings name; raises `SinksError`."""
    return Sinks.read(Path(settings.alert_sinks)) if settings.alert_sinks else Sinks()


def _told(error: ValidationError) -> str:
    """Say what is wrong and where, without the values."""
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'file'}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    )
