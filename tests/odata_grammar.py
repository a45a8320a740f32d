"""Queries by a grammar that knows names and mostly types, each made from its number alone: case 4711 is the same everywhere.

Quicker than a search with shrinking, which `odata_queries` is for, so that there can be millions.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar
from urllib.parse import quote

from api.sensorthings.entities.model import EntitySet, Kind
from api.sensorthings.entities.schema import ENTITY_SETS, target_of
from api.sensorthings.odata.functions import FUNCTIONS
from api.sensorthings.odata.values import Type

_T = TypeVar("_T")

NASTY = (
    "'; DROP TABLE thing; --", "' OR '1'='1", "\\'; SELECT pg_sleep(9); --", "$$", "$1", "%s", "%(x)s", "{0}", "{}", "\\", '"',
    "\\x00", "E'\\\\x41'", "\u2028", "💧", "ﬀ", "\u202e", "1e309", "NaN", "Infinity", "-0", "a" * 300, "/*", "--", "(((",
    "\t\n", "", "null", "ß", '{"a":1}', "[1]", "}", "${jndi:x}", "𝟛", "%%", "_", "\u0130",
)  # fmt: skip
_KEYS = ("owner", "n", "list", "0", "a-b", "@x", "$y", "~", "Ä", "_", "a.b", "-1", "99999999999")
_WORDS = ("x", "Bridge", "Air", "open", "3", "-7.5", "2026-03-01T00:10:00Z", *NASTY)
_NUMBERS = (
    "0", "1", "-1", "2.5", "9223372036854775807", "9223372036854775808", "1e308", "1e-320", "0.1", "99999999999999999999999",
)  # fmt: skip
_INSTANTS = (
    "2026-03-01T00:10:00Z", "2026-03-01T00:20:00+01:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-03-01T00:10",
)  # fmt: skip
_PLACES = (
    "POINT(9.43 54.79)", "POLYGON((9 54,10 54,10 55,9 55,9 54))", "POLYGON((0 0,1 1,1 0,0 1,0 0))", "LINESTRING(0 0,1 1)",
    "POINT EMPTY",
)  # fmt: skip
_GROUPS = (
    "Datastream/id", "Datastream/name", "Datastream/Thing/name", "phenomenonTime/hour", "phenomenonTime/month", "parameters/qc",
)  # fmt: skip
_TYPES = {
    Kind.STRING: Type.STRING, Kind.OBJECT: Type.JSON, Kind.JSON: Type.JSON, Kind.GEOMETRY: Type.GEOMETRY, Kind.INSTANT: Type.TIME,
    Kind.INTERVAL: Type.INTERVAL, Kind.NUMBER: Type.NUMBER, Kind.RESULT: Type.RESULT, Kind.QUALITY: Type.JSON,
}  # fmt: skip
_COMPARED = (
    Type.NUMBER,
    Type.STRING,
    Type.TIME,
    Type.INTERVAL,
    Type.JSON,
    Type.RESULT,
    Type.DATE,
    Type.CLOCK,
    Type.DURATION,
    Type.GEOMETRY,
)
_MIXED = 0.1  # of all operands have any type


def case(number: int) -> str:
    """Give the path and query string, percent-encoded, of a case."""
    return Grammar(Random(number)).url()


class Grammar:
    """Makes one query."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._parts = 12  # how many more expressions may nest

    def url(self) -> str:
        path, entity, single = self._path()
        options = [self._select(entity), self._expand(entity, 1)]
        if not single:
            options += self._collection(entity)
        if self._chance(0.05):
            options.append("as_of=" + self._one((*_INSTANTS, "x", "2026-03-01")))
        chosen = [o for o in options if o]
        self._random.shuffle(chosen)
        return f"{quote(path, safe='/()$')}?{'&'.join(quote(o, safe='$=') for o in chosen)}"

    def _path(self) -> tuple[str, EntitySet, bool]:
        entity = self._one(ENTITY_SETS)
        path, single = entity.name, False
        while self._chance(0.35):
            if not single:
                path += f"({self._one(('1', '2', '1000', '0', '-1', '9223372036854775807'))})"
                single = True
                continue
            navigation = self._one(entity.navigations)
            path += "/" + navigation.name
            entity, single = target_of(navigation), not navigation.many
        if single and self._chance(0.2):
            path += "/" + self._one([p.name for p in entity.properties]) + self._one(("", "/$value", "/" + self._one(_KEYS)))
        return path, entity, single

    def _collection(self, entity: EntitySet) -> list[str]:
        options = [
            self._chance(0.8) and f"$filter={self.truth(entity)}",
            self._chance(0.3) and f"$orderby={self._value(self._one(_COMPARED), entity)}{self._one(('', ' asc', ' desc'))}",
            self._chance(0.5) and f"$top={self._one((0, 1, 2, 100))}",
            self._chance(0.2) and f"$skip={self._one((0, 1, 2**53, 10**9))}",
            self._chance(0.4) and "$count=true",
            self._chance(0.1) and f"$resultFormat={self._one(('dataArray', 'CSV', 'GeoJSON', 'JSON'))}",
            self._chance(0.1) and f"$skiptoken={self._token()}",
        ]
        if entity.day_column is not None and self._chance(0.15):
            options.append(self._apply(entity))
        return [option for option in options if option]

    def _token(self) -> str:
        keys = [self._one((None, *_WORDS, *_INSTANTS, *_NUMBERS)) for _ in range(self._random.randint(0, 4))]
        return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")

    def _select(self, entity: EntitySet) -> str:
        if self._chance(0.75):
            return ""
        names = [p.name for p in entity.properties] + [n.name for n in entity.navigations] + ["id", "properties/owner", "result/a"]
        return "$select=" + self._one(("", "", "distinct:")) + ",".join(self._some(names))

    def _expand(self, entity: EntitySet, depth: int) -> str:
        if self._chance(0.75):
            return ""
        navigation = self._one(entity.navigations)
        target = target_of(navigation)
        inner = [self._select(target), self._expand(target, depth + 1) if depth < 4 else ""]
        if navigation.many:
            inner += self._collection(target)
        given = ";".join(option for option in inner if option)
        return f"$expand={navigation.name}" + (f"({given})" if given else "")

    def _apply(self, entity: EntitySet) -> str:
        methods = ("average", "min", "max", "sum", "median")
        results = [self._one(("$count as n", f"result with {self._one(methods)} as {self._one(('m', 'x1', 'Ä', 'Datastream'))}"))]
        before = f"filter({self.truth(entity)})/" if self._chance(0.5) else ""
        groups = self._some(_GROUPS)
        behind = f"/filter({self._one((*groups, 'n', 'm', 'x1'))} {self._one(('gt', 'eq'))} {self._one(_NUMBERS)})"
        return f"$apply={before}groupby(({','.join(groups)}),aggregate({','.join(results)})){behind if self._chance(0.5) else ''}"

    def truth(self, entity: EntitySet) -> str:
        """Give a condition on an entity."""
        self._parts -= 1
        if self._parts < 0:
            return "id gt 1"
        made: Callable[[EntitySet], str] = self._random.choices(
            (self._comparison, self._logic, self._negated, self._member, self._asked, self._lambda), (8, 3, 1, 2, 2, 2)
        )[0]
        return made(entity)

    def _comparison(self, entity: EntitySet) -> str:
        wanted = self._one(_COMPARED)
        operator = self._one(("eq", "ne", "gt", "ge", "lt", "le"))
        return f"{self._value(wanted, entity)} {operator} {self._value(wanted, entity)}"

    def _logic(self, entity: EntitySet) -> str:
        return f"({self.truth(entity)} {self._one(('and', 'or'))} {self.truth(entity)})"

    def _negated(self, entity: EntitySet) -> str:
        return f"not ({self.truth(entity)})"

    def _member(self, entity: EntitySet) -> str:
        wanted = self._one(_COMPARED)
        items = ",".join(self._value(wanted, entity) for _ in range(self._random.randint(1, 3)))
        return f"{self._value(wanted, entity)} in ({items})"

    def _asked(self, entity: EntitySet) -> str:
        return self._call(Type.BOOLEAN, entity)

    def _lambda(self, entity: EntitySet) -> str:
        many = [n for n in entity.navigations if n.many]
        if not many:
            return self._comparison(entity)
        navigation = self._one(many)
        inner = self.truth(target_of(navigation))
        # Paths in the condition begin at the variable; where the naive replacement fails, the parser must say so.
        return f"{navigation.name}/{self._one(('any', 'all'))}(v:{_prefixed(inner)})"

    def _value(self, wanted: Type, entity: EntitySet) -> str:
        self._parts -= 1
        if self._chance(_MIXED):
            wanted = self._one(_COMPARED)
        kinds = (self._literal, self._property, self._call, self._calculation)
        made = self._random.choices(kinds, (4, 6, 2, 1))[0] if self._parts > 0 else self._literal
        return made(wanted, entity)

    def _literal(self, wanted: Type, _entity: EntitySet) -> str:
        text = "'" + self._one(_WORDS).replace("'", "''") + "'"
        instant = self._one(_INSTANTS)
        literals = {
            Type.NUMBER: self._one(_NUMBERS),
            Type.RESULT: self._one((*_NUMBERS, text, "true")),
            Type.TIME: self._one((instant, "now()")),
            Type.INTERVAL: self._one((instant, f"{instant}/9999-12-31T23:59:59Z")),
            Type.DATE: self._one(("2026-03-01", "0001-01-01")),
            Type.CLOCK: "10:15:00",
            Type.DURATION: self._one(("duration'PT1H'", "duration'-P9Y'", "duration'P999999D'")),
            Type.GEOMETRY: f"geography'{self._one(_PLACES)}'",
            Type.JSON: self._one((text, "null", "true", *_NUMBERS)),
        }
        return literals.get(wanted, text)

    def _property(self, wanted: Type, entity: EntitySet) -> str:
        steps: list[str] = []
        while self._chance(0.3) and len(steps) < 4:
            navigation = self._one(entity.navigations)
            steps.append(navigation.name)
            entity = target_of(navigation)
        fitting = [p.name for p in entity.properties if _TYPES[p.kind] is wanted] or ["id"]
        steps.append("id" if wanted is Type.NUMBER and self._chance(0.7) else self._one(fitting))
        if wanted is Type.JSON:
            steps += [self._one(_KEYS) for _ in range(self._random.randint(0, 2))]
        return "/".join(steps)

    def _call(self, wanted: Type, entity: EntitySet) -> str:
        fitting = [(name, f) for name, some in sorted(FUNCTIONS.items()) for f in some if f.result is wanted]
        if not fitting:
            return self._literal(wanted, entity)
        name, function = self._one(fitting)
        return f"{name}({','.join(self._value(argument, entity) for argument in function.arguments)})"

    def _calculation(self, wanted: Type, entity: EntitySet) -> str:
        operator = self._one(("add", "sub", "mul", "div", "mod"))
        other = Type.DURATION if wanted is Type.TIME else wanted
        return f"({self._value(wanted, entity)} {operator} {self._value(other, entity)})"

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _one(self, choices: Sequence[_T]) -> _T:
        return self._random.choice(choices)

    def _some(self, choices: Sequence[_T]) -> list[_T]:
        return [self._one(choices) for _ in range(self._random.randint(1, 3))]


def _prefixed(condition: str) -> str:
    words = condition.split(" ")
    return " ".join(f"v/{word}" if word[:1].isalpha() and ("/" in word or word in {"id", "name"}) else word for word in words)
