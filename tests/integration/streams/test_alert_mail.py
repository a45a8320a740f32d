"""Mails of alerts to a server that wants encryption and a login."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from mail_server import Letters, mail_server
from pydantic import SecretStr

from streams.alerts.delivery import Refused
from streams.alerts.mail import send
from streams.alerts.sinks import Mail

# aiosmtpd does not see that the connection itself is encrypted.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

USER, PASSWORD = "region", "geheim"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that 127.0.0.1 signs for itself, with its key."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
               "-subj", "/CN=mail", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(file)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return file


class Doorman:
    """Lets one user in, and keeps who tried."""

    def __init__(self) -> None:
        self.logins: list[tuple[bytes, bytes]] = []

    def __call__(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: LoginPassword) -> AuthResult:
        self.logins.append((given.login, given.password))
        return AuthResult(success=self.logins[-1] == (USER.encode(), PASSWORD.encode()), handled=False)  # by this: aiosmtpd answers


@contextmanager
def closed_server(certificate: Path, security: str) -> Iterator[tuple[Letters, Doorman, int]]:
    """A server that takes nothing without a login, and that only over TLS."""
    context, doorman = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), Doorman()
    context.load_cert_chain(certificate)
    encrypted: dict[str, Any] = {"tls_context": context, "require_starttls": True}
    if security == "tls":
        encrypted = {"ssl_context": context, "auth_require_tls": False}  # aiosmtpd counts STARTTLS alone as TLS
    with mail_server(authenticator=doorman, auth_required=True, **encrypted) as (letters, port):
        yield letters, doorman, port


def mail(port: int, security: Literal["starttls", "tls"], password: str = PASSWORD) -> Mail:
    return Mail(
        server="127.0.0.1", port=port, security=security, user=USER, password=SecretStr(password), sender="region@example.org",
        to=("a@example.org",), timeout_s=30,
    )  # fmt: skip


def composed() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "region@example.org", "a@example.org", "Storm surge"
    message.set_content("2.1 m above mean water")
    return message


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_mail_goes_encrypted_and_behind_a_login(
    certificate: Path, security: Literal["starttls", "tls"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with closed_server(certificate, security) as (letters, doorman, port):
        assert await send(mail(port, security), composed()) is None
    assert doorman.logins == [(USER.encode(), PASSWORD.encode())]
    assert [(readers, taken["Subject"]) for readers, taken in letters.taken] == [(["a@example.org"], "Storm surge")]


async def test_a_login_that_is_refused_is_tried_again_and_tells_no_password(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with closed_server(certificate, "starttls") as (letters, doorman, port):
        refused = await send(mail(port, "starttls", "falsch"), composed())
    assert refused == Refused(reason="answers 535: the login is refused")
    assert (USER.encode(), b"falsch") in doorman.logins
    assert letters.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_whose_certificate_nobody_vouches_for_gets_neither_login_nor_mail(
    certificate: Path, security: Literal["starttls", "tls"]
) -> None:
    with closed_server(certificate, security) as (letters, doorman, port):
        refused = await send(mail(port, security), composed())
    assert refused is not None
    assert "certificate" in refused.reason.lower()
    assert not refused.final
    assert (doorman.logins, letters.taken) == ([], [])
