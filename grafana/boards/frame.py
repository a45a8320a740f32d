"""What every board has: its head, links to its sisters in the other languages, and the variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import geomap, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from grafana.panels import DATASOURCE, Column, word_mapping
from grafana.queries import query
from grafana.words import Words

THEMES = ("mobility", "border", "parking", "energy", "heat", "air", "noise", "indoor", "weather", "water")
AREAS = ("region", "elsewhere")

Panel = stat.Panel | table.Panel | geomap.Panel | timeseries.Panel
UidOf = Callable[[str], str]


def new_board(words: Words, key: str, uid_of: UidOf, languages: Sequence[str]) -> builders.Dashboard:
    """Begin a board in one language: title and description are those of `key`; `uid_of(language)` names its sisters."""
    board = (
        builders.Dashboard(words[f"{key}.title"])
        .uid(uid_of(words.language))
        .description(words[f"{key}.description"])
        .tags(["grenzregion", words.language])
        .editable()
        .refresh("1m")
        .time("now-24h", "now")
        .timezone("Europe/Berlin")
        .week_start("monday")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    )
    for variable in _places(words):
        board = board.with_variable(variable)
    for language in languages:
        if language != words.language:
            board = board.link(_link(words, language, uid_of(language)))
    return board


def with_rows(board: builders.Dashboard, words: Words, rows: Sequence[tuple[str, Sequence[Panel]]]) -> builders.Dashboard:
    """Add rows of panels, each under its title."""
    number = 0
    for row, panels in rows:
        number += 1
        board = board.with_row(builders.Row(words[row]).id(number))
        for panel in panels:
            number += 1
            board = board.with_panel(panel.id(number))
    return board


def theme_column(words: Words) -> Column:
    """Show a theme by its name."""
    return Column(heading="column.theme", mappings=[word_mapping(words, "theme", THEMES)])


def _places(words: Words) -> list[Builder[dashboard.VariableModel]]:
    everything = dashboard.VariableOption(selected=True, text=words["all"], value="$__all")
    return [
        builders.CustomVariable("area")
        .label(words["variable.area"])
        .values(", ".join(f"{words[f'area.{area}']} : {area}" for area in AREAS))
        .current(dashboard.VariableOption(selected=True, text=words["area.region"], value="region")),
        builders.QueryVariable("municipality")
        .label(words["variable.municipality"])
        .datasource(DATASOURCE)
        .query(query("municipalities", language=words.language))
        .refresh(dashboard.VariableRefresh.ON_DASHBOARD_LOAD)
        .multi(True)
        .include_all(True)
        .all_value("'*'")
        .current(everything),
        builders.CustomVariable("theme")
        .label(words["variable.theme"])
        .values(", ".join(f"{words[f'theme.{theme}']} : {theme}" for theme in THEMES))
        .multi(True)
        .include_all(True)
        .all_value("'*'")
        .current(everything),
    ]


def _link(words: Words, language: str, uid: str) -> builders.DashboardLink:
    return (
        builders.DashboardLink(words[f"language.{language}"])
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .include_vars(True)
        .keep_time(True)
        .icon("external link")
    )
