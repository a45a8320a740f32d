"""The language in which an entity set is described (18-088, chapter 8).

A description knows the standard's names and the database's columns, and nothing of a version's wire: there is no `@iot.id`
here. Reading views stand in schema `read` under the name of the table that they show, so `EntitySet.table` names both.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class Kind(enum.Enum):
    """What a property's values are: decides how they are compared, checked and written."""

    STRING = "string"  # one text column
    OBJECT = "object"  # one jsonb column holding a JSON object
    JSON = "json"  # one jsonb column holding any JSON value
    GEOMETRY = "geometry"  # one jsonb column holding GeoJSON, or what the entity's encodingType says
    INSTANT = "instant"  # one timestamptz column
    INTERVAL = "interval"  # two timestamptz columns, start and end; end NULL: an instant
    NUMBER = "number"  # one numeric column
    RESULT = "result"  # two columns: a number, or any other JSON value
    QUALITY = "quality"  # four columns: client's resultQuality, flag, tests, ruleset


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A property of an entity: the standard's name, its kind and the columns of the view that hold it.

    `mandatory`: a create without it is refused. `writable` False: derived by the platform, input is ignored.
    `default` is what a create that leaves it out gets, and the only value there is.
    `translations` is the key of the column `properties` below which the text stands in other languages: `{"da": …}`.
    `members` serves sub-properties from numeric columns of their own: `parameters/qc` is the column `flag`.
    `shape` is a column with the geometry as PostGIS has it, which is there where PostGIS is.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    mandatory: bool = False
    writable: bool = True
    default: str = ""
    translations: str = ""
    members: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    shape: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """To one: `column` of this entity holds the target's id."""

    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backward:
    """To many: `column` of the target holds this entity's id."""

    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Through:
    """To many: rows of the link table `table` pair this entity (`own`) with the target (`other`)."""

    table: str
    own: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked(Through):
    """To many in an order of their own: the reading view `view` has the target's columns, those of `table`, and a column `rank`."""

    view: str


Join = Forward | Backward | Through


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One of two relations over the same column, of which only one leads somewhere.

    An entity whose `column` has a value has the `usual` one, without a look at the target.
    """

    column: str
    usual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """A relation to entities of the set `target`.

    `mandatory`: a create without it is refused, unless the path of the request gives it.
    """

    name: str
    target: str
    join: Join
    mandatory: bool = False
    alternative: Alternative | None = None

    @property
    def many(self) -> bool:
        """Whether it leads to a collection."""
        return not isinstance(self.join, Forward)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What anonymous readers must not see (decisions.md 8): rows whose `column` is an id of the view `read.{view}`."""

    view: str
    column: str = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """One entity set. Every view has a column `id`.

    `default_order` names the columns that order a collection before its id. `tie_order` are columns that go behind the last of
    `default_order` instead of the id, because an index has them; no two rows have the same in both. `day_column`: ids carry the
    day of this column (decisions.md 11). `latest` is a view with the row that is last by `day_column` for each Datastream, and
    how many there are (`n`).
    """

    name: str
    singular: str
    table: str
    properties: tuple[Property, ...]
    navigations: tuple[Navigation, ...]
    hidden: Hidden | None = None
    default_order: tuple[str, ...] = ()
    tie_order: tuple[str, ...] = ()
    day_column: str | None = None
    latest: str | None = None
    names: frozenset[str] = field(init=False, repr=False, compare=False)  # of all properties and relations
    _properties: Mapping[str, Property] = field(init=False, repr=False, compare=False)  # by their names in small letters
    _navigations: Mapping[str, Navigation] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort by names."""
        object.__setattr__(self, "names", frozenset(described.name for described in (*self.properties, *self.navigations)))
        object.__setattr__(self, "_properties", {p.name.lower(): p for p in self.properties})
        object.__setattr__(self, "_navigations", {n.name.lower(): n for n in self.navigations})

    def property(self, name: str) -> Property | None:
        """Find a property by its name in any case."""
        return self._properties.get(name.lower())

    def navigation(self, name: str) -> Navigation | None:
        """Find a relation by its name in any case."""
        return self._navigations.get(name.lower())
