"""Grafana's login sees the read views and can do nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from grafana.login import create_grafana_login

pytestmark = pytest.mark.integration

ROLE = "test_grafana_login"  # roles belong to the whole cluster


@pytest.fixture
def role(database: str) -> Iterator[str]:
    yield ROLE
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {ROLE}")


def test_the_login_reads_the_views(database: str, role: str) -> None:
    password = create_grafana_login(database, role=role)
    with psycopg.connect(make_conninfo(database, user=role, password=password)) as connection:
        assert connection.execute("SELECT count(*) FROM read.board_station").fetchone() == (0,)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("15s",)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM public.thing",
        "SELECT count(*) FROM public.thing",
        "SELECT payload FROM public.dead_letter",
        "SELECT nextval('public.observation_sequence')",
        "CREATE TABLE read.x ()",
    ],
)
def test_the_login_can_neither_write_nor_see_tables_even_when_it_leaves_the_read_only_mode(
    database: str, role: str, statement: str
) -> None:
    password = create_grafana_login(database, role=role)
    conninfo = make_conninfo(database, user=role, password=password, options="-c default_transaction_read_only=off")
    with psycopg.connect(conninfo, autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_a_second_call_gives_a_new_password_and_ends_the_old_one(database: str, role: str) -> None:
    old = create_grafana_login(database, role=role)
    assert create_grafana_login(database, role=role, password="given") == "given"
    psycopg.connect(make_conninfo(database, user=role, password="given")).close()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(make_conninfo(database, user=role, password=old))
