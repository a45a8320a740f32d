"""Request bodies: JSON read strictly, since what PostgreSQL or another reader would take differently must not get in.

Refused beyond what JSON's grammar refuses: a name given twice, NaN and Infinity, numbers that overflow, lone surrogates,
NUL in a string, integers beyond 64 bits, and nesting deeper than `DEEPEST`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request

from api.errors import InvalidEntityError, InvalidRequestError, MediaTypeError, SlowBodyError

DEEPEST = 64
# An ASGI extension of requests whose body has arrived: watching the clock costs as much as reading a small one.
WHOLE = "grenzregion.whole_body"
LARGEST_INTEGER = 2**63 - 1
_LONGEST_S = 60.0
_NAME = re.compile(rb'"\s*:')
_MANY_DIGITS = b"0" * 18
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_JSON_TYPE = re.compile(r"application/(json|[\w.+-]+\+json)\s*(;|$)", re.IGNORECASE)


async def read_json(request: Request) -> Any:
    """Read a request's body as JSON; raises `ApiError`s for what is no JSON of ours."""
    media_type = request.headers.get("content-type", "application/json")
    if not _JSON_TYPE.match(media_type):
        raise MediaTypeError("the body must be JSON: Content-Type application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise MediaTypeError("a compressed body is not read: send it plain")
    try:
        if WHOLE in request.scope.get("extensions", ()):
            raw = await request.body()
        else:
            async with asyncio.timeout(_LONGEST_S):
                raw = await request.body()
    except TimeoutError:
        raise SlowBodyError(f"the body did not arrive within {_LONGEST_S:.0f} s") from None
    except ClientDisconnect:
        raise InvalidRequestError("the body ended early") from None
    return parse_json(raw)


def parse_json(raw: bytes) -> Any:
    """Parse JSON strictly; raises `InvalidEntityError` with the path in the body where it is known."""
    if not raw.strip():
        raise InvalidEntityError("the body is empty: JSON is expected")
    try:
        value = msgspec.json.decode(raw)  # the strict grammar, UTF-8 and the range of numbers
        is_suspicious = _is_suspicious(raw)
        if is_suspicious or len(_NAME.findall(raw)) != _names_of(value):
            value = json.loads(raw, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise InvalidEntityError(f"the body is not UTF-8: byte {error.start + 1}") from None
    except (RecursionError, _TooDeepError):
        raise InvalidEntityError(f"the body is nested deeper than {DEEPEST} levels") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidEntityError(f"the body is not JSON: {_plain(error)}") from None
    if is_suspicious:
        _walk(value, "", 0)
    return value


class _TooDeepError(Exception):
    pass


def _names_of(value: Any) -> int:
    """Count the names in all objects, layer by layer; raises `_TooDeepError`.

    A body with as many names as it seems to have gives none twice. A string that looks like a name is counted too many: then
    the slower reader decides.
    """
    names, depth = 0, 0
    layer: list[Any] = [value] if isinstance(value, dict | list) else []
    while layer:
        depth += 1
        if depth > DEEPEST:
            raise _TooDeepError
        inner: list[Any] = []
        for item in layer:
            values: Iterable[Any] = item
            if type(item) is dict:  # pyright: ignore[reportUnknownArgumentType] -- JSON
                names += len(item)  # pyright: ignore[reportUnknownArgumentType]
                values = item.values()  # pyright: ignore[reportUnknownVariableType]
            inner += [value for value in values if type(value) is dict or type(value) is list]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        layer = inner
    return names


def _plain(error: Exception) -> str:
    if "truncated" in str(error):
        return "it ends early, or a string has half a surrogate pair"
    return str(error).removeprefix("JSON is malformed: ")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidEntityError(f"the name {twice!r} is given twice", field=twice)
    return found


def _is_suspicious(raw: bytes) -> bool:
    """Tell cheaply whether a body could break a limit, so that ordinary ones are not walked."""
    # A search for eighteen of any digit would look again at each digit of every time.
    return b"\\u0000" in raw or _MANY_DIGITS in raw.translate(_DIGITS_AS_ZERO)


def _walk(value: Any, path: str, depth: int) -> None:
    if depth >= DEEPEST and isinstance(value, dict | list):
        raise InvalidEntityError(f"the body is nested deeper than {DEEPEST} levels")
    if isinstance(value, str) and "\0" in value:
        raise InvalidEntityError("a string holds NUL", field=path or None)
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise InvalidEntityError("an integer is beyond 64 bits", field=path or None)
    if isinstance(value, list):
        for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- JSON
            _walk(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():  # pyright: ignore[reportUnknownVariableType] -- JSON
            if "\0" in name:
                raise InvalidEntityError("a name holds NUL", field=path or None)
            _walk(item, f"{path}.{name}" if path else f"{name}", depth + 1)
