from __future__ import annotations

import psycopg
import pytest

pytestmark = pytest.mark.integration


def test_database_is_migrated_and_empty(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM read.observation").fetchone() == (0,)
        connection.execute("INSERT INTO sensor (name, description, encoding_type, metadata) VALUES ('a', 'b', 'c', '1')")


def test_each_test_has_its_own_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM sensor").fetchone() == (0,)
