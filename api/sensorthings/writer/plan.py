"""What one create will write: new rows by entity set, how they are linked, and Observations for the store.

A plan is made from a body alone; only writing it asks the database. Its rows have no ids yet, so a link names its target
as the n-th new entity of its set, or as one that exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """The `index`-th new entity of `entity_set` in the plan."""

    entity_set: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """An entity that the request says is there; `path` is where in the body, empty: the request's address says so."""

    entity_set: str
    id: int
    path: str = ""


Target = New | Existing


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A new row: values by column, and columns that hold a target's id."""

    path: str
    values: Mapping[str, Any]
    links: Mapping[str, Target]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A row of a link table: two columns, each the id of a target."""

    columns: Mapping[str, Target]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An existing Datastream that gets another Thing, Sensor or ObservedProperty."""

    entity: Existing
    column: str
    target: Target


@dataclass(slots=True, kw_only=True)
class Plan:
    """All that one request creates. `rows` has Observations too: their links are those of `NewObservation`."""

    rows: dict[str, list[Row | None]] = field(default_factory=dict[str, "list[Row | None]"])
    pairs: dict[str, list[Pair]] = field(default_factory=dict[str, list[Pair]])
    moves: list[Move] = field(default_factory=list[Move])
    existing: list[Existing] = field(default_factory=list[Existing])

    def reserve(self, entity_set: str) -> New:
        """Keep a place for a new entity, so that its children can point to it before it is complete."""
        places = self.rows.setdefault(entity_set, [])
        places.append(None)
        return New(entity_set=entity_set, index=len(places) - 1)

    def fill(self, place: New, row: Row) -> None:
        """Put the row into its place."""
        self.rows[place.entity_set][place.index] = row

    def refer(self, target: Existing) -> Existing:
        """Note that an existing entity is needed."""
        self.existing.append(target)
        return target

    def pair(self, table: str, columns: Mapping[str, Target]) -> None:
        """Link two entities of a many-to-many relation."""
        self.pairs.setdefault(table, []).append(Pair(columns=columns))

    def new(self, entity_set: str) -> list[Row]:
        """Give the new rows of a set, in their order."""
        return [row for row in self.rows.get(entity_set, []) if row is not None]
