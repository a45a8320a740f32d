"""Alerts over the planning API: what lasts and what was, what became of each, and who has taken note (docs/alerts.md).

Without the token public Things only, and neither who took note nor who was told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from psycopg.rows import dict_row

from api.access import Guard
from api.database import PoolGetter, statement
from api.errors import UnknownEntityError
from api.etag import etag_of, matches
from api.planning.alert_rules import RuleWords, asked_of, rules_answer
from api.planning.alert_wire import Acknowledgement, AlertRules, Alerts, State, WholeAlert
from api.planning.times import aware
from streams.contract import AlertBook, AlertRule, UnknownAlertError

Acknowledge = Callable[[int, str, str | None], Awaitable[bool]]

MOST = 1_000
LARGEST_ID = 2**53 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_ALERTS = statement(__file__, "alerts.sql")
_TRANSITIONS = statement(__file__, "alert_transitions.sql")
_DELIVERIES = statement(__file__, "alert_deliveries.sql")
_WATCHED = statement(__file__, "alert_watched.sql")

StateIs = Annotated[State | None, Query(description="absent: all but withdrawn ones")]
RuleIs = Annotated[str | None, Query(max_length=100, description="name of a rule")]
Level = Annotated[int | None, Query(ge=1, le=9, description="this level or a higher one")]
Taken = Annotated[bool | None, Query(description="only alerts that somebody has, or nobody has taken note of")]
Thing = Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="id of a Thing")]
Datastream = Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="id of a Datastream")]
Since = Annotated[datetime | None, Query(description="that lasted at or after this time, ISO 8601 with zone")]
Until = Annotated[datetime | None, Query(description="that began before this time, ISO 8601 with zone")]
Limit = Annotated[int, Query(ge=1, le=MOST)]
After = Annotated[str | None, Query(pattern=r"^-?\d{1,18}\.\d{1,16}$", description="`next` of the page before")]
Id = Annotated[int, Path(ge=1, le=LARGEST_ID, description="id of an alert")]
Language = Annotated[str | None, Header(description="of titles: de, da or en")]
Condition = Annotated[str | None, Header(description="ETag of what is known; 304 where nothing changed")]
JSON: dict[int | str, dict[str, Any]] = {304: {"description": "unchanged"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSource:
    """Where the routes take alerts and rules from, and whom they hand an acknowledgement."""

    guard: Guard
    reading: PoolGetter
    acknowledge: Acknowledge
    rules: Sequence[AlertRule]


def acknowledging(book: AlertBook, writing: PoolGetter) -> Acknowledge:
    """Give the way to acknowledge an alert through a pool of writing connections."""

    async def acknowledge(alert: int, by: str, note: str | None) -> bool:
        async with writing().connection() as connection:
            return await book.acknowledge(connection, alert, by, note)

    return acknowledge


def alerts_router(source: AlertSource) -> APIRouter:
    """Routes `/planning/v1/alerts…` and `/planning/v1/alert-rules`."""
    router = APIRouter(prefix="/planning/v1", tags=["planning"])
    words = RuleWords(source.rules)

    @router.get("/alerts", responses={200: {"model": Alerts}, **JSON}, response_class=Response)
    async def alerts(  # pyright: ignore[reportUnusedFunction] - the router keeps it
        request: Request,
        state: StateIs = None,
        rule: RuleIs = None,
        level: Level = None,
        acknowledged: Taken = None,
        thing: Thing = None,
        datastream: Datastream = None,
        since: Since = None,
        until: Until = None,
        limit: Limit = 100,
        after: After = None,
        accept_language: Language = None,
        if_none_match: Condition = None,
    ) -> Response:
        """Alerts, the newest event first; the value is in the Datastream's unit."""
        sees_all = source.guard.sees_private(request.headers)
        begins, number = _place(after)
        asked = {
            "private": sees_all, "id": None, "state": state, "rule": rule, "level": level, "acknowledged": acknowledged,
            "thing": thing, "datastream": datastream, "since": aware("since", since), "until": aware("until", until),
            "after_begins": begins, "after_id": number, "most": limit + 1,
        }  # fmt: skip
        rows = await _rows(source.reading, _ALERTS, asked)
        page, language = rows[:limit], words.language(accept_language)
        told = [words.told(row, language, sees_all=sees_all) for row in page]
        return _answer({"alerts": told, "next": _key(page[-1]) if len(rows) > limit else None}, language, if_none_match)

    @router.get("/alerts/{number}", responses={200: {"model": WholeAlert}, **JSON}, response_class=Response)
    async def alert(  # pyright: ignore[reportUnusedFunction]
        request: Request, number: Id, accept_language: Language = None, if_none_match: Condition = None
    ) -> Response:
        """One alert with all that happened to it."""
        sees_all = source.guard.sees_private(request.headers)
        language = words.language(accept_language)
        return _answer(await _whole(source, words, number, language, sees_all=sees_all), language, if_none_match)

    @router.post("/alerts/{number}/acknowledge", responses={200: {"model": WholeAlert}}, response_class=Response)
    async def acknowledge(  # pyright: ignore[reportUnusedFunction]
        request: Request, number: Id, body: Acknowledgement, accept_language: Language = None
    ) -> Response:
        """Take note of an alert; who and why are kept for good. The same again changes nothing."""
        source.guard.require_writer(request.headers)
        try:
            await source.acknowledge(number, body.by, body.note)
        except UnknownAlertError:
            raise UnknownEntityError(f"there is no alert {number}") from None
        language = words.language(accept_language)
        return _answer(await _whole(source, words, number, language, sees_all=True), language, None)

    @router.get("/alert-rules", responses={200: {"model": AlertRules}, **JSON}, response_class=Response)
    async def alert_rules(accept_language: Language = None, if_none_match: Condition = None) -> Response:  # pyright: ignore[reportUnusedFunction]
        """List the rules as they hold now, and how many public Datastreams each watches."""
        language = words.language(accept_language)
        rows = await _rows(source.reading, _WATCHED, {"rules": asked_of(source.rules)})
        watched = {row["name"]: row["n"] for row in rows}
        return _answer(rules_answer(source.rules, watched, language), language, if_none_match)

    return router


async def _whole(source: AlertSource, words: RuleWords, number: int, language: str, *, sees_all: bool) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("state", "rule", "level", "acknowledged", "thing", "datastream", "since", "until", "after_begins", "after_id")
    )
    found = await _rows(source.reading, _ALERTS, {**nothing, "private": sees_all, "id": number, "most": 1})
    if not found:
        raise UnknownEntityError(f"there is no alert {number}")
    transitions = await _rows(source.reading, _TRANSITIONS, {"alert": number})
    deliveries = await _rows(source.reading, _DELIVERIES, {"alert": number}) if sees_all else None
    return {**words.told(found[0], language, sees_all=sees_all), "transitions": transitions, "deliveries": deliveries}


async def _rows(pool: PoolGetter, sql: bytes, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with pool().connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(sql, values)).fetchall()


def _key(row: dict[str, Any]) -> str:
    return f"{(row['begins'] - EPOCH) // MICROSECOND}.{row['id']}"


def _place(after: str | None) -> tuple[datetime | None, int | None]:
    if after is None:
        return None, None
    begins, _, number = after.partition(".")
    try:
        return EPOCH + int(begins) * MICROSECOND, int(number)
    except OverflowError:
        raise HTTPException(400, "after: out of range") from None


def _answer(body: dict[str, Any], language: str, condition: str | None) -> Response:
    text = msgspec.json.encode(body)
    tag = etag_of(text)
    headers = {"cache-control": "no-cache", "etag": tag, "vary": "Accept-Language, Authorization", "content-language": language}
    if condition is not None and matches(condition, tag):
        return Response(status_code=304, headers=headers)
    return Response(text, media_type="application/json", headers=headers)
