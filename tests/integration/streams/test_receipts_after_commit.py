"""The worker publishes receipts only for what other connections can already see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import psycopg
import pytest

from ingest_mqtt.contract import encode_batch
from streams import ledger
from streams.pause import Gate
from streams.sessions import Pool, open_pool
from streams.store import Receipt, StoreLimits
from streams.transport import Batch
from streams.worker import Worker
from tests.integration.streams.conftest import LIMITS, TOPIC, Road, message, reading


class NoLog:
    def incarnation(self) -> str:
        return "log-1"

    def ends(self) -> None:
        return None


class Published:
    """Every receipt, with the number of rows that another connection saw when it was published."""

    def __init__(self, database: str) -> None:
        self._database = database
        self.seen: list[tuple[int | None, int]] = []

    def take(self, receipts: Sequence[Receipt]) -> None:
        with psycopg.connect(self._database) as connection:
            row = connection.execute("SELECT count(*) FROM observation").fetchone()
        assert row is not None
        self.seen += [(receipt.seq, row[0]) for receipt in receipts]


@pytest.fixture
async def pool(database_on_each: str) -> AsyncIterator[Pool]:
    made = open_pool(database_on_each, 2, "test")
    async with made:
        yield made


def worker(pool: Pool, published: Published) -> Worker:
    return Worker(
        pool=pool, owner="test", log=NoLog(), limits=LIMITS, store_limits=StoreLimits(), on_receipts=published.take,
        on_stored=lambda _intake: None, gate=Gate(pool, "test"),
    )  # fmt: skip


def batch(road: Road, start: int, *seqs: int) -> Batch:
    values = [encode_batch([message(reading(seq, 20), seq=seq)]) for seq in seqs]
    return Batch(claim=road.claim, start=start, values=values)


async def test_no_receipt_is_published_before_its_rows_are_committed(road: Road, pool: Pool, database_on_each: str) -> None:
    published = Published(database_on_each)
    working = worker(pool, published)
    await working.handle(batch(road, 0, 0, 1))
    await working.handle(batch(road, 2, 2))
    assert published.seen == [(1, 2), (2, 3)]


async def test_a_fenced_worker_publishes_no_receipt(road: Road, pool: Pool, database_on_each: str) -> None:
    published = Published(database_on_each)
    working = worker(pool, published)
    await ledger.claim(road.connection, "log-1", [(TOPIC, 0)], "worker-2")
    await working.handle(batch(road, 0, 0))
    assert published.seen == []
    assert await road.rows("SELECT count(*) FROM observation") == [(0,)]
