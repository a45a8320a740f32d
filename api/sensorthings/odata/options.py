"""Query options, at the top of a request and nested in `$expand`."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from api.sensorthings.odata.applying import ApplyParser
from api.sensorthings.odata.cursor import Cursor
from api.sensorthings.odata.errors import LimitExceededError, MalformedQueryError
from api.sensorthings.odata.expressions import ExpressionParser
from api.sensorthings.odata.lexer import TokenKind
from api.sensorthings.odata.limits import Budget
from api.sensorthings.odata.literals import value_of
from api.sensorthings.odata.syntax import Expand, Options, OrderItem, Parsed, Path, ResultFormat

OPTIONS = ("$filter", "$orderby", "$select", "$expand", "$top", "$skip", "$count", "$resultformat", "$skiptoken", "$apply")
_LARGEST_SKIP = 2**53


@dataclass(slots=True)
class _Draft:
    """Options under construction: what was given, by lower-case name, and its text for links."""

    given: dict[str, Any] = field(default_factory=dict[str, Any])
    link: list[str] = field(default_factory=list[str])
    texts: dict[str, str] = field(default_factory=dict[str, str])  # as they were given


class OptionsParser:
    """Reads options of one level; `depth` counts the expansions around it."""

    def __init__(self, budget: Budget, depth: int = 0) -> None:
        self._budget = budget
        self._depth = depth
        self._draft = _Draft()
        self._readers: dict[str, Callable[[Cursor], Any]] = {
            "$filter": lambda cursor: ExpressionParser(cursor, budget).expression(),
            "$orderby": self._orderby,
            "$select": self._select,
            "$expand": self._expand,
            "$top": self._top,
            "$skip": lambda cursor: budget.slot(str(_integer(cursor, _LARGEST_SKIP, "$skip"))),
            "$count": _boolean,
        }
        if depth == 0:
            self._readers["$resultformat"] = _format
            self._readers["$apply"] = lambda cursor: ApplyParser(cursor, budget).apply()

    def add(self, name: str, cursor: Cursor) -> None:
        """Read the value of one option up to `;`, `)` or the end."""
        option = name.lower()
        if option in self._draft.given:
            # pygeoapi appends its $expand to links that have it already.
            if option == "$expand" and self._draft.texts.get(option) == cursor.text and self._depth == 0:
                while cursor.token.kind is not TokenKind.END:
                    cursor.take()
                return
            raise MalformedQueryError(name, None, "given twice")
        if option not in self._readers:
            raise MalformedQueryError(name, None, f"unknown option here; there are {', '.join(self._readers)}")
        start = cursor.token.start
        self._draft.texts[option] = cursor.text
        self._draft.given[option] = self._readers[option](cursor)
        if option != "$skip":
            self._draft.link.append(f"{option}={quote(cursor.text[start : cursor.consumed], safe=_PLAIN)}")

    def add_token(self, text: str) -> None:
        """Read the place where a page goes on, as a link gave it."""
        if "$skiptoken" in self._draft.given:
            raise MalformedQueryError("$skiptoken", None, "given twice")
        slots = tuple(None if key is None else self._budget.slot(key) for key in _decoded(text))
        self._draft.given["$skiptoken"] = slots

    def add_as_of(self, text: str) -> None:
        """Read the instant whose knowledge is asked for."""
        if "as_of" in self._draft.given:
            raise MalformedQueryError("as_of", None, "given twice")
        cursor = Cursor(text, "as_of")
        if cursor.token.kind not in (TokenKind.TIME, TokenKind.DATE):
            raise cursor.unexpected("a time such as 2026-01-01T00:00:00Z")
        token = cursor.take()
        cursor.expect_end("the end")
        _, (instant,) = value_of(token, "as_of")
        self._draft.given["as_of"] = self._budget.slot(instant)
        self._draft.link.append(f"as_of={quote(instant, safe=_PLAIN)}")

    def finish(self) -> Options:
        """Give the options that were read."""
        given = self._draft.given
        link = "".join(part + "&" for part in self._draft.link)
        return Options(
            filter=given.get("$filter"),
            orderby=given.get("$orderby", ()),
            select=given.get("$select", ()),
            distinct=given.get("distinct", False),
            expand=given.get("$expand", ()),
            top=given.get("$top"),
            skip=given.get("$skip"),
            count=given.get("$count", False),
            after=given.get("$skiptoken"),
            link=self._budget.slot(link),
            format=given.get("$resultformat"),
            apply=given.get("$apply"),
            as_of=given.get("as_of"),
        )

    def _orderby(self, cursor: Cursor) -> tuple[OrderItem, ...]:
        items = [self._order_item(cursor)]
        while cursor.accept(","):
            items.append(self._order_item(cursor))
        return tuple(items)

    def _order_item(self, cursor: Cursor) -> OrderItem:
        expression = ExpressionParser(cursor, self._budget).expression()
        word = cursor.word()
        if word in ("asc", "desc"):
            cursor.take()
        return OrderItem(expression=expression, descending=word == "desc")

    def _select(self, cursor: Cursor) -> tuple[Path, ...]:
        if self._depth == 0 and cursor.word() == "distinct" and cursor.following.text == ":":
            cursor.take()
            cursor.take()
            self._draft.given["distinct"] = True
        items = [self._name(cursor)]
        while cursor.accept(","):
            items.append(self._name(cursor))
        return tuple(items)

    def _name(self, cursor: Cursor) -> Path:
        if cursor.token.kind is not TokenKind.NAME:
            raise cursor.unexpected("a property's name")
        self._budget.node()
        position = cursor.position
        return Path(segments=tuple(cursor.take().text.split("/")), position=position)

    def _expand(self, cursor: Cursor) -> tuple[Expand, ...]:
        items: tuple[Expand, ...] = (self._expand_item(cursor),)
        while cursor.accept(","):
            items = merged(items, self._expand_item(cursor), cursor.where, self._budget)
        return items

    def _expand_item(self, cursor: Cursor) -> Expand:
        path = self._name(cursor)
        depth = self._depth + len(path.segments)
        if depth > self._budget.limits.expand_depth:
            raise LimitExceededError(f"$expand is nested deeper than {self._budget.limits.expand_depth}")
        nested = OptionsParser(self._budget, depth)
        if cursor.accept("("):
            nested._list(cursor)
            cursor.expect(")", "at the end of the options of " + "/".join(path.segments))
        options = nested.finish()
        *outer, last = path.segments
        item = Expand(name=last, options=options, position=path.position)
        for name in reversed(outer):
            link = self._budget.slot(_expand_link(item, self._budget))
            item = Expand(name=name, options=Options(expand=(item,), link=link), position=path.position)
        return item

    def _list(self, cursor: Cursor) -> None:
        while cursor.token.kind is TokenKind.OPTION:
            name = cursor.take().text
            cursor.expect("=", f"after {name}")
            self.add(name, cursor)
            if not cursor.accept(";"):
                return
        if not cursor.sees(")"):
            raise cursor.unexpected("an option such as $top")

    def _top(self, cursor: Cursor) -> int:
        position = cursor.position
        top = _integer(cursor, None, "$top")
        if top > self._budget.limits.top_max:
            raise LimitExceededError(
                f"$top, character {position}: at most {self._budget.limits.top_max}; follow the nextLink for more"
            )
        return top


_PLAIN = "$(),;=:/'@*-._~"


def merged(items: tuple[Expand, ...], new: Expand, where: str, budget: Budget) -> tuple[Expand, ...]:
    """Add an item; `A/B,A/C` is one A with both, and `A($top=1),A/B` one with the options of the first."""
    for index, item in enumerate(items):
        if item.name.lower() != new.name.lower():
            continue
        own, path = (item.options, new.options) if _leads_on(new.options) else (new.options, item.options)
        if not _leads_on(path):
            raise MalformedQueryError(where, new.position, f"{new.name} is expanded twice")
        inner = item.options.expand
        for child in new.options.expand:
            inner = merged(inner, child, where, budget)
        both = replace(own, expand=inner, link=budget.slot(_joined(own, item.options, new.options, budget)))
        return (*items[:index], replace(item, options=both), *items[index + 1 :])
    return (*items, new)


def _leads_on(options: Options) -> bool:
    """Whether nothing is asked of the item itself: it is on the path to another one."""
    return bool(options.expand) and options == Options(expand=options.expand, link=options.link)


def _joined(own: Options, first: Options, second: Options, budget: Budget) -> str:
    texts = {id(o): budget.values[o.link].split("&") if o.link is not None else [] for o in (own, first, second)}
    mark = "$expand="
    others = [part + "&" for part in texts[id(own)] if part and not part.startswith(mark)]
    inner = [part.removeprefix(mark) for o in (first, second) for part in texts[id(o)] if part.startswith(mark)]
    return f"{''.join(others)}{mark}{','.join(inner)}&"


def _expand_link(item: Expand, budget: Budget) -> str:
    inner = budget.values[item.options.link] if item.options.link is not None else ""
    options = inner.rstrip("&").replace("&", ";")
    return f"$expand={item.name}({options})&" if options else f"$expand={item.name}&"


def _integer(cursor: Cursor, largest: int | None, name: str) -> int:
    token = cursor.token
    if token.kind is not TokenKind.NUMBER or not token.text.isascii() or not token.text.isdigit():
        raise cursor.unexpected("a whole number from 0")
    value = int(token.text[:20])
    if largest is not None and value > largest:
        raise MalformedQueryError(name, cursor.position, f"at most {largest}")
    cursor.take()
    return value


def _format(cursor: Cursor) -> ResultFormat | None:
    named = {found.value.lower(): found for found in ResultFormat}
    word = cursor.word()
    if word not in named and word != "json":
        raise cursor.unexpected("JSON, dataArray, CSV or GeoJSON")
    cursor.take()
    return named.get(word)


def _boolean(cursor: Cursor) -> bool:
    word = cursor.word()
    if word not in ("true", "false"):
        raise cursor.unexpected("true or false")
    cursor.take()
    return word == "true"


def continued(parsed: Parsed, token: str) -> Parsed:
    """Give the same request, but from the place that a token tells."""
    slots: list[int | None] = []
    values = list(parsed.values)
    for key in _decoded(token):
        slots.append(None if key is None else len(values))
        values.extend(() if key is None else (key,))
    options = replace(parsed.request.options, skip=None, after=tuple(slots))
    return Parsed(request=replace(parsed.request, options=options), values=tuple(values))


def _decoded(text: str) -> list[str | None]:
    try:
        keys: Any = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise MalformedQueryError("$skiptoken", None, "no link of this server holds this") from error
    if not isinstance(keys, list) or not keys:
        raise MalformedQueryError("$skiptoken", None, "no link of this server holds this")
    checked: list[str | None] = []
    for key in keys:  # pyright: ignore[reportUnknownVariableType] - JSON
        if not (key is None or (isinstance(key, str) and "\0" not in key)):
            raise MalformedQueryError("$skiptoken", None, "no link of this server holds this")
        checked.append(key)
    return checked
