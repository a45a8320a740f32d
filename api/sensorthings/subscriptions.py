"""What subscribers over MQTT are told (18-088, 14.2): topics and payloads of stored and changed entities.

The broker does not say who subscribes to what. So the topics of an entity itself are always there, and those with `$select` for
the selections of the setting (docs/adr/0013-sensorthings-over-mqtt.md). Nothing of a private Thing is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.sql import Composable, Composed

from api.sensorthings.entities.model import EntitySet, Forward
from api.sensorthings.entities.schema import ENTITY_SETS, target_of
from api.sensorthings.wire.model import Row, Selection
from api.sensorthings.wire.v1_1 import PREFIX, WireV11

ROOT = PREFIX.strip("/")
_DAY = 2**37  # decisions.md 11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Message = tuple[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A stored entity: its table, its id and the columns that changed, None: it is new."""

    table: str
    number: int
    changed: frozenset[str] | None


def read_notices(rows: Iterable[tuple[str | None, int | None, list[str] | None, bytes | None]]) -> list[Notice]:
    """Unpack rows of `notice`."""
    notices: list[Notice] = []
    for table, number, changed, payload in rows:
        if table is not None and number is not None:
            notices.append(Notice(table=table, number=number, changed=None if changed is None else frozenset(changed)))
        elif payload is not None:
            news = json.loads(payload)
            notices.extend(Notice(table="observation", number=n, changed=None) for n in news.get("created", ()))
            notices.extend(Notice(table="observation", number=n, changed=_RESULT) for n in news.get("changed", ()))
    return notices


_RESULT = frozenset({"number", "result", "flag"})


class Messages:
    """Makes the messages of notices, with links below the public URL of the service."""

    def __init__(self, public_url: str, selects: Sequence[str]) -> None:
        self._wire = WireV11(public_url + PREFIX)
        self._selects = [select for select in selects if select]
        self._statements: dict[str, Composed] = {}

    def of(self, connection: Connection[Any], notices: Sequence[Notice]) -> Iterator[Message]:
        """Give topics and payloads; entities that are gone or private are left out."""
        for entity in ENTITY_SETS:
            wanted = [n for n in notices if n.table == ("datastream" if entity.table.endswith("_datastream") else entity.table)]
            if wanted:
                yield from self._of_set(connection, entity, wanted)

    def _of_set(self, connection: Connection[Any], entity: EntitySet, notices: list[Notice]) -> Iterator[Message]:
        numbers = sorted({n.number for n in notices})
        statement = self._statements.get(entity.name)
        if statement is None:
            statement = self._statements[entity.name] = self._statement(entity)
        cursor = connection.execute(statement, {"ids": numbers, **_days(notices)})
        texts = {row[0]: row for row in cursor}
        for notice in notices:
            row = texts.get(notice.number)
            if row is not None:
                yield from self._of_row(entity, notice, row)

    def _of_row(self, entity: EntitySet, notice: Notice, row: tuple[Any, ...]) -> Iterator[Message]:
        forwards = _forwards(entity)
        whole, selected = row[1], row[2 + len(forwards) :]
        collections = [f"{ROOT}/{entity.name}"]
        for (name, target, _), number in zip(forwards, row[2:], strict=False):
            # Of Datastream and MultiDatastream only the one that is there has a link.
            if number is not None and name != "FeatureOfInterest" and f'"{name}@iot.navigationLink"' in whole:
                collections.append(f"{ROOT}/{target}({number})/{entity.name}")
        own = f"{ROOT}/{entity.name}({notice.number})"
        for topic in [*collections, own] if notice.changed is not None else collections:
            yield topic, whole.encode()
            for select, text in zip(self._selections(entity), selected, strict=True):
                yield f"{topic}?$select={select}", text.encode()
        if notice.changed is not None:
            members: Mapping[str, Any] = json.loads(whole)
            for found in entity.properties:
                if notice.changed & set(found.columns):
                    yield f"{own}/{found.name}", json.dumps({found.name: members.get(found.name)}, ensure_ascii=False).encode()

    def _selections(self, entity: EntitySet) -> list[str]:
        """Give the selections that name only what this entity has."""
        names = {p.name for p in entity.properties} | {"id", "@iot.id"}
        return [select for select in self._selects if set(select.split(",")) <= names]

    def _statement(self, entity: EntitySet) -> Composed:
        row = Row("r")
        texts: list[Composable] = [self._wire.entity(entity, row, None, ())]
        texts += [row.column(column) for _, _, column in _forwards(entity)]
        for select in self._selections(entity):
            names = set(select.split(","))
            selection = Selection(
                id=bool(names & {"id", "@iot.id"}), self_link=False, properties=frozenset(names), navigations=frozenset()
            )
            texts.append(self._wire.entity(entity, row, selection, ()))
        conditions: list[Composable] = [sql.SQL("o.id = ANY (%(ids)s)")]
        if entity.day_column is not None:
            day = sql.Identifier("o", entity.day_column)
            conditions.append(
                sql.SQL("({0} >= %(first)s::timestamptz AND {0} < %(last)s::timestamptz OR %(first)s::timestamptz IS NULL)").format(
                    day
                )
            )
        if entity.hidden is not None:
            hidden = sql.Identifier("read", entity.hidden.view)
            conditions.append(sql.SQL("{} NOT IN (SELECT id FROM {})").format(sql.Identifier("o", entity.hidden.column), hidden))
        return sql.SQL("SELECT r.id, {} FROM (SELECT {}, id::text AS id_text FROM {} o WHERE {}) r").format(
            sql.SQL(", ").join(texts),
            sql.SQL(", ").join(sql.Identifier("o", name) for name in row.columns),
            sql.Identifier("read", entity.table),
            sql.SQL(" AND ").join(conditions),
        )


def _forwards(entity: EntitySet) -> list[tuple[str, str, str]]:
    """Give the relations to entities in whose collections an entity stands: name, set, and the column with the id."""
    return [(n.name, target_of(n).name, n.join.column) for n in entity.navigations if isinstance(n.join, Forward)]


def _days(notices: Sequence[Notice]) -> dict[str, datetime | None]:
    """Give the bounds of the days that the ids of new Observations carry; what was moved may be anywhere."""
    days = {notice.number // _DAY for notice in notices}
    if 0 in days or any(notice.changed is not None for notice in notices):
        return {"first": None, "last": None}
    return {"first": _EPOCH + timedelta(days=min(days)), "last": _EPOCH + timedelta(days=max(days) + 1)}
