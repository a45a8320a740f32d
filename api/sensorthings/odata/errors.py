"""Errors of a reading request. They know no HTTP; `api.sensorthings.routes` gives each its status.

QueryError
├─ MalformedQueryError   the text does not follow the grammar, the types or the names: says where and what was expected
├─ LimitExceededError    larger, deeper or more than a limit of the settings
├─ UnknownResourceError  the path names nothing that is there
└─ NotServedError        right, but this installation can't answer it, and why
"""

from __future__ import annotations


class QueryError(Exception):
    """A request that can't be answered; the text is meant for its sender."""


class MalformedQueryError(QueryError):
    """Wrong text: `where` is the option (`$filter`) or `path`, `position` counts its characters from 1."""

    def __init__(self, where: str, position: int | None, problem: str) -> None:
        place = where if position is None else f"{where}, character {position}"
        super().__init__(f"{place}: {problem}")
        self.where = where
        self.position = position
        self.problem = problem


class LimitExceededError(QueryError):
    """More than a limit of the settings allows."""


class UnknownResourceError(QueryError):
    """Nothing is there."""


class NotServedError(QueryError):
    """The installation lacks what the request needs."""
