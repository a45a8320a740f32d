"""A connection that reads by prepared statements tells of errors as psycopg does, and keeps no more of them than it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from psycopg import errors as pg

from api.database import Pool, make_pools
from infra.settings import ApiSettings

pytestmark = pytest.mark.integration


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pools = make_pools(ApiSettings(database_url=database, pool_size=1, statement_timeout_ms=1_000))
    await pools.reading.open(wait=True)
    try:
        yield pools.reading
    finally:
        await pools.close()


@pytest.mark.parametrize("driver_prepares", [True, False])
async def test_statements_that_the_driver_deallocates_after_a_rollback_are_prepared_again(
    pool: Pool, driver_prepares: bool
) -> None:
    async with pool.connection() as connection:
        for _ in range(3):
            async with connection.transaction(force_rollback=True):
                await connection.execute("SELECT %s::text", ["b"], prepare=driver_prepares)
                assert await connection.fetch_bytes(b"SELECT $1::text", [b"a"]) == [b"a"]
        assert await connection.fetch_bytes(b"SELECT count(*)::text FROM pg_prepared_statements", []) == [
            b"1" if driver_prepares else b"2"
        ]


async def test_rows_and_errors_come_as_they_are(pool: Pool) -> None:
    async with pool.connection() as connection:
        assert await connection.fetch_bytes(b"SELECT $1::text, NULL::text", [b"a"]) == [b"a", None]
        assert await connection.fetch_bytes(b"SELECT 1 WHERE false", []) == []
        assert await connection.fetch_bytes(b"SELECT $1::text || $1", [b"x" * 3_000_000]) == [b"x" * 6_000_000]
        with pytest.raises(pg.UndefinedColumn):
            await connection.fetch_bytes(b"SELECT nothing", [])
        with pytest.raises(pg.DivisionByZero):
            await connection.fetch_bytes(b"SELECT 1 / $1::int", [b"0"])
        with pytest.raises(pg.QueryCanceled):
            await connection.fetch_bytes(b"SELECT pg_sleep(30)", [])
        for number in range(130):
            assert await connection.fetch_bytes(b"SELECT $1::text || '%d'" % number, [b"a"]) == [b"a%d" % number]
        assert await connection.fetch_bytes(b"SELECT count(*)::text FROM pg_prepared_statements", []) == [b"100"]
        assert await connection.fetch_bytes(b"SELECT $1::text, NULL::text", [b"b"]) == [b"b", None]


async def test_a_cancelled_request_leaves_no_answer_to_the_next(pool: Pool) -> None:
    connection = await pool.getconn()
    waiting = asyncio.create_task(connection.fetch_bytes(b"SELECT pg_sleep(0.5)::text", []))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await pool.putconn(connection)
    async with pool.connection() as other:
        assert await other.fetch_bytes(b"SELECT 'good'", []) == [b"good"]
