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
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from pydantic import SecretStr

from infra.servers.server import free_port
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
               "-subj", "/CN=mail", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", "-"]  # fmt: skip
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    file.write_text(file.read_text() + made.stdout)
    return file


class Taken:
    """An SMTP server's handler and authenticator: keeps logins and mails."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(envelope.content)
        return "250 OK"

    def __call__(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: LoginPassword) -> AuthResult:
        self.logins.append((given.login, given.password))
        return AuthResult(success=self.logins[-1] == (USER.encode(), PASSWORD.encode()), handled=False)  # by this: aiosmtpd answers


@contextmanager
def mail_server(certificate: Path, security: str) -> Iterator[tuple[Taken, int]]:
    """A server that takes nothing without a login, and that only over TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    taken, port = Taken(), free_port()
    encrypted: dict[str, Any] = {"tls_context": context, "require_starttls": True}
    if security == "tls":
        encrypted = {"ssl_context": context, "auth_require_tls": False}  # aiosmtpd counts STARTTLS alone as TLS
    controller = Controller(
        taken, hostname="127.0.0.1", port=port, ready_timeout=30, authenticator=taken, auth_required=True, **encrypted
    )
    controller.start()
    try:
        yield taken, port
    finally:
        controller.stop()


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
    with mail_server(certificate, security) as (taken, port):
        assert await send(mail(port, security), composed()) is None
    assert taken.logins == [(USER.encode(), PASSWORD.encode())]
    assert len(taken.mails) == 1
    assert b"Subject: Storm surge" in taken.mails[0]


async def test_a_login_that_is_refused_is_tried_again_and_tells_no_password(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate, "starttls") as (taken, port):
        refused = await send(mail(port, "starttls", "falsch"), composed())
    assert refused == Refused(reason="answers 535: the login is refused")
    assert taken.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_whose_certificate_nobody_vouches_for_gets_neither_login_nor_mail(
    certificate: Path, security: Literal["starttls", "tls"]
) -> None:
    with mail_server(certificate, security) as (taken, port):
        refused = await send(mail(port, security), composed())
    assert refused is not None
    assert "certificate" in refused.reason.lower()
    assert not refused.final
    assert (taken.logins, taken.mails) == ([], [])
