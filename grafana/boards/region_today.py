"""Region today: who reports, how good it is, where, and the day's course of every theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard, units

from grafana.boards.frame import Panel, UidOf, new_board, theme_column, with_rows
from grafana.panels import (
    Column,
    flag_mapping,
    map_panel,
    series_panel,
    share_column,
    stat_panel,
    table_panel,
    text_mapping,
    word_mapping,
)
from grafana.queries import Limit
from grafana.words import Words
from streams.contract import alert_rules

UID = "region-today"
SOURCES = ("simulated", "recorded")

FOREVER = "2100-01-01T00:00:00Z"
OLD_LAW_ENDS = "2026-12-12T00:00:00Z"  # 2024/2881 repeals 2008/50/EC
WHO = "2021-09-22T00:00:00Z"  # its global air quality guidelines

# (key of the text, value, valid from, valid to); ug/m3 and ppm
LIMITS: dict[str, Sequence[tuple[str, float, str, str]]] = {
    "pm10": (
        ("limit.pm10.day", 50, "2005-01-01T00:00:00Z", OLD_LAW_ENDS),
        ("limit.pm10.day_2030", 45, OLD_LAW_ENDS, FOREVER),
        ("limit.who.pm10", 45, WHO, FOREVER),
    ),
    "pm25": (
        ("limit.pm25.year", 25, "2015-01-01T00:00:00Z", OLD_LAW_ENDS),
        ("limit.pm25.day_2030", 25, OLD_LAW_ENDS, FOREVER),
        ("limit.who.pm25", 15, WHO, FOREVER),
    ),
    "no2": (
        ("limit.no2.hour", 200, "2010-01-01T00:00:00Z", OLD_LAW_ENDS),
        ("limit.no2.day_2030", 50, OLD_LAW_ENDS, FOREVER),
        ("limit.who.no2", 25, WHO, FOREVER),
    ),
    "co2": (("limit.co2.guide", 1000, "2008-01-01T00:00:00Z", FOREVER), ("limit.co2.high", 2000, "2008-01-01T00:00:00Z", FOREVER)),
}


STATION = Column(heading="column.station")
NEWEST = Column(heading="column.newest", unit=units.DateTimeFromNow)
REFUSED = Column(heading="column.refused", decimals=0)
SHARES = {"completeness": share_column("completeness"), "good": share_column("good_share")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A time series panel: its key in the catalogue, the observed properties it shows, and how."""

    key: str
    properties: tuple[str, ...]
    unit: str
    decimals: int = 1
    minimum: float | None = 0
    sql: str = "mean"


ROWS: Sequence[tuple[str, Sequence[Course]]] = (
    (
        "row.mobility",
        (
            Course(key="traffic", sql="rate", properties=("vehicle_count",), unit="unit.vehicles", decimals=0),
            Course(key="cycles", sql="rate", properties=("cycle_count",), unit="unit.bicycles", decimals=0),
            Course(key="border", sql="rate", properties=("border_crossings",), unit="unit.vehicles", decimals=0),
        ),
    ),
    (
        "row.parking",
        (
            Course(key="parking", sql="parking", properties=("occupied_spaces", "free_spaces"), unit=units.PercentUnit, decimals=0),
            Course(key="charging", properties=("charging_power",), unit=units.KiloWatt),
        ),
    ),
    (
        "row.energy",
        (
            Course(key="wind", properties=("wind_power",), unit=units.KiloWatt, decimals=0),
            Course(key="solar", properties=("pv_power",), unit=units.KiloWatt),
            Course(key="heat", properties=("heat_power",), unit=units.KiloWatt, decimals=0),
        ),
    ),
    (
        "row.environment",
        (
            Course(key="pm25", properties=("pm2.5",), unit=units.MicrogramPerCubicMeter),
            Course(key="pm10", properties=("pm10",), unit=units.MicrogramPerCubicMeter),
            Course(key="no2", properties=("no2",), unit=units.MicrogramPerCubicMeter),
            Course(key="noise", properties=("laeq",), unit="suffix: dB(A)"),
            Course(key="co2", properties=("co2",), unit=units.PartsPerMillion, decimals=0),
        ),
    ),
    ("row.water", (Course(key="water", properties=("water_level",), unit=units.Meter, decimals=2, minimum=None),)),
)


def build(words: Words, uid_of: UidOf, languages: Sequence[str]) -> builders.Dashboard:
    """Define the board in one language; `uid_of(language)` names its sisters."""
    board = new_board(words, "region_today", uid_of, languages).with_variable(_only_good(words))
    groups: list[tuple[str, list[Panel]]] = [("row.overview", _overview(words))]
    groups += [(row, [_course(words, course, wide=len(courses) == 1) for course in courses]) for row, courses in ROWS]
    dict(groups)["row.parking"].append(_bays(words))
    groups.append(("row.tables", _tables(words)))
    return with_rows(board, words, groups)


def _only_good(words: Words) -> Builder[dashboard.VariableModel]:
    return (
        builders.CustomVariable("only_good")
        .label(words["variable.only_good"])
        .values(", ".join(f"{words[f'only_good.{value}']} : {value}" for value in ("1", "0")))
        .current(dashboard.VariableOption(selected=True, text=words["only_good.1"], value="1"))
    )


def _overview(words: Words) -> list[Panel]:
    reporting = {"reporting": Column(heading="column.reporting"), "silent": Column(heading="column.silent")}
    age = {"age": Column(heading="column.age", unit=units.Seconds, decimals=0)}
    stations = {
        "theme": theme_column(words),
        "stations": Column(heading="column.stations"),
        "reporting": Column(heading="column.reporting"),
        "readings": Column(heading="column.readings"),
        **SHARES,
    }
    places = {
        "station": STATION,
        "theme": theme_column(words),
        "latitude": Column(heading="column.latitude", decimals=4),
        "longitude": Column(heading="column.longitude", decimals=4),
        "flag": Column(heading="column.flag", mappings=[flag_mapping(words)]),
        "latest": Column(heading="column.values"),
        "newest": NEWEST,
    }
    low_is_good = ((None, "green"), (300, "yellow"), (900, "red"))
    high_is_good = ((None, "red"), (0.75, "yellow"), (0.9, "green"))
    return [
        stat_panel(words, "stations", "stations", reporting).span(6).height(4),
        stat_panel(words, "newest", "newest", age, steps=low_is_good).span(6).height(4),
        stat_panel(words, "overall", "overall", SHARES, steps=high_is_good).span(7).height(4),
        stat_panel(words, "dead_letters", "dead_letters", {"refused": REFUSED}, steps=((None, "green"), (1, "yellow")))
        .span(5)
        .height(4),
        map_panel(words, "map", "map", places).span(14).height(12),
        table_panel(words, "themes", "themes", stations).span(10).height(12),
        _alerts(words),
    ]


def _alerts(words: Words) -> Panel:
    """Rules of the region's own, which the platform's catalogue does not have, show their names."""
    texts = {
        f"{rule.name}:{number}": f"{rule.titles[words.language]}: {level.titles[words.language]}"
        for rule in alert_rules()
        for number, level in enumerate(rule.levels, 1)
    }
    columns = {
        "alert": Column(heading="column.alert", mappings=[text_mapping(texts)]),
        "station": STATION,
        "property": Column(heading="column.property"),
        "begins": Column(heading="column.begins", unit="dateTimeAsLocal"),
        "ends": Column(heading="column.ends", unit="dateTimeAsLocal"),
        "acknowledged": Column(heading="column.acknowledged", unit=units.DateTimeFromNow),
    }
    return table_panel(words, "alerts", "alerts", columns).span(24).height(8)


def _course(words: Words, course: Course, *, wide: bool) -> Panel:
    limits = [
        Limit(label=words[key], value=value, valid_from=since, valid_to=until)
        for key, value, since, until in LIMITS.get(course.key, ())
    ]
    panel = series_panel(
        words,
        course.key,
        course.sql,
        course.properties,
        unit=words[course.unit] if course.unit.startswith("unit.") else course.unit,
        decimals=course.decimals,
        limits=limits,
        minimum=course.minimum,
    )
    return panel.span(24 if wide else 12).height(9)


def _bays(words: Words) -> Panel:
    columns = {
        "occupied": Column(heading="column.occupied", unit=units.PercentUnit, decimals=0),
        "known": Column(heading="column.known", decimals=0),
    }
    return stat_panel(words, "bays", "bays", columns).span(12).height(9)


def _tables(words: Words) -> list[Panel]:
    latest = {
        "station": STATION,
        "municipality": Column(heading="column.municipality"),
        "theme": theme_column(words),
        "property": Column(heading="column.property"),
        "latest": Column(heading="column.value"),
        "unit": Column(heading="column.unit"),
        "flag": Column(heading="column.flag", mappings=[flag_mapping(words)], coloured=True),
        "source": Column(heading="column.source", mappings=[word_mapping(words, "source", SOURCES)]),
        "newest": NEWEST,
    }
    reasons = {
        "reason": Column(heading="column.reason"),
        "refused": REFUSED,
        "devices": Column(heading="column.devices"),
        "newest": NEWEST,
    }
    return [
        table_panel(words, "latest", "latest", latest).span(16).height(12),
        table_panel(words, "reasons", "reasons", reasons).span(8).height(12),
    ]
