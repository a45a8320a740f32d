"""What can go wrong in the API, and the one table that says which HTTP status it is.

    ApiError
    ├── InvalidRequestError      a request that is no HTTP that this API reads; `position` where known
    ├── InvalidQueryError        a path or query with wrong syntax; `position` in its text
    ├── InvalidEntityError       a body that is no entity of its set; `field` is the path in the body
    ├── UnknownEntityError       an address under which nothing is
    ├── ConflictError            a name that is taken (decisions.md 8)
    ├── PreconditionError        an entity that is not as `If-Match` says
    ├── UnauthorizedError        writing without the token
    ├── NotAllowedError          a method that this address has not
    ├── QueryTooLongError        a query above the limit
    ├── BodyTooLargeError        a body above the limit
    ├── SlowBodyError            a body that does not arrive
    ├── MediaTypeError           a body of another media type
    ├── NotSupportedError        what this installation can't do
    └── UnavailableError         a server behind this API is away or too slow

The exceptions know no HTTP. A client never sees a driver's text or a stack trace: what is not in the tables is "internal
error", and its trace goes to the log.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
import psycopg
from fastapi.exceptions import RequestValidationError
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.sensorthings.odata.errors import (
    LimitExceededError,
    MalformedQueryError,
    NotServedError,
    QueryError,
    UnknownResourceError,
)

RETRY_AFTER_S = 5


class ApiError(Exception):
    """Anything that a client is told; the message is for it."""

    def __init__(self, message: str, *, position: int | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.field = field


class InvalidRequestError(ApiError):
    """The request is no HTTP that this API reads."""


class InvalidQueryError(ApiError):
    """The path or the query has wrong syntax; `position` counts characters from 1 in the decoded text."""


class InvalidEntityError(ApiError):
    """The body is no entity of its set; `field` is the path in the body, as `Datastreams[0].unitOfMeasurement`."""


class UnknownEntityError(ApiError):
    """Nothing is at this address."""


class ConflictError(ApiError):
    """The name is taken."""


class PreconditionError(ApiError):
    """The entity changed since the client read it."""


class UnauthorizedError(ApiError):
    """The token is missing or wrong."""


class NotAllowedError(ApiError):
    """This address has not this method; `allowed` are those it has."""

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class QueryTooLongError(ApiError):
    """The query is longer than the limit."""


class BodyTooLargeError(ApiError):
    """The body is larger than the limit."""


class SlowBodyError(ApiError):
    """The body did not arrive in time."""


class MediaTypeError(ApiError):
    """The body's media type is not JSON."""


class NotSupportedError(ApiError):
    """This installation can't do what was asked."""


class UnavailableError(ApiError):
    """A server behind this API is away or too slow; the same request may work later."""


STATUS: Mapping[type[ApiError], HTTPStatus] = MappingProxyType(
    {
        InvalidRequestError: HTTPStatus.BAD_REQUEST,
        InvalidQueryError: HTTPStatus.BAD_REQUEST,
        InvalidEntityError: HTTPStatus.BAD_REQUEST,
        UnauthorizedError: HTTPStatus.UNAUTHORIZED,
        UnknownEntityError: HTTPStatus.NOT_FOUND,
        NotAllowedError: HTTPStatus.METHOD_NOT_ALLOWED,
        SlowBodyError: HTTPStatus.REQUEST_TIMEOUT,
        ConflictError: HTTPStatus.CONFLICT,
        PreconditionError: HTTPStatus.PRECONDITION_FAILED,
        BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        QueryTooLongError: HTTPStatus.REQUEST_URI_TOO_LONG,
        MediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        NotSupportedError: HTTPStatus.NOT_IMPLEMENTED,
        UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    }
)

_AWAY = "the database is away: try again later"
_SLOW = "this request takes too long: narrow it by a filter or a smaller $top"


# The first row that fits holds, so subclasses come first.
_DRIVER_ERRORS: tuple[tuple[tuple[type[Exception], ...], type[ApiError], str], ...] = (
    ((pg.QueryCanceled, pg.LockNotAvailable, TimeoutError), UnavailableError, _SLOW),
    ((pg.UniqueViolation,), ConflictError, "this name is taken"),
    ((pg.StatementTooComplex,), InvalidQueryError, "this request is too complex"),
    ((pg.DataError,), InvalidQueryError, "a value is outside of what the database can hold or compare"),
    ((pg.DeadlockDetected, pg.SerializationFailure), UnavailableError, "others were writing the same entities: try again"),
    ((PoolTimeout, PoolClosed, TooManyRequests, pg.ReadOnlySqlTransaction), UnavailableError, _AWAY),
    ((psycopg.OperationalError, psycopg.InterfaceError, ConnectionError), UnavailableError, _AWAY),
)


def translate(error: Exception) -> ApiError | None:
    """Say in the API's words what a driver's error means to a client; None: it is a bug."""
    match error:
        case ApiError():
            return error
        case MalformedQueryError():
            return InvalidQueryError(str(error), position=error.position)
        case LimitExceededError():
            return InvalidQueryError(str(error))
        case UnknownResourceError():
            return UnknownEntityError(str(error))
        case NotServedError():
            return NotSupportedError(str(error))
        case _:
            return _of_driver(error)


def _of_driver(error: Exception) -> ApiError | None:
    return next((kind(message) for drivers, kind, message in _DRIVER_ERRORS if isinstance(error, drivers)), None)


# What `translate` knows, or a part of it.
EXPECTED: tuple[type[Exception], ...] = (
    ApiError,
    QueryError,
    psycopg.Error,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
    TimeoutError,
    ConnectionError,
)


def answer_to(error: Exception) -> Response:
    """Give the response to an error of the API or of a driver; a bug is raised again."""
    told = translate(error)
    if told is None:
        raise error
    return respond(told)


def respond(error: ApiError) -> Response:
    """Give the response of an error: SensorThings' JSON with `position` or `field` where there is one."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers: dict[str, str] = {}
    match error:
        case UnauthorizedError():
            headers["WWW-Authenticate"] = 'Bearer realm="grenzregion"'
        case NotAllowedError():
            headers["Allow"] = ", ".join(error.allowed)
        case UnavailableError():
            headers["Retry-After"] = str(RETRY_AFTER_S)
        case BodyTooLargeError() | SlowBodyError():
            headers["Connection"] = "close"  # the rest of the body is not read
        case _:
            pass
    return problem(status, error.message, position=error.position, field=error.field, headers=headers)


def problem(
    status: int,
    message: str,
    *,
    position: int | None = None,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Write an error as JSON: `{"code": 400, "type": "error", "message": …, "position"?: …, "field"?: …}`."""
    body: dict[str, object] = {"code": int(status), "type": "error", "message": message}
    if position is not None:
        body["position"] = position
    if field is not None:
        body["field"] = field
    # A message may quote what a client sent, lone surrogates of a query included.
    text = message.encode("utf-8", "replace").decode()
    if text != message:
        body["message"] = text
    return Response(msgspec.json.encode(body), status_code=int(status), media_type="application/json", headers=headers)


async def on_api_error(_request: Request, error: Exception) -> Response:
    """Answer an error of the API or of a driver."""
    return answer_to(error)


async def on_http_exception(_request: Request, error: Exception) -> Response:
    """Answer what Starlette itself refuses (no such route, no such method), in the same form."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), headers=error.headers)


async def on_invalid_parameter(_request: Request, error: Exception) -> Response:
    """Answer a parameter that FastAPI refuses, naming it."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return problem(HTTPStatus.BAD_REQUEST, str(first["msg"]), field=field or None)


async def on_bug(_request: Request, _error: Exception) -> Response:
    """Answer a bug without its trace; Starlette raises it again, and the server's log shows it."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")


Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

HANDLERS: Mapping[int | type[Exception], Handler] = MappingProxyType(
    {
        **dict.fromkeys(EXPECTED, on_api_error),
        HTTPException: on_http_exception,
        RequestValidationError: on_invalid_parameter,
        Exception: on_bug,
    }
)
