"""How large a request may be, and the budget that a parser spends."""

from __future__ import annotations

from dataclasses import dataclass

from api.sensorthings.odata.errors import LimitExceededError
from infra.settings import ApiSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Each is a setting (docs/settings.md)."""

    query_bytes: int
    query_nodes: int
    query_depth: int
    expand_depth: int
    top_default: int
    top_max: int

    @staticmethod
    def of(settings: ApiSettings) -> Limits:
        """Take them from the settings."""
        return Limits(
            query_bytes=settings.query_bytes,
            query_nodes=settings.query_nodes,
            query_depth=settings.query_depth,
            expand_depth=settings.expand_depth,
            top_default=settings.top_default,
            top_max=settings.top_max,
        )


class Budget:
    """What one request has used of its limits, and the values of its slots."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.values: list[str] = []
        self._nodes = 0
        self._depth = 0

    def node(self) -> None:
        """Count a node of the tree."""
        self._nodes += 1
        if self._nodes > self.limits.query_nodes:
            raise LimitExceededError(f"the query has more than {self.limits.query_nodes} parts")

    def slot(self, *values: str) -> int:
        """Keep values in slots in a row; gives the first."""
        first = len(self.values)
        self.values.extend(values)
        return first

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > self.limits.query_depth:
            raise LimitExceededError(f"the query is nested deeper than {self.limits.query_depth}")

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
