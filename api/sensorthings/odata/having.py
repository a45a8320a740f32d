"""`filter(…)` behind the groups of `$apply`: a condition on what was grouped by and on the results."""

from __future__ import annotations

from collections.abc import Mapping

from api.sensorthings.entities.model import EntitySet
from api.sensorthings.odata.build import Build
from api.sensorthings.odata.conditions import Joined
from api.sensorthings.odata.errors import MalformedQueryError
from api.sensorthings.odata.syntax import Lambda, Path
from api.sensorthings.odata.values import Value


class Having(Joined):
    """Compiles expressions about one group, whose `values` have the names of the answer, in lower case."""

    def __init__(self, build: Build, entity: EntitySet, values: Mapping[str, Value]) -> None:
        super().__init__(build, entity, "", "$apply")
        self._values = values

    def _path(self, path: Path) -> Value:
        found = self._values.get("/".join(path.segments).lower())
        if found is None:
            raise MalformedQueryError("$apply", path.position, "behind the groups there are " + ", ".join(self._values))
        return found

    def _lambda(self, found: Lambda) -> Value:
        raise MalformedQueryError("$apply", found.position, "a group has no related entities: any and all go before it")
