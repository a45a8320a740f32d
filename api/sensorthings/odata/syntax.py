"""The syntax tree of a request.

Trees hold no values, only slots: requests of one shape have equal trees, so one compiled statement serves all of them. Positions
(characters from 1) are for error messages and do not count in comparisons.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class LiteralKind(enum.Enum):
    """What a literal is. Its slot holds the text that PostgreSQL reads."""

    STRING = "a string"
    NUMERIC_STRING = "a string that reads as a number"
    TIME_STRING = "a string that reads as a time"
    INTEGER = "an integer"
    DECIMAL = "a number"
    TRUE = "true"
    FALSE = "false"
    NULL = "null"
    TIME = "a time"
    INTERVAL = "a time interval"
    DATE = "a date"
    CLOCK = "a time of day"
    DURATION = "a duration"
    GEOMETRY = "a geometry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A value; an INTERVAL's end is in the slot after its own."""

    kind: LiteralKind
    slot: int
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A property, perhaps across relations or into JSON: `Datastream/Thing/properties/owner`."""

    segments: tuple[str, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function's call; `name` is in lower case."""

    name: str
    arguments: tuple[Expression, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A comparison (`eq ne gt ge lt le`) or arithmetic (`add sub mul div mod`)."""

    operator: str
    left: Expression
    right: Expression
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic:
    """`and` or `or` over two or more operands."""

    operator: str
    operands: tuple[Expression, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary:
    """`not` or `-`."""

    operator: str
    operand: Expression
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """`left in (item, …)`."""

    left: Expression
    items: tuple[Expression, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lambda:
    """`path/any(d:condition)` or `path/all(d:condition)` (`every`); paths in the condition start at `d`, which they leave out."""

    path: Path
    condition: Expression | None
    every: bool
    position: int = field(compare=False)


Expression = Literal | Path | Call | Operation | Logic | Unary | Membership | Lambda


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem:
    """One key of `$orderby`."""

    expression: Expression
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Expand:
    """One item of `$expand`: `Datastreams/Sensor` is two, nested."""

    name: str
    options: Options
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregated:
    """`path with method as alias`, or `$count as alias`: then there is no path."""

    path: Path | None
    method: str
    alias: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """`$apply`: filters, which are one condition here, then groups with their aggregates, and a filter of these (`having`).

    No groups: all is one.
    """

    filter: Expression | None
    groups: tuple[Path, ...]
    aggregates: tuple[Aggregated, ...]
    having: Expression | None = None


class ResultFormat(enum.Enum):
    """What a collection is given as, when not as JSON (18-088, 9.3.3.6 and what FROST's clients know)."""

    DATA_ARRAY = "dataArray"
    CSV = "CSV"
    GEOJSON = "GeoJSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The query options of a collection, an entity or an expanded relation.

    `top` None: the server's default. `after`: slots of the last row's keys where a page goes on, None for a null among them.
    `as_of`: slot of the instant whose knowledge is asked for. `link`: slot of the options' text, ready to stand in a URL, without
    `$skip` and `$skiptoken`. A skip is a slot.
    """

    filter: Expression | None = None
    orderby: tuple[OrderItem, ...] = ()
    select: tuple[Path, ...] = ()
    distinct: bool = False
    expand: tuple[Expand, ...] = ()
    top: int | None = None
    skip: int | None = None
    count: bool = False
    after: tuple[int | None, ...] | None = None
    link: int | None = None
    format: ResultFormat | None = None
    apply: Apply | None = None
    as_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One segment of a resource path: `Datastreams` or `Datastreams(2)`, whose key is in a slot."""

    name: str
    key: int | None
    position: int = field(compare=False)


class Form(enum.Enum):
    """What of the resource is asked for."""

    WHOLE = "whole"
    VALUE = "$value"
    REFERENCE = "$ref"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A reading request: a resource path and its options. `path`: slot of the path's text, ready to stand in a URL."""

    steps: tuple[Step, ...]
    path: int
    form: Form
    options: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A request's shape and the values of its slots, as text that PostgreSQL reads."""

    request: Request
    values: tuple[str, ...]
