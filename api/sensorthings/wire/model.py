"""What the compiler asks of a version of the wire: SQL that gives finished text.

Every `Composable` here is an SQL expression of type text. A row is given as `Row`, which notes what is read of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet, Navigation, Property


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What `$select` asks for; None instead of it: everything.

    `inside` has, for properties of which only parts are asked for, what gives these parts of the document (both jsonb).
    """

    id: bool
    self_link: bool
    properties: frozenset[str]
    navigations: frozenset[str]
    inside: Mapping[str, Callable[[Composable], Composable]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class Row:
    """A row of the page, as the text is made of it: `columns` collects what must be selected.

    `owner` is the set that the row belongs to where the request's path says it. `languages` are those in which texts are wanted.
    """

    alias: str
    owner: str | None = None
    languages: tuple[str, ...] = ()
    columns: dict[str, None] = field(default_factory=lambda: {"id": None})

    @property
    def id(self) -> Composable:
        """The id as text."""
        return sql.Identifier(self.alias, "id_text")

    def column(self, name: str) -> Composable:
        """Read a column of the view."""
        self.columns[name] = None
        return sql.Identifier(self.alias, name)

    def read(self, found: Property) -> list[Composable]:
        """Read a property's columns and those of its members."""
        if found.translations and self.languages:
            return [self._translated(found)]
        return [self.column(name) for name in (*found.columns, *found.members.values())]

    def _translated(self, found: Property) -> Composable:
        texts = sql.SQL("{} -> {}").format(self.column("properties"), sql.Literal(found.translations))
        wanted = [sql.SQL("{} ->> {}").format(texts, sql.Literal(language)) for language in self.languages]
        return sql.SQL("coalesce({})").format(sql.SQL(", ").join([*wanted, self.column(found.columns[0])]))


Expanded = Sequence[tuple[str, Composable]]  # names of relations with their text


class Wire(Protocol):
    """A version of the standard."""

    @property
    def id_names(self) -> frozenset[str]:
        """Names of an entity's id in queries, in lower case."""
        ...

    @property
    def self_link_name(self) -> str:
        """Name of an entity's own link in `$select`, in lower case."""
        ...

    def entity(self, entity: EntitySet, row: Row, selection: Selection | None, expanded: Expanded) -> Composable:
        """Give an entity; `expanded` are names of relations with the text of `related_one` or `related_many`."""
        ...

    def reference(self, entity: EntitySet, row: Row) -> Composable:
        """Give what `$ref` shows of an entity."""
        ...

    def collection(self, items: Composable, count: Composable | None, link: Composable) -> Sequence[Composable]:
        """Give the pieces of a collection of joined `items`, which may be large; `link` is NULL where there is no next page."""
        ...

    def related_one(self, navigation: Navigation, item: Composable) -> Composable:
        """Give a to-one relation within an entity; `item` may be NULL."""
        ...

    def related_many(self, navigation: Navigation, items: Composable, count: Composable | None, link: Composable) -> Composable:
        """Give a to-many relation within an entity."""
        ...

    def link(self, path: Composable) -> Composable:
        """Give the URL of a path below the service root."""
        ...

    def related_link(self, entity: EntitySet, row: Row, navigation: Navigation) -> Composable:
        """Give the URL of an entity's relation."""
        ...

    def id_value(self, row: Row) -> Composable:
        """Give the answer to a request for the id alone."""
        ...

    def property_value(self, name: Composable, value: Composable) -> Composable:
        """Give the answer to a request for one property, whose JSON text may be NULL: so is the answer."""
        ...

    def json(self, found: Property, columns: Sequence[Composable]) -> Composable:
        """Give a property's value as JSON text, NULL where it has none."""
        ...

    def plain(self, found: Property, columns: Sequence[Composable]) -> Composable:
        """Give a property's value as plain text (`$value`)."""
        ...

    def array(self, values: Sequence[Composable]) -> Composable:
        """Give the values of one row of a data array; each may be NULL."""
        ...

    def owner_link(self, navigation: Navigation, own_id: Composable) -> Composable:
        """Give the member that says which entity a group of a data array belongs to."""
        ...

    def data_array(self, owner: Composable, components: Sequence[str], count: Composable) -> tuple[Composable, Composable]:
        """Give what stands before and behind the joined rows of one group of a data array."""
        ...

    def csv(self, found: Property, columns: Sequence[Composable]) -> Composable:
        """Give a property's value as a field of CSV, NULL where it has none."""
        ...

    def feature(self, row: Row, geometry: Composable, properties: Composable) -> Composable:
        """Give a Feature of GeoJSON; `geometry` is jsonb, perhaps a Feature itself or no GeoJSON at all."""
        ...

    def features(self, items: Composable, count: Composable | None, link: Composable) -> Sequence[Composable]:
        """Give the pieces of a FeatureCollection."""
        ...

    def grouped(
        self, members: Sequence[tuple[tuple[str, ...], Composable]], results: Sequence[tuple[Composable, Composable]]
    ) -> Composable:
        """Give a group of `$apply`: members by their path of names (`id` for an id) and results by name, with their JSON texts."""
        ...

    def quality(self, columns: Sequence[Composable]) -> Composable:
        """Give a result's quality as jsonb, for filters."""
        ...
