"""Path and query string of a request → its shape and the values of its slots."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_plus

from api.sensorthings.odata.cursor import Cursor
from api.sensorthings.odata.errors import LimitExceededError, MalformedQueryError, UnknownResourceError
from api.sensorthings.odata.limits import Budget, Limits
from api.sensorthings.odata.options import OPTIONS, OptionsParser
from api.sensorthings.odata.syntax import Form, Options, Parsed, Request, Step

_SEGMENT = re.compile(r"([\w.@~-]+)(?:\((.*)\))?")
_KEY = re.compile(r"-?[0-9]{1,4000}")
_BIGINT = 2**63
_FORMS = {"$value": Form.VALUE, "$ref": Form.REFERENCE}


def parse(path: str, query: str, limits: Limits) -> Parsed:
    """Parse a path below the service root and a query string, both still percent-encoded.

    Raises `MalformedQueryError`, `LimitExceededError` and, for a path that can't name anything, `UnknownResourceError`.
    """
    if len(query) > limits.query_bytes or len(path) > limits.query_bytes:
        raise LimitExceededError(f"the query is longer than {limits.query_bytes} bytes")
    budget = Budget(limits)
    steps, form = _resource(path, budget)
    options = _options(query, budget)
    request = Request(steps=steps, path=budget.slot(_quoted(path)), form=form, options=options)
    return Parsed(request=request, values=tuple(budget.values))


def _quoted(path: str) -> str:
    return quote(unquote(path.strip("/")), safe="/()$@,;=:~")


def _resource(path: str, budget: Budget) -> tuple[tuple[Step, ...], Form]:
    segments = path.strip("/").split("/")
    form = _FORMS.get(_decoded(segments[-1], "path", plus=False).lower(), Form.WHOLE)
    if form is not Form.WHOLE:
        segments.pop()
    if not segments:
        raise UnknownResourceError(f"{path} names no entity set")
    steps: list[Step] = []
    position = 1
    for segment in segments:
        steps.append(_step(segment, position, budget))
        position += len(segment) + 1
    return tuple(steps), form


def _step(segment: str, position: int, budget: Budget) -> Step:
    budget.node()
    text = _decoded(segment, "path", plus=False)
    match = _SEGMENT.fullmatch(text)
    if match is None:
        raise MalformedQueryError("path", position, f"expected a name or a name with an id like Things(1), found {text[:60]!r}")
    name, key = match.groups()
    if key is None:
        return Step(name=name, key=None, position=position)
    if not _KEY.fullmatch(key.strip()):
        raise MalformedQueryError("path", position + len(name) + 1, f"expected an id, a whole number, found {key[:60]!r}")
    if not -_BIGINT <= int(key) < _BIGINT:
        raise UnknownResourceError(f"there is no {text}")
    return Step(name=name, key=budget.slot(str(int(key))), position=position)


def _options(query: str, budget: Budget) -> Options:
    parser = OptionsParser(budget)
    for pair in query.split("&"):
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition("=")
        name = _decoded(raw_name, "query string", plus=True).strip()
        value = _decoded(raw_value, name, plus=True)
        if name.lower() == "$skiptoken":
            parser.add_token(value)
        elif name.lower() == "as_of":
            parser.add_as_of(value)
        elif name.startswith("$"):
            cursor = Cursor(value, name)
            parser.add(name, cursor)
            cursor.expect_end("the end or an operator")
        elif f"${name.lower()}" in OPTIONS:
            raise MalformedQueryError(name, None, f"the option is called ${name.lower()}")
        # Any other name is a custom option, which a service may ignore (OData 4, 11.2.1).
    return parser.finish()


def _decoded(text: str, where: str, *, plus: bool) -> str:
    try:
        return (unquote_plus if plus else unquote)(text, errors="strict")
    except UnicodeDecodeError as error:
        raise MalformedQueryError(where, None, "the percent-encoded bytes are not UTF-8") from error
