"""Readings that came again, left out before they are judged and stored.

A gateway that waited long for a receipt sends everything again, several times over (decisions.md 3). To find out by judging and
inserting that such a copy changes nothing costs several times what a new reading costs, just when a backlog has to be stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.candidate import Candidate
from streams.queries import query
from streams.rows import microseconds
from streams.sessions import Connection
from streams.taken import Accepted

Settled = Mapping[tuple[str, str, int], Accepted]


class Heard:
    """The highest identity of each device that was stored or refused, as far as this worker knows."""

    def __init__(self) -> None:
        self._highest: dict[tuple[str, str], tuple[int, int]] = {}

    def may_repeat(self, settled: Settled) -> bool:
        """Whether messages among these may have come before; where not, asking the database would be in vain."""
        return any(
            (epoch, min(each.seqs)) <= self._highest.get((tenant, device), (-1, -1)) or len(set(each.seqs)) < len(each.seqs)
            for (tenant, device, epoch), each in settled.items()
            if each.seqs
        )

    def add(self, settled: Settled) -> None:
        """Note what was committed."""
        for (tenant, device, epoch), each in settled.items():
            if each.seqs:
                key = tenant, device
                self._highest[key] = max(self._highest.get(key, (-1, -1)), (epoch, max(each.seqs)))


async def without_copies(connection: Connection, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Leave out copies of rows that are stored, and of readings among these; the caller holds the locks of their Datastreams."""
    places = [place for place, c in enumerate(candidates) if _is_plain(c)]
    copies: set[int] = set()
    first: dict[tuple[object, ...], int] = {}
    for place in places:
        c = candidates[place]
        earlier = first.setdefault((c.channel.datastream_id, c.time, c.epoch, c.seq, c.item, c.number), place)
        if earlier != place and candidates[earlier].received <= c.received:
            copies.add(place)
    asked = [candidates[place] for place in places]
    if asked:
        cursor = await connection.execute(query("known_copies"), _columns(asked))
        found: list[int] = [row[0] for row in await cursor.fetchall()]
        copies.update(places[place] for place in found)
    return [c for place, c in enumerate(candidates) if place not in copies]


def _is_plain(c: Candidate) -> bool:
    return c.seq is not None and c.number is not None and c.result is None and c.discriminator == 0


def _columns(candidates: Sequence[Candidate]) -> dict[str, object]:
    times = [c.time for c in candidates]
    columns: dict[str, Sequence[object]] = {
        "datastreams": [c.channel.datastream_id for c in candidates],
        "times": [microseconds(time) for time in times],
        "received": [microseconds(c.received) for c in candidates],
        "numbers": [c.number for c in candidates],
        "epochs": [c.epoch for c in candidates],
        "seqs": [c.seq for c in candidates],
        "items": [c.item for c in candidates],
    }
    # One text each: a driver's arrays cost as much as the statement.
    texts = {name: "{" + ",".join(map(repr, column)) + "}" for name, column in columns.items()}
    return {**texts, "first": min(times), "last": max(times)}
