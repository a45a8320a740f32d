"""Alerts to a webhook: one POST of the message as JSON, signed after Standard Webhooks 1.0 where there is a secret.

An address may hold a secret, so it stands in no error and in no log.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx

from streams.alerts.delivery import Refused, rest_of
from streams.alerts.sinks import Webhook

# Another try may end otherwise, RFC 9110 and 6585; all other answers from 300 to 499 are about the address or the message.
PASSING = frozenset({408, 425, 429})
FIRST_OF_SERVER = 500


@asynccontextmanager
async def open_client() -> AsyncGenerator[httpx.AsyncClient]:
    """Give a client that follows no redirect: where alerts go, the settings say."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole addresses
    async with httpx.AsyncClient(follow_redirects=False, headers={"user-agent": "grenzregion-alerts"}) as client:
        yield client


async def post(client: httpx.AsyncClient, webhook: Webhook, key: str, body: bytes) -> Refused | None:
    """Send one message; None: taken (2xx). `key` is the same for each try of the same transition."""
    now = datetime.now(UTC)
    headers = {"content-type": "application/json", "idempotency-key": key, **signature(webhook, key, now, body)}
    url = webhook.url.get_secret_value()
    try:
        async with (
            asyncio.timeout(webhook.timeout_s),
            client.stream("POST", url, content=body, headers=headers, timeout=webhook.timeout_s) as answer,
        ):
            return judged(answer.status_code, answer.headers.get("retry-after"), now)  # its body is nobody's business
    except (TimeoutError, httpx.TimeoutException):
        return Refused(reason=f"no answer within {webhook.timeout_s:g} s")
    except httpx.InvalidURL:
        return Refused(reason="the url can't be used", final=True)
    except httpx.TransportError as error:
        return Refused(reason=f"{type(error).__name__}: {str(error).replace(url, '…')}")


def judged(status: int, retry_after: str | None, now: datetime) -> Refused | None:
    """Say what a status means: 2xx taken, 408, 425, 429 and from 500 on later, all else never."""
    if 200 <= status < 300:  # noqa: PLR2004
        return None
    if status in PASSING or status >= FIRST_OF_SERVER:
        return Refused(reason=f"answers {status}", rest_s=rest_of(retry_after, now))
    if 300 <= status < 400:  # noqa: PLR2004
        return Refused(reason=f"answers {status}: a redirect, which is not followed", final=True)
    return Refused(reason=f"answers {status}", final=True)


def signature(webhook: Webhook, key: str, now: datetime, body: bytes) -> dict[str, str]:
    """Give the headers of Standard Webhooks: the signature covers id, time and body, so that nobody can repeat it much later."""
    stamp = str(int(now.timestamp()))
    headers = {"webhook-id": key, "webhook-timestamp": stamp}
    if webhook.secret is not None:
        signed = b".".join((key.encode(), stamp.encode(), body))
        digest = hmac.digest(webhook.key, signed, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
