"""What subscribers over MQTT are told (18-088, 14.2): topics and payloads of stored and changed entities.

The topics are those of docs/adr/0013-sensorthings-over-mqtt.md, as far as somebody may listen (`interest`). Nothing of a private
Thing is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
from psycopg import Connection, sql
from psycopg.sql import Composable, Composed

from api.sensorthings.entities.model import EntitySet, Forward, Through
from api.sensorthings.entities.schema import ENTITY_SETS, target_of
from api.sensorthings.interest import SELECT, Interest
from api.sensorthings.picking import Picker
from api.sensorthings.wire.model import Row
from api.sensorthings.wire.v1_1 import PREFIX, WireV11

ROOT = PREFIX.strip("/")
LONGEST = 262_144  # bytes of a payload; the platform's brokers take no more
_AT_ONCE = 500  # entities of which texts are in memory
_DAY = 2**37  # decisions.md 11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Columns of an Observation's properties that judging and better telemetry change.
_JUDGED = ("number", "result", "flag", "tests")

Message = tuple[str, bytes]


class Notice(msgspec.Struct, frozen=True, gc=False):
    """A stored entity: its table, its id and the columns that changed, None: it is new."""

    table: str
    number: int
    changed: tuple[str, ...] | None


class _News(msgspec.Struct):
    created: list[int] = []
    changed: list[int] = []
    columns: list[str] = []


_news = msgspec.json.Decoder(_News)


def read_notices(rows: Iterable[tuple[str | None, int | None, list[str] | None, bytes | None]]) -> Iterator[Notice]:
    """Unpack rows of `notice`."""
    for table, number, changed, payload in rows:
        if table is not None and number is not None:
            yield Notice(table, number, None if changed is None else tuple(changed))
        elif payload is not None:
            news = _news.decode(payload)
            for created in news.created:
                yield Notice("observation", created, None)
            columns = tuple(news.columns) or _JUDGED
            for again in news.changed:
                yield Notice("observation", again, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """How an entity set's rows are read: the statement, and the sets in whose collections its entities stand, as its columns are.

    Of `owners` a row has one each, where its text has the given link; of `peers` a list.
    """

    statement: Composed
    owners: tuple[tuple[str, str], ...]
    peers: tuple[str, ...]


class Messages:
    """Makes the messages of notices, with links below the public URL of the service."""

    def __init__(self, public_url: str, interest: Interest) -> None:
        wire = WireV11(public_url + PREFIX)
        self._interest = interest
        self._reads = {entity.name: _read(entity, wire) for entity in ENTITY_SETS}
        self._picker = Picker()
        self.too_large = 0  # entities that were told to nobody for their size

    def of(self, connection: Connection[Any], notices: Iterable[Notice]) -> Iterator[Message]:
        """Give topics and payloads; entities that are gone or private are left out."""
        rest = iter(notices)
        while some := list(islice(rest, _AT_ONCE)):
            by_table: dict[str, list[Notice]] = {}
            for notice in some:
                by_table.setdefault(notice.table, []).append(notice)
            for entity in ENTITY_SETS:
                wanted = by_table.get("datastream" if entity.table.endswith("_datastream") else entity.table)
                if wanted and self._interest.concerns(entity.name):
                    yield from self._of_set(connection, entity, wanted)

    def _of_set(self, connection: Connection[Any], entity: EntitySet, notices: list[Notice]) -> Iterator[Message]:
        # Planned with its days each time: a plan for any day would look into every chunk.
        asked = {"ids": list({n.number for n in notices}), "longest": LONGEST, **_days(notices)}
        found = {row[0]: row for row in connection.execute(self._reads[entity.name].statement, asked, prepare=False)}
        for notice in notices:
            row = found.get(notice.number)
            if row is not None and row[1] is None:
                self.too_large += 1
            elif row is not None:
                yield from self._of_row(entity, notice, row)

    def _of_row(self, entity: EntitySet, notice: Notice, row: tuple[Any, ...]) -> Iterator[Message]:
        whole = row[1].encode()
        for topic in self._topics(entity, notice, row):
            if self._interest.hears(topic):
                yield topic, whole
            for select in self._interest.selections(topic):
                picked = self._picker.pick(entity, select, whole)
                if picked is not None:
                    yield f"{topic}{SELECT}{select}", picked
        if notice.changed is not None:
            yield from self._of_properties(entity, notice, whole)

    def _topics(self, entity: EntitySet, notice: Notice, row: tuple[Any, ...]) -> Iterator[str]:
        """Name the collections in which the entity stands, and the entity itself when it changed."""
        name, read = entity.name, self._reads[entity.name]
        yield f"{ROOT}/{name}"
        owners = len(read.owners)
        for (target, link), number in zip(read.owners, row[2 : 2 + owners], strict=True):
            # Of Datastream and MultiDatastream only the one that is there has a link.
            if number is not None and link in row[1]:
                yield f"{ROOT}/{target}({number})/{name}"
        for target, numbers in zip(read.peers, row[2 + owners : -1], strict=True):
            for number in numbers or ():
                yield f"{ROOT}/{target}({number})/{name}"
        if notice.changed is not None:
            yield f"{ROOT}/{name}({notice.number})"

    def _of_properties(self, entity: EntitySet, notice: Notice, whole: bytes) -> Iterator[Message]:
        changed = set(notice.changed or ())
        for found in entity.properties:
            topic = f"{ROOT}/{entity.name}({notice.number})/{found.name}"
            if changed.intersection(found.columns) and self._interest.hears(topic):
                yield topic, self._picker.property(found, whole)


def _read(entity: EntitySet, wire: WireV11) -> _Read:
    row = Row("r")
    text = wire.entity(entity, row, None, ())
    forwards = [n for n in entity.navigations if isinstance(n.join, Forward)]
    columns: list[Composable] = [row.column(n.join.column) for n in forwards if isinstance(n.join, Forward)]
    through = [(target_of(n), n.join) for n in entity.navigations if isinstance(n.join, Through)]
    columns += [
        sql.SQL("(SELECT array_agg(l.{}) FROM {} l WHERE l.{} = r.id)").format(
            sql.Identifier(join.other), sql.Identifier("read", join.table), sql.Identifier(join.own)
        )
        for _, join in through
    ]
    statement = sql.SQL(
        "SELECT r.id, CASE WHEN octet_length(w.whole) <= %(longest)s THEN w.whole END, {}"
        " FROM (SELECT {}, id::text AS id_text FROM {} o WHERE {}) r CROSS JOIN LATERAL (SELECT {} AS whole OFFSET 0) w"
    ).format(
        sql.SQL(", ").join([*columns, sql.SQL("NULL")]),
        sql.SQL(", ").join(sql.Identifier("o", name) for name in row.columns),
        sql.Identifier("read", entity.table),
        sql.SQL(" AND ").join(_conditions(entity)),
        text,
    )
    return _Read(
        statement=statement,
        owners=tuple((target_of(n).name, f'"{n.name}@iot.navigationLink"' if n.alternative else "") for n in forwards),
        peers=tuple(target.name for target, _ in through),
    )


def _conditions(entity: EntitySet) -> Iterator[Composable]:
    yield sql.SQL("o.id = ANY (%(ids)s)")
    if entity.day_column is not None:
        within = "({0} >= %(first)s::timestamptz AND {0} < %(last)s::timestamptz OR %(first)s::timestamptz IS NULL)"
        yield sql.SQL(within).format(sql.Identifier("o", entity.day_column))
    if entity.hidden is not None:
        hidden = sql.Identifier("read", entity.hidden.view)
        yield sql.SQL("{} NOT IN (SELECT id FROM {})").format(sql.Identifier("o", entity.hidden.column), hidden)


def _days(notices: Sequence[Notice]) -> dict[str, datetime | None]:
    """Give the bounds of the days that the ids of new Observations carry; what was moved may be anywhere."""
    days = {notice.number // _DAY for notice in notices}
    if 0 in days or any(notice.changed is not None for notice in notices):
        return {"first": None, "last": None}
    return {"first": _EPOCH + timedelta(days=min(days)), "last": _EPOCH + timedelta(days=max(days) + 1)}
