"""What a panel needs of the columns that its queries return, read from the dashboard's JSON, so that it holds for every board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

NUMERIC = frozenset({20, 21, 23, 26, 700, 701, 1700})  # PostgreSQL's type oids
TIME = frozenset({1114, 1184})
TEXT = frozenset({18, 19, 25, 1042, 1043})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a result."""

    name: str
    oid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What PostgreSQL answered to one query."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    def names(self) -> set[str]:
        """Names of the columns."""
        return {column.name for column in self.columns}


def problems(panel: dict[str, Any], target: dict[str, Any], answer: Answer) -> list[str]:
    """Say what of the answer its panel can't show; empty when all is well."""
    found = [f'two columns are called "{name}"' for name in _twice(column.name for column in answer.columns)]
    if target["format"] == "time_series":
        return found + _series_problems(answer)
    found += _heading_problems(panel, answer)
    if panel["type"] == "stat":
        found += _stat_problems(answer)
    if panel["type"] == "geomap":
        found += _map_problems(panel, answer)
    return found


def override_problems(panel: dict[str, Any], answers: Sequence[Answer]) -> list[str]:
    """Say which field overrides of a panel name a column that none of its queries returns."""
    names = {name for answer in answers for name in answer.names()}
    return [f'an override names the column "{name}", which no query returns' for name in sorted(_overridden(panel) - names)]


def variable_problems(answer: Answer) -> list[str]:
    """Say why a variable's query gives no list of values."""
    kinds = [column.oid for column in answer.columns]
    if len(kinds) == 1 and kinds[0] in TEXT:
        return []
    if [column.name for column in answer.columns] == ["__text", "__value"]:
        return []
    return ["a variable needs one column of text, or __text and __value"]


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({name for name in names if name in seen or seen.add(name)})


def _series_problems(answer: Answer) -> list[str]:
    found: list[str] = []
    times = [index for index, column in enumerate(answer.columns) if column.name == "time"]
    if not times:
        return ['a time series needs a column "time"']
    labels = [index for index, column in enumerate(answer.columns) if column.oid in TEXT]
    numbers = [index for index, column in enumerate(answer.columns) if column.oid in NUMERIC and index not in times]
    if answer.columns[times[0]].oid not in TIME:
        found.append('the column "time" is no timestamp')
    if not numbers:
        found.append("a time series needs a column of numbers")
    odd = set(range(len(answer.columns))) - set(times) - set(labels) - set(numbers)
    found += [f'the column "{answer.columns[index].name}" is neither time, number nor label' for index in sorted(odd)]
    if not found:
        found += _order_problems(answer, times[0], labels)
    return found


def _order_problems(answer: Answer, time: int, labels: Sequence[int]) -> list[str]:
    found: list[str] = []
    if any(row[time] is None for row in answer.rows):
        return ["a row has no time"]
    if any(row[index] is None for row in answer.rows for index in labels):
        found.append("a row has no label")
    if any(row[time] > following[time] for row, following in zip(answer.rows, answer.rows[1:], strict=False)):
        found.append("rows are not in the order of time")
    keys = [(row[time], *(row[index] for index in labels)) for row in answer.rows]
    if len(set(keys)) < len(keys):
        found.append(
            "two rows have the same time and label" if labels else "two rows have the same time, and no column labels them"
        )
    return found


def _stat_problems(answer: Answer) -> list[str]:
    found = [f'the figure "{column.name}" is no number' for column in answer.columns if column.oid not in NUMERIC]
    if len(answer.rows) > 1:
        found.append(f"a figure needs one row, not {len(answer.rows)}")
    return found


def _map_problems(panel: dict[str, Any], answer: Answer) -> list[str]:
    kinds = {column.name: column.oid for column in answer.columns}
    found: list[str] = []
    for layer in panel["options"]["layers"]:
        wanted = [layer["location"]["latitude"], layer["location"]["longitude"], layer["config"]["style"]["color"]["field"]]
        found += [f'the map needs a column "{name}" of numbers' for name in wanted if kinds.get(name) not in NUMERIC]
    return found


def _heading_problems(panel: dict[str, Any], answer: Answer) -> list[str]:
    named = {
        override["matcher"]["options"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["id"] == "byName" and any(item["id"] == "displayName" for item in override["properties"])
    }
    return [f'the column "{name}" has no heading in the board\'s language' for name in sorted(answer.names() - named)]


def _overridden(panel: dict[str, Any]) -> set[str]:
    return {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"] if o["matcher"]["id"] == "byName"}
