"""The role with which Grafana logs in: a member of the reading role, so that it sees schema `read` and can only select."""

from __future__ import annotations

import secrets

import psycopg
from psycopg import sql

from streams.contract import READABLE_SCHEMA, READER_ROLE

GRAFANA_ROLE = "grenzregion_grafana"
STATEMENT_TIMEOUT = "15s"


def create_grafana_login(conninfo: str, *, password: str | None = None, role: str = GRAFANA_ROLE) -> str:
    """Create the login role, or give an existing one a new password; returns the password (a new one when none is given).

    `conninfo` is that of the owning role. The server gets a SCRAM verifier, never the password, so none stands in its log.
    Raises `psycopg.Error`.
    """
    word = password or secrets.token_urlsafe(24)
    with psycopg.connect(conninfo) as connection:
        verifier = connection.pgconn.encrypt_password(word.encode(), role.encode(), b"scram-sha-256").decode()
        name, reader, schema = sql.Identifier(role), sql.Identifier(READER_ROLE), sql.Identifier(READABLE_SCHEMA)
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).rowcount == 0:
            connection.execute(sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name))
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier)))
        connection.execute(sql.SQL("GRANT {} TO {}").format(reader, name))
        connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(name))
        connection.execute(sql.SQL("ALTER ROLE {} SET statement_timeout = {}").format(name, sql.Literal(STATEMENT_TIMEOUT)))
        connection.execute(sql.SQL("ALTER ROLE {} SET search_path = {}").format(name, schema))
    return word
