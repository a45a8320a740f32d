"""Expansion as Grafana does it; the expected texts are those of the data source's documentation and own tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from grafana.macros import MacroError, One, Raw, TimeRange, expand

SPAN = TimeRange(start=datetime(2018, 4, 12, 18, 0, tzinfo=UTC), end=datetime(2018, 4, 12, 18, 5, tzinfo=UTC))


def expanded(sql: str, *, timescaledb: bool = False, interval_s: int = 60, span: TimeRange = SPAN, **variables: object) -> str:
    return expand(sql, span, variables, timescaledb=timescaledb, interval_s=interval_s)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("sql", "result"),
    [
        ("select $__time(time_column)", 'select time_column AS "time"'),
        ("select $__timeEpoch(t)", 'select extract(epoch from t) as "time"'),
        ("WHERE $__timeFilter(t)", "WHERE t BETWEEN '2018-04-12T18:00:00Z' AND '2018-04-12T18:05:00Z'"),
        ("select $__timeFrom()", "select '2018-04-12T18:00:00Z'"),
        ("select $__timeTo()::timestamptz", "select '2018-04-12T18:05:00Z'::timestamptz"),
        ("GROUP BY $__timeGroup(t,'5m')", "GROUP BY floor(extract(epoch from t)/300)*300"),
        ("SELECT $__timeGroup(t, '5m'), x", 'SELECT floor(extract(epoch from t)/300)*300 AS "time", x'),
        ("SELECT $__timeGroupAlias(t,'1d')", 'SELECT floor(extract(epoch from t)/86400)*86400 AS "time"'),
        ("SELECT $__timeGroup(t, $__interval)", "SELECT floor(extract(epoch from t)/60)*60"),
        ("SELECT $__timeGroup(t,'500ms')", "SELECT floor(extract(epoch from t)/0.5)*0.5"),
        ("SELECT $__unixEpochGroupAlias(t,'5m')", 'SELECT floor((t)/300)*300 AS "time"'),
        ("WHERE $__unixEpochFilter(t)", "WHERE t >= 1523556000 AND t <= 1523556300"),
        ("WHERE $__unixEpochNanoFilter(t)", "WHERE t >= 1523556000000000000 AND t <= 1523556300000000000"),
        ("select $__unixEpochTo() - $__unixEpochFrom()", "select 1523556300 - 1523556000"),
        ("select $__unixEpochNanoFrom(), $__unixEpochNanoTo()", "select 1523556000000000000, 1523556300000000000"),
        ("select $__interval_ms", "select 60000"),
        ("select '$5.00'", "select '$5.00'"),
    ],
)
def test_a_macro_becomes_what_grafana_makes_of_it(sql: str, result: str) -> None:
    assert expanded(sql) == result


def test_timescaledb_groups_by_time_bucket() -> None:
    assert expanded("GROUP BY $__timeGroup(t,'5m')", timescaledb=True) == "GROUP BY time_bucket('300.000s',t)"


def test_fractions_of_a_second_are_kept() -> None:
    span = TimeRange(start=SPAN.start + timedelta(milliseconds=120), end=SPAN.end)
    assert expanded("$__timeFrom()", span=span) == "'2018-04-12T18:00:00.12Z'"


def test_a_macros_arguments_end_at_the_first_bracket() -> None:
    assert expanded("$__timeFilter(to_timestamp(t))") == "to_timestamp(t BETWEEN '2018-04-12T18:00:00Z' AND '2018-04-12T18:05:00Z')"


@pytest.mark.parametrize("sql", ["$__timeFiltre(t)", "$__timeGroup(t)", "$__timeGroup(t,'5 minutes')", "${absent}"])
def test_what_grafana_refuses_is_refused(sql: str) -> None:
    with pytest.raises(MacroError):
        expanded(sql)


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (("a", "b"), "IN ('a','b')"),
        (("O'Hara",), "IN ('O''Hara')"),
        ((), "IN ()"),
        (Raw(text="'*'"), "IN ('*')"),
        (One(text="O'Hara"), "IN (O''Hara)"),
    ],
)
@pytest.mark.parametrize("place", ["${town}", "$town", "[[town]]"])
def test_a_variable_is_quoted_as_the_data_source_quotes(place: str, value: object, result: str) -> None:
    assert expanded(f"IN ({place})", town=value) == result


def test_a_word_with_a_dollar_that_is_no_variable_stays() -> None:
    assert expanded("SELECT $other", town=("a",)) == "SELECT $other"
