"""How a device stands: how many messages in a row were refused, and whether it is quarantined (decisions.md 5).

Counted in the order of the log, in which a device's messages stay as they came, and kept in the batch's own transaction: cutting
the log into batches otherwise, or a restart, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import psycopg
from psycopg.rows import TupleRow

from streams.errors import StandingMovedError
from streams.queries import query

QUARANTINE_AFTER = 100

DeviceKey = tuple[str, str]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """`refused_run`: messages refused since the last one of which something was stored; `newest`: the newest identity counted.

    A message with an older identity came again, or late: it does not count.
    """

    refused_run: int = 0
    quarantined: bool = False
    newest: tuple[int, int] | None = None

    def after(self, identity: tuple[int, int] | None, *, refused: bool) -> Standing:
        """Count one more message: of a refused one nothing was stored."""
        if identity is not None and self.newest is not None and identity <= self.newest:
            return self
        run = self.refused_run + 1 if refused else 0
        return Standing(refused_run=run, quarantined=run >= QUARANTINE_AFTER, newest=identity or self.newest)


GOOD = Standing()
Standings = Mapping[DeviceKey, Standing]
Moves = Mapping[DeviceKey, tuple[Standing, Standing]]


async def load(connection: psycopg.AsyncConnection[TupleRow]) -> dict[DeviceKey, Standing]:
    """Standings of all devices that were ever refused something."""
    cursor = await connection.execute("SELECT tenant, device, refused_run, quarantined, epoch, seq FROM device_state")
    return {
        (row[0], row[1]): Standing(refused_run=row[2], quarantined=row[3], newest=(row[4], row[5]) if row[4] is not None else None)
        for row in await cursor.fetchall()
    }


async def move(connection: psycopg.AsyncConnection[TupleRow], moves: Moves) -> None:
    """Write (before, after) of devices within the open transaction; raises `StandingMovedError` where `before` does not hold."""
    if not moves:
        return
    keys = sorted(moves)
    newest = [moves[key][1].newest or (None, None) for key in keys]
    cursor = await connection.execute(
        query("move_standings"),
        {
            "tenants": [tenant for tenant, _ in keys],
            "devices": [device for _, device in keys],
            "runs_before": [moves[key][0].refused_run for key in keys],
            "quarantined_before": [moves[key][0].quarantined for key in keys],
            "runs": [moves[key][1].refused_run for key in keys],
            "quarantined": [moves[key][1].quarantined for key in keys],
            "epochs": [epoch for epoch, _ in newest],
            "seqs": [seq for _, seq in newest],
        },
    )
    if cursor.rowcount != len(keys):
        raise StandingMovedError("a device was released meanwhile")
