"""Dead letters over HTTP: look, replay, drop (docs/dead-letters.md)."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request

from api.access import Guard
from api.errors import ConflictError, InvalidQueryError, UnknownEntityError
from streams.contract import Kept, LetterBox, LetterFilter, UnexpectedCountError

OpenBox = Callable[[], Awaitable[LetterBox]]

PATH = "/operations/v1/dead-letters"
MOST_LISTED, MOST_REPLAYED, MOST_TOLD = 1_000, 1_000, 100
LARGEST_ID = 2**63 - 1

Device = Annotated[str | None, Query(description="TENANT/DEVICE", pattern=r"^[^/]+/[^/]+$")]
Reason = Annotated[str | None, Query(description="a code of docs/dead-letters.md")]
Since = Annotated[datetime | None, Query(description="received at or after this time, ISO 8601 with zone")]
Until = Annotated[datetime | None, Query(description="received before this time")]
Number = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Who = Annotated[str, Query(max_length=100, description="who decides this; kept for good")]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
Behind = Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="letters older than this one")]
Confirm = Annotated[int, Query(ge=0, le=LARGEST_ID, description="how many letters this will drop; another number drops none")]


def _which(device: Device = None, reason: Reason = None, since: Since = None, until: Until = None) -> LetterFilter:
    tenant, _, name = (device or "").partition("/")
    return LetterFilter(
        tenant=tenant or None, device=name or None, reason=reason, since=_aware("since", since), until=_aware("until", until)
    )


Which = Annotated[LetterFilter, Depends(_which)]


def letters_router(guard: Guard, box: OpenBox) -> APIRouter:
    """Routes below `/operations/v1/dead-letters`; each wants the writer's token."""

    def writer(request: Request) -> None:
        guard.require_writer(request.headers)

    router = APIRouter(prefix=PATH, tags=["operations"], dependencies=[Depends(writer)])

    @router.get("")
    async def find(request: Request, which: Which, limit: Limit = 50, before: Behind = None) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - the router keeps it
        """Dead letters, newest first; `next` goes on behind the last."""
        rows = await (await box()).find(which, limit, before)
        return {"letters": [_told(row) for row in rows], "next": _next(request, rows[-1]["id"]) if len(rows) == limit else None}

    @router.get("/{number}")
    async def read(number: Number) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """One letter with its original bytes, in Base64 and, where they are UTF-8, as text."""
        letter = await (await box()).read(number)
        if letter is None:
            raise UnknownEntityError(f"there is no dead letter {number}")
        return whole(letter)

    @router.post("/replay")
    async def replay(which: Which, after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """Take letters in again, oldest first, at most 1,000; `next_after` says behind which letter to go on."""
        return await _replay(box, which, after)

    @router.post("/{number}/replay")
    async def replay_one(number: Number) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """Take one letter in again."""
        if await (await box()).read(number) is None:
            raise UnknownEntityError(f"there is no dead letter {number}")
        return await _replay(box, LetterFilter(ids=(number,)), 0)

    @router.delete("")
    async def drop(which: Which, confirm: Confirm, who: Who = "api") -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """Drop letters for good; `confirm` is their number."""
        return await _drop(box, which, who, confirm)

    @router.delete("/{number}")
    async def drop_one(number: Number, confirm: Confirm, who: Who = "api") -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """Drop one letter for good; `confirm` is 1."""
        return await _drop(box, LetterFilter(ids=(number,)), who, confirm)

    return router


async def _replay(box: OpenBox, which: LetterFilter, after: int) -> dict[str, Any]:
    outcome, go_on = await (await box()).replay(which, after=after, most=MOST_REPLAYED)
    return {
        "stored": outcome.stored,
        "letters": outcome.letters,
        "left": len(outcome.left),
        "next_after": go_on,
        "examples": [msgspec.to_builtins(each) for each in outcome.left[:MOST_TOLD]],
    }


async def _drop(box: OpenBox, which: LetterFilter, who: str, confirm: int) -> dict[str, Any]:
    try:
        return {"dropped": await (await box()).drop(which, who, confirm)}
    except UnexpectedCountError as error:
        raise ConflictError(f"{error}: confirm={error.found} drops them") from error


def whole(letter: Kept) -> dict[str, Any]:
    """Give all that is kept of a letter, as JSON can hold it."""
    told = _told({name: getattr(letter, name) for name in LISTED})
    told["refused"] = [
        {"index": index, "reason": reason, "detail": detail} for index, reason, detail in letter.refused or ()
    ] or None
    told["payload_base64"] = base64.b64encode(letter.payload).decode()
    try:
        told["payload_text"] = letter.payload.decode()
    except UnicodeDecodeError:
        told["payload_text"] = None
    return told


LISTED = ("id", "received", "topic", "tenant", "device", "epoch", "seq", "reason", "detail", "readings", "size")


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name].isoformat() if name == "received" else row[name] for name in LISTED}


def _next(request: Request, last: int) -> str:
    asked = {name: value for name, value in request.query_params.items() if name != "before"}
    return f"{PATH}?{urlencode({**asked, 'before': last})}"


def _aware(name: str, time: datetime | None) -> datetime | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise InvalidQueryError(f"{name}: a time without zone; append Z or an offset")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidQueryError(f"{name}: out of range") from None
