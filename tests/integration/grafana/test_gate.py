"""The gate passes on our boards, and it can fail."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from grafana.catalogue import Rendered, rendered
from grafana.gate import check

pytestmark = pytest.mark.integration

ENGLISH = next(board for board in rendered() if board.language == "en")


def test_every_query_of_every_board_in_every_language_gives_its_panel_what_it_needs(seeded: str) -> None:
    assert [str(finding) for finding in check(seeded, demand_rows=True)] == []


def test_an_empty_database_shows_no_data_instead_of_errors(database: str) -> None:
    assert [str(finding) for finding in check(database)] == []


def changed(title: str, change: Callable[[dict[str, Any]], None]) -> Rendered:
    model = copy.deepcopy(ENGLISH.model)
    panel = next(panel for panel in model["panels"] if panel["title"] == title)
    model["panels"] = [panel]
    change(panel)
    return Rendered(uid="broken", language="en", folder=ENGLISH.folder, model=model)


def in_query(old: str, new: str, number: int = 0) -> Callable[[dict[str, Any]], None]:
    def change(panel: dict[str, Any]) -> None:
        target = panel["targets"][number]
        assert old in target["rawSql"]
        target["rawSql"] = target["rawSql"].replace(old, new)

    return change


def instead(sql: str) -> Callable[[dict[str, Any]], None]:
    def change(panel: dict[str, Any]) -> None:
        panel["targets"] = panel["targets"][:1]
        panel["targets"][0]["rawSql"] = sql

    return change


BROKEN = [
    ("Wind power", in_query("a.sum", "a.total"), "PostgreSQL refuses it"),
    ("Wind power", in_query("d.label AS metric", "NULL::text AS metric"), "a row has no label"),
    (
        "Wind power",
        instead("SELECT now() AS time, x AS value FROM generate_series(1, 2) x"),
        "two rows have the same time, and no column labels them",
    ),
    ("Wind power", in_query("ORDER BY 1, 2", "ORDER BY 1 DESC"), "rows are not in the order of time"),
    ("Wind power", in_query("$__time(a.bucket)", "a.bucket AS moment"), 'a time series needs a column "time"'),
    ("Wind power", in_query("$__time(a.bucket)", "a.bucket::text AS time"), 'the column "time" is no timestamp'),
    ("Wind power", in_query("$__timeFilter", "$__timeFiltre"), "Grafana would refuse it"),
    ("Wind power", in_query("${only_good}", "${onlygood}"), "Grafana would refuse it"),
    ("Wind power", in_query(" AS completeness", " AS complete", 1), 'an override names the column "completeness"'),
    ("Wind power", in_query("ARRAY[${municipality}]::text[]", "${municipality}"), "PostgreSQL refuses it"),
    ("Wind power", in_query("'wind_power'", "'wind_pover'"), "no rows, though there are data"),
    ("Wind power", instead("SELECT now() AS time, true AS value"), 'the column "value" is neither time, number nor label'),
    ("Wind power", instead("SELECT now() AS time, 'x' AS metric"), "a time series needs a column of numbers"),
    ("Refused readings", instead("DELETE FROM read.thing RETURNING 1 AS refused"), "it is no SELECT"),
    ("Refused readings", instead("SELECT 1 AS refused; DELETE FROM thing"), "holds a semicolon"),
    (
        "Refused readings",
        instead("WITH gone AS (DELETE FROM read.thing RETURNING 1) SELECT count(*) AS refused FROM gone"),
        "does what a reader may not",
    ),
    ("Refused readings", instead("SELECT nextval('observation_sequence') AS refused"), "does what a reader may not"),
    ("Refused readings", instead("SELECT count(*) AS refused FROM observation"), "does what a reader may not"),
    ("Refused readings", instead("SELECT 'many' AS refused"), 'the figure "refused" is no number'),
    ("Refused readings", instead("SELECT generate_series(1, 2) AS refused"), "a figure needs one row, not 2"),
    ("Refused readings", instead("SELECT 1 AS refused FROM pg_sleep(1)"), "slower than 300 ms"),
    ("Latest values", in_query("AS unit", "AS einheit"), 'the column "einheit" has no heading'),
    ("Map of stations", in_query("lat AS latitude", "lat::text AS latitude"), 'the map needs a column "latitude" of numbers'),
    ("Map of stations", in_query("AS longitude", "AS x"), 'the map needs a column "longitude" of numbers'),
]


@pytest.mark.parametrize(("title", "change", "problem"), BROKEN, ids=[problem for _, _, problem in BROKEN])
def test_the_gate_finds_a_broken_query(seeded: str, title: str, change: Callable[[dict[str, Any]], None], problem: str) -> None:
    found = check(seeded, dashboards=[changed(title, change)], timeout_ms=300, demand_rows=True)
    assert any(problem in finding.problem for finding in found), [str(finding) for finding in found]


def test_a_panel_that_was_not_broken_has_no_finding(seeded: str) -> None:
    assert check(seeded, dashboards=[changed("Wind power", lambda _: None)], demand_rows=True) == []


def test_the_gate_finds_a_broken_variable(seeded: str) -> None:
    board = changed("Wind power", lambda _: None)
    for variable in board.model["templating"]["list"]:
        if variable["name"] == "municipality":
            variable["query"] = "SELECT 1 AS one, 2 AS two"
    assert [finding.problem for finding in check(seeded, dashboards=[board])] == [
        "a variable needs one column of text, or __text and __value"
    ]


def test_nothing_was_written_by_all_that(seeded: str) -> None:
    with psycopg.connect(seeded) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM thing").fetchone() == (True,)
        assert connection.execute("SELECT is_called FROM observation_sequence").fetchone() == (False,)
