"""What a change asks for, known only once its entity is locked: a condition, and a body that may build on what is there."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from api.errors import UnknownEntityError
from api.etag import check_if_match
from api.sensorthings.entities.model import EntitySet
from api.sensorthings.writer.json_patch import apply_patch
from api.sensorthings.writer.planner import ID, IGNORED

# Gives an entity as the wire shows it, or None where it is gone again.
ReadEntity = Callable[[EntitySet, int], Awaitable[bytes | None]]


class Manner(Enum):
    """How a body changes an entity."""

    MERGE = "PATCH: what it names"
    WHOLE = "PUT: all of it"
    JSON_PATCH = "PATCH: operations of RFC 6902"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A change or, without a body, a deletion. `if_match` is the header of that name."""

    read: ReadEntity
    body: Any = None
    manner: Manner = Manner.MERGE
    if_match: str | None = None

    @property
    def whole(self) -> bool:
        """Whether the body is all that stays."""
        return self.manner is Manner.WHOLE

    async def resolve(self, entity_set: EntitySet, number: int) -> Any:
        """Check the condition and give the body of a PATCH or PUT; raises `ApiError`s."""
        if self.if_match is None and self.manner is not Manner.JSON_PATCH:
            return self.body
        shown = await self.read(entity_set, number)
        if shown is None:
            raise UnknownEntityError(f"there is no {entity_set.singular} {number}")
        check_if_match(self.if_match, shown)
        return self.body if self.manner is not Manner.JSON_PATCH else _difference(json.loads(shown), self.body)


def _difference(shown: dict[str, Any], patch: Any) -> Any:
    before = {name: value for name, value in shown.items() if not name.endswith(IGNORED)}
    after = apply_patch(before, patch)
    if not isinstance(after, dict):
        return after
    changed = cast("dict[str, Any]", after)
    names = [name for name in before | changed if name != ID and (name not in changed or before.get(name) != changed[name])]
    body = {name: changed.get(name) for name in names}
    return body | {ID: changed[ID]} if ID in changed else body
