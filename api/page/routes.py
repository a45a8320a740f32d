"""The page at `/`: plain files, one folder, nothing from outside.

Every address in the page is relative, so that a reverse proxy may put it below a prefix.
"""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"

# MapLibre draws its symbols from data: and blob: images; all else comes from here, and nothing is inline.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
REVALIDATE = "no-cache"  # the ETag makes that a 304
FOR_EVER = "public, max-age=31536000, immutable"  # a vendored folder's name carries its version


class PageFiles(StaticFiles):
    """Static files with the page's headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with ETag, caching and the page's security headers."""
        caching = FOR_EVER if "/vendor/" in scope["path"] else REVALIDATE

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({**HEADERS, "cache-control": caching})
            await send(message)

        await super().__call__(scope, receive, sending)


async def page(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
    """Answer with the page itself, one for all languages."""
    return FileResponse(STATIC / "index.html", headers={**HEADERS, "cache-control": REVALIDATE})


def page_routes() -> list[BaseRoute]:
    """Routes for `/` and `/static/…`, to be put into the application's routes."""
    return [Route("/", page, methods=["GET"]), Mount("/static", PageFiles(directory=STATIC), name="static")]
