"""Connections that the server closed, as it does when it restarts, are not given to requests."""

from __future__ import annotations

import psycopg

from api.database import make_pools
from infra.settings import ApiSettings

# Waits until each backend is gone: before, its connection still looks alive.
CLOSE_ALL = """
SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def test_after_the_server_closed_every_connection_each_request_gets_a_good_one(database: str) -> None:
    pools = make_pools(ApiSettings(database_url=database, pool_size=3))
    await pools.open()
    try:
        for pool in (pools.reading, pools.writing):
            await pool.wait()
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
            closed = await (await other.execute(CLOSE_ALL)).fetchall()
            assert len(closed) >= 4
        for pool in (pools.reading, pools.writing):
            for _ in range(4):
                async with pool.connection() as connection:
                    assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
    finally:
        await pools.close()
