"""Deleting all entities of a collection that a `$filter` finds; only for those who may write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from api.errors import InvalidQueryError, UnknownEntityError
from api.sensorthings.writer.address import collection_at
from api.sensorthings.writer.asked import Asked, ReadEntity
from api.sensorthings.writer.editor import Editor
from api.sensorthings.writer.plan import Existing
from api.unit import within

_AT_ONCE = 1_000
Find = Callable[[str, str], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtered:
    """Deletes what `find` finds: it reads a collection as a writer sees it."""

    editor: Editor
    find: Find
    read: ReadEntity

    async def delete(self, path: str, query: str) -> None:
        """Delete page after page, each in a transaction; raises `ApiError`s and those of the query."""
        options = [part for part in query.split("&") if part]
        if len(options) != 1 or unquote_plus(options[0].partition("=")[0]).lower() not in {"$filter", "filter"}:
            raise InvalidQueryError("a filtered DELETE takes $filter alone")
        collection = await collection_at(path, self.editor.pool)
        name = collection.entity_set.name
        while ids := await self._page(path, query):
            if name == "Observations":
                await self.editor.store().delete_observations(ids, within())
                continue
            for number in ids:
                await self._delete_one(Existing(entity_set=name, id=number))

    async def _page(self, path: str, query: str) -> list[int]:
        found = await self.find(path, f"{query}&$select=id&$top={_AT_ONCE}")
        value: list[dict[str, Any]] = msgspec.json.decode(found)["value"] if found else []
        return [entity["@iot.id"] for entity in value]

    async def _delete_one(self, entity: Existing) -> None:
        try:
            await self.editor.delete(entity, Asked(read=self.read))
        except UnknownEntityError:
            return  # it went with another one
