"""The gate: every query of every board in every language runs against a real database as Grafana would run it, and fits its panel.

For a time range of an hour, a day, thirty days and an empty one in 2001, and for every kind of value that a variable may have.
The reading role and a read-only transaction keep what is run from writing; that a query tried to is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, cast

import psycopg

from grafana import needs
from grafana.catalogue import Rendered, rendered
from grafana.macros import MacroError, One, Raw, TimeRange, Value, expand
from grafana.needs import Answer, Column
from streams.contract import READER_ROLE

QUOTES = "L'Île d'Or (nord), \"x\""  # a municipality whose name tries to leave its literal
ALL = "$__all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A query that does not do what its panel needs."""

    dashboard: str
    panel: str
    ref_id: str
    case: str
    problem: str

    def __str__(self) -> str:
        return f"{self.dashboard} / {self.panel} / {self.ref_id} ({self.case}): {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A time range with the values of the board's variables; with `rows`, every query must return some."""

    name: str
    span: TimeRange
    variables: Mapping[str, Value]
    rows: bool = False


def check(
    conninfo: str,
    *,
    dashboards: Sequence[Rendered] | None = None,
    now: datetime | None = None,
    timeout_ms: int = 5_000,
    demand_rows: bool = False,
) -> list[Finding]:
    """Run every query of `dashboards` (all by default) and list what is wrong; each problem of a query once.

    `demand_rows`: a query without rows over the last 24 hours is a finding too; only for a database that holds data of every theme.
    Raises `psycopg.OperationalError` when the database can't be reached.
    """
    with _reader(conninfo, timeout_ms) as connection:
        gate = _Gate(connection=connection, timeout_ms=timeout_ms)
        moment = now or datetime.now(UTC)
        found = [
            f for board in (rendered() if dashboards is None else dashboards) for f in gate.findings(board, moment, demand_rows)
        ]
    first: dict[tuple[str, str, str, str], Finding] = {}
    for finding in found:
        first.setdefault((finding.dashboard, finding.panel, finding.ref_id, finding.problem), finding)
    return list(first.values())


def _reader(conninfo: str, timeout_ms: int) -> psycopg.Connection[Any]:
    options = f"-c role={READER_ROLE} -c default_transaction_read_only=on -c statement_timeout={timeout_ms} -c timezone=UTC"
    return psycopg.connect(conninfo, options=options, autocommit=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    connection: psycopg.Connection[Any]
    timeout_ms: int

    def findings(self, board: Rendered, now: datetime, demand_rows: bool) -> Iterator[Finding]:
        variables = {variable["name"]: variable for variable in board.model["templating"]["list"]}
        values, problems = self._values(variables)
        yield from (
            Finding(dashboard=board.uid, panel="variable", ref_id=name, case="values", problem=text) for name, text in problems
        )
        for case in _cases(variables, values, now, demand_rows):
            for panel in board.model["panels"]:
                if panel["type"] != "row":
                    yield from self._panel(board, panel, case)

    def _panel(self, board: Rendered, panel: dict[str, Any], case: Case) -> Iterator[Finding]:
        def finding(ref_id: str, problem: str) -> Finding:
            return Finding(dashboard=board.uid, panel=panel["title"], ref_id=ref_id, case=case.name, problem=problem)

        answers: list[Answer] = []
        for target in panel["targets"]:
            answer = self._ask(target["rawSql"], case)
            if isinstance(answer, str):
                yield finding(target["refId"], answer)
                continue
            answers.append(answer)
            yield from (finding(target["refId"], problem) for problem in needs.problems(panel, target, answer))
            if case.rows and not answer.rows:
                yield finding(target["refId"], "no rows, though there are data")
        if len(answers) == len(panel["targets"]):
            yield from (finding("overrides", problem) for problem in needs.override_problems(panel, answers))

    def _ask(self, sql: str, case: Case) -> Answer | str:
        try:
            text = expand(sql, case.span, case.variables, timescaledb=False)
        except MacroError as error:
            return f"Grafana would refuse it: {error}"
        if problem := _not_a_reading(text):
            return problem
        try:
            cursor = self.connection.execute(cast("LiteralString", text))
        except psycopg.errors.QueryCanceled:
            return f"slower than {self.timeout_ms} ms"
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            return f"does what a reader may not: {_first_line(error)}"
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            return f"PostgreSQL refuses it: {_first_line(error)}"
        columns = [Column(name=column.name, oid=column.type_code) for column in cursor.description or ()]
        return Answer(columns=columns, rows=cursor.fetchall())

    def _values(self, variables: Mapping[str, dict[str, Any]]) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
        values: dict[str, list[str]] = {}
        problems: list[tuple[str, str]] = []
        for name, variable in variables.items():
            if variable["type"] != "query":
                values[name] = [option.rpartition(" : ")[2].strip() for option in variable["query"].split(",")]
                continue
            span = TimeRange(start=datetime(2001, 1, 1, tzinfo=UTC), end=datetime(2001, 1, 2, tzinfo=UTC))
            answer = self._ask(variable["query"], Case(name="values", span=span, variables={"area": One(text="region")}))
            if isinstance(answer, str):
                problems.append((name, answer))
                values[name] = []
            else:
                problems += [(name, problem) for problem in needs.variable_problems(answer)]
                values[name] = [str(row[-1]) for row in answer.rows]
        return values, problems


def _not_a_reading(sql: str) -> str | None:
    """Grafana sends the text as it is: a second statement could leave the role and the read-only transaction."""
    if ";" in sql:
        return "holds a semicolon: one statement is enough"
    if sql.split(maxsplit=1)[0].upper() not in {"SELECT", "WITH"}:
        return "does what a reader may not: it is no SELECT"
    return None


def _cases(
    variables: Mapping[str, dict[str, Any]], values: Mapping[str, list[str]], now: datetime, demand_rows: bool
) -> Iterable[Case]:
    default = {name: _default(variable, values[name]) for name, variable in variables.items()}
    day = TimeRange(start=now - timedelta(days=1), end=now)
    yield Case(name="24 h, defaults", span=day, variables=default, rows=demand_rows)
    yield Case(name="1 h, defaults", span=TimeRange(start=now - timedelta(hours=1), end=now), variables=default)
    yield Case(name="30 d, defaults", span=TimeRange(start=now - timedelta(days=30), end=now), variables=default)
    empty = TimeRange(start=datetime(2001, 1, 1, tzinfo=UTC), end=datetime(2001, 1, 2, tzinfo=UTC))
    yield Case(name="a day in 2001, defaults", span=empty, variables=default)
    choices: dict[str, list[str]] = {"one value": [""], "quotes": [QUOTES], "several": [QUOTES, ""], "none": []}
    for name, extra in choices.items():
        chosen = {key: _chosen(variable, values[key], name, extra) for key, variable in variables.items()}
        yield Case(name=f"24 h, {name}", span=day, variables=chosen)


def _default(variable: dict[str, Any], values: Sequence[str]) -> Value:
    current = variable.get("current", {}).get("value")
    if current == ALL:
        return Raw(text=variable["allValue"]) if variable.get("allValue") else tuple(values)
    return (current,) if variable.get("multi") or variable.get("includeAll") else One(text=str(current))


def _chosen(variable: dict[str, Any], values: Sequence[str], name: str, extra: Sequence[str]) -> Value:
    if not (variable.get("multi") or variable.get("includeAll")):
        return One(text=QUOTES if name == "quotes" else values[-1])
    return tuple(values[:1]) if name == "one value" else (*extra, *values[:2]) if name == "several" else tuple(extra)


def _first_line(error: psycopg.Error) -> str:
    return str(error).splitlines()[0]
