"""Alerts from the command line."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from typer.testing import CliRunner, Result

from grenzregion.cli import app
from tests.integration.streams.conftest import REGISTER

FILL = """
    INSERT INTO alert (rule, rule_version, datastream, begins, state, level, highest, value, number)
    SELECT 'stale_air', 1, min(id), '2026-03-01T12:00:00Z', 'raised', 2, 2, 2350, 1 FROM datastream;
    INSERT INTO alert_transition (alert, number, kind, event_time, level, value, cause, state, begins)
    SELECT id, 1, 'raised', begins, level, value, 'reading', state, begins FROM alert;
    INSERT INTO alert_outbox (alert, number, sink, attempts, last_error, given_up_at)
    SELECT id, 1, sink, 12, 'answers 410', now() FROM alert, unnest(ARRAY['webhook:a', 'mail:b']) AS sink;
"""


def test_alerts_are_listed_shown_acknowledged_and_sent_again(database: str) -> None:
    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["alerts", *words, "--database-url", database])

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(REGISTER, {"device": "dev-1", "channels": ["t"]})
        connection.execute(FILL)

        def due() -> list[tuple[Any, ...]]:
            return connection.execute("SELECT sink, attempts FROM alert_outbox WHERE given_up_at IS NULL ORDER BY sink").fetchall()

        assert run("list").stdout == "1\t2026-03-01T12:00:00Z\tstale_air\t2\tt\t2350\t\t0 waiting, 2 given up\n"
        assert json.loads(run("list", "--json", "--rule", "stale_air", "--level", "2").stdout)["id"] == 1
        assert [run("list", *which).stdout for which in (("--state", "cleared"), ("--level", "3"), ("--rule", "none"))] == [""] * 3
        assert (run("list", "--state", "open").exit_code, run("retry").exit_code, run("show", "7").exit_code) == (2, 2, 1)
        shown = json.loads(run("show", "1").stdout)
        assert [each["last_error"] for each in shown["deliveries"]] == ["answers 410"] * 2
        assert run("acknowledge", "1", "--who", "duty", "--note", "window").stdout == "alert 1 is acknowledged\n"
        assert run("acknowledge", "1", "--who", "duty").stdout == "alert 1 was acknowledged already\n"
        missing = run("acknowledge", "7")
        assert (missing.exit_code, missing.stderr) == (1, "error: there is no alert 7\n")
        assert due() == [("kafka", 0), ("mqtt", 0)]  # of the acknowledgement
        assert run("retry", "7").stdout == "0 deliveries are due again\n"
        assert run("retry", "1", "--sink", "mail:b").stdout == "1 deliveries are due again\n"
        assert run("retry", "--all").stdout == "1 deliveries are due again\n"
        assert due() == [("kafka", 0), ("mail:b", 0), ("mqtt", 0), ("webhook:a", 0)]
