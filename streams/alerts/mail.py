"""Alerts to a mail server. A password stands in no error and in no log."""

from __future__ import annotations

import asyncio
import logging
from email.message import EmailMessage

import aiosmtplib

from streams.alerts.delivery import Refused
from streams.alerts.sinks import Mail

log = logging.getLogger(__name__)

PERMANENT = 500  # RFC 5321, 4.2.1: from here on the same message will fail again


async def send(mail: Mail, composed: EmailMessage) -> Refused | None:
    """Send one mail; None: the server took it for at least one of the readers."""
    try:
        async with asyncio.timeout(mail.timeout_s):
            refused, _ = await aiosmtplib.send(
                composed,
                sender=mail.sender,
                recipients=list(mail.to),
                hostname=mail.server,
                port=mail.port,
                username=mail.user or None,
                password=mail.password.get_secret_value() if mail.user else None,
                use_tls=mail.security == "tls",
                start_tls=mail.security == "starttls",
                timeout=mail.timeout_s,
            )
    except TimeoutError:
        return Refused(reason=f"no answer within {mail.timeout_s:g} s")
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = sorted({each.code for each in error.recipients})
        return Refused(reason=f"answers {codes[0]}: no reader is accepted", final=codes[0] >= PERMANENT)
    except aiosmtplib.SMTPAuthenticationError as error:  # mended in the settings or at the server, not by another message
        return Refused(reason=f"answers {error.code}: the login is refused")
    except aiosmtplib.SMTPResponseException as error:
        return Refused(reason=f"answers {error.code}: {_told(mail, error.message)}", final=error.code >= PERMANENT)
    except (aiosmtplib.SMTPException, OSError) as error:
        return Refused(reason=_told(mail, f"{type(error).__name__}: {error}"))
    if refused:
        log.warning("a mail of alerts was not taken for %d of %d readers", len(refused), len(mail.to))
    return None


def _told(mail: Mail, text: str) -> str:
    secret = mail.password.get_secret_value()
    return " ".join((text.replace(secret, "…") if secret else text).split())
