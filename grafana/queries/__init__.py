"""The boards' queries, one file each: `:language`, `:properties`, … are filled in here, `$…` is Grafana's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PLACE = re.compile(r"(?<!:):(language|properties|shown|limits)\b")
_OF_THEMES = "read.board_chosen(theme, ARRAY[${theme}]::text[])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A line in a chart: its label, its value in the panel's unit, and from when until when it holds (ISO dates)."""

    label: str
    value: float
    valid_from: str
    valid_to: str


def query(name: str, *, language: str, properties: Sequence[str] = (), limits: Sequence[Limit] = ()) -> str:
    """Give the SQL of `name`.sql without its comment; raises `KeyError` when it needs a list that was not given.

    `:shown` are the Datastreams of `properties`, or without these of the board's variable `theme`.
    """
    filled = {"language": quoted(language), "shown": _OF_THEMES}
    if properties:
        filled["properties"] = ", ".join(quoted(item) for item in properties)
        filled["shown"] = f"property IN ({filled['properties']})"
    if limits:
        filled["limits"] = ", ".join(
            f"({quoted(limit.label)}, {limit.value}, {quoted(limit.valid_from)}, {quoted(limit.valid_to)})" for limit in limits
        )
    text = _text(name)
    if ":labelled" in text:
        text = text.replace(":labelled", _text("labelled"))
    return _PLACE.sub(lambda match: filled[match[1]], text)


def _text(name: str) -> str:
    lines = Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))


def quoted(text: str) -> str:
    """Make an SQL literal. A `)` would end a Grafana macro's arguments, but no literal stands inside one."""
    return "'" + text.replace("'", "''") + "'"
