"""An SMTP server for the tests of mails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from infra.servers.server import free_port


class Letters:  # its methods' names are aiosmtpd's
    """The server's handler: refuses readers as told, keeps what it took."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.refusals: dict[str, str] = {}

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
        return "250 OK"


@contextmanager
def mail_server(**options: Any) -> Iterator[tuple[Letters, int]]:
    """Serve on a free port of loopback; `options` are those of aiosmtpd's controller."""
    letters, port = Letters(), free_port()
    controller = Controller(letters, hostname="127.0.0.1", port=port, ready_timeout=30, **options)
    controller.start()
    try:
        yield letters, port
    finally:
        controller.stop()
