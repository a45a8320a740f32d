from __future__ import annotations

import json

import psycopg
import pytest
from psycopg import errors as pg
from psycopg_pool import PoolTimeout

from api import errors
from api.sensorthings.odata.errors import LimitExceededError, MalformedQueryError, NotServedError, UnknownResourceError


def answer(error: Exception) -> tuple[int, dict[str, object], dict[str, str]]:
    told = errors.translate(error)
    assert told is not None
    response = errors.respond(told)
    return response.status_code, json.loads(bytes(response.body)), dict(response.headers)


def kinds(base: type[errors.ApiError]) -> list[type[errors.ApiError]]:
    return [k for c in base.__subclasses__() for k in (c, *kinds(c))]


def test_every_error_has_its_status() -> None:
    assert set(kinds(errors.ApiError)) == set(errors.STATUS)


def test_every_error_stands_in_the_tree_of_the_docstring() -> None:
    assert errors.__doc__ is not None
    for kind in errors.STATUS:
        assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (pg.QueryCanceled("canceling statement due to statement timeout"), 503),
        (pg.LockNotAvailable("secret"), 503),
        (pg.UniqueViolation("secret"), 409),
        (pg.NumericValueOutOfRange("secret"), 400),
        (pg.DivisionByZero("secret"), 400),
        (pg.StatementTooComplex("secret"), 400),
        (pg.DeadlockDetected("secret"), 503),
        (PoolTimeout("secret"), 503),
        (psycopg.OperationalError("secret"), 503),
        (psycopg.InterfaceError("secret"), 503),
        (ConnectionResetError("secret"), 503),
        (TimeoutError("secret"), 503),
        (MalformedQueryError("$filter", 4, "no such function"), 400),
        (LimitExceededError("too deep"), 400),
        (UnknownResourceError("no Things(5)"), 404),
        (NotServedError("no PostGIS"), 501),
    ],
)
def test_each_error_is_answered_without_the_drivers_words(error: Exception, status: int) -> None:
    code, body, headers = answer(error)
    assert (code, body["code"], body["type"]) == (status, status, "error")
    assert "secret" not in json.dumps(body)
    assert ("retry-after" in headers) == (status == 503)


def test_a_bug_is_not_translated() -> None:
    assert errors.translate(KeyError("x")) is None
    assert errors.translate(pg.UndefinedTable("x")) is None


def test_position_and_field_are_told_where_known() -> None:
    assert answer(errors.InvalidQueryError("bad", position=7))[1]["position"] == 7
    assert answer(errors.InvalidEntityError("bad", field="Datastreams[0].name"))[1]["field"] == "Datastreams[0].name"
    assert set(answer(errors.InvalidEntityError("bad"))[1]) == {"code", "type", "message"}
    assert answer(MalformedQueryError("$filter", 4, "no such function"))[1]["position"] == 4


def test_headers_that_http_wants() -> None:
    assert answer(errors.UnauthorizedError("no"))[2]["www-authenticate"].startswith("Bearer")
    assert answer(errors.NotAllowedError("no", allowed=("GET", "POST")))[2]["allow"] == "GET, POST"
    assert answer(errors.BodyTooLargeError("no"))[2]["connection"] == "close"


def test_a_message_with_a_lone_surrogate_can_be_sent() -> None:
    assert answer(errors.InvalidQueryError("no \ud800"))[1]["message"] == "no ?"
