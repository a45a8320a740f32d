"""Small builders for the panels that boards use, all with one data source, one look and the same words for flags and shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import geomap, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard

from grafana.queries import Limit, query
from grafana.words import Words

DATASOURCE_TYPE = "grafana-postgresql-datasource"
DATASOURCE_UID = "grenzregion-postgresql"
DATASOURCE = dashboard.DataSourceRef(type_val=DATASOURCE_TYPE, uid=DATASOURCE_UID)

FLAGS = {0: "text", 1: "green", 2: "blue", 3: "yellow", 4: "red", 9: "purple"}  # 0 is ours: silent


class SqlQuery(Dataquery, Builder[Dataquery]):
    """A query of the PostgreSQL data source, for which the SDK has no builder; `form` is `time_series` or `table`."""

    def __init__(self, sql: str, *, form: str, ref_id: str = "A") -> None:
        self.sql = sql
        self.form = form
        self.ref_id = ref_id

    def build(self) -> Dataquery:
        """Give itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """Give the model that Grafana's code editor writes."""
        return {
            "refId": self.ref_id,
            "datasource": DATASOURCE,
            "format": self.form,
            "rawQuery": True,
            "editorMode": "code",
            "rawSql": self.sql,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How a column of a query is shown: heading (a key of the catalogue), unit, mappings from value to text, or not at all."""

    heading: str
    unit: str | None = None
    decimals: int | None = None
    mappings: Sequence[dashboard.ValueMapping] = ()
    coloured: bool = False
    hidden: bool = False

    def properties(self, words: Words) -> list[dashboard.DynamicConfigValue]:
        """Give the field override."""
        found: list[tuple[str, object]] = [("displayName", words[self.heading])]
        if self.unit is not None:
            found.append(("unit", self.unit))
        if self.decimals is not None:
            found.append(("decimals", self.decimals))
        if self.mappings:
            found.append(("mappings", list(self.mappings)))
        if self.coloured:
            found.append(("custom.cellOptions", {"type": "color-text"}))
        if self.hidden:
            found.append(("custom.hidden", True))
        return _values(found)


def _values(items: Sequence[tuple[str, object]]) -> list[dashboard.DynamicConfigValue]:
    return [dashboard.DynamicConfigValue(id_val=name, value=value) for name, value in items]


def flag_mapping(words: Words) -> dashboard.ValueMapping:
    """Give words and colours of QARTOD's flags."""
    options = {
        str(flag): dashboard.ValueMappingResult(text=words[f"flag.{flag}"], color=colour, index=index)
        for index, (flag, colour) in enumerate(FLAGS.items())
    }
    return dashboard.ValueMap(options=options)


def word_mapping(words: Words, prefix: str, codes: Sequence[str]) -> dashboard.ValueMapping:
    """Give words for codes in the data: the catalogue has `prefix.code` for each."""
    return text_mapping({code: words[f"{prefix}.{code}"] for code in codes})


def text_mapping(texts: Mapping[str, str]) -> dashboard.ValueMapping:
    """Give texts for codes in the data; other codes are shown as they are."""
    return dashboard.ValueMap(
        options={code: dashboard.ValueMappingResult(text=text, index=index) for index, (code, text) in enumerate(texts.items())}
    )


def share_column(heading: str) -> Column:
    """Show a share between 0 and 1 as per cent."""
    return Column(heading=heading, unit="percentunit", decimals=1)


def thresholds(*steps: tuple[float | None, str]) -> builders.ThresholdsConfig:
    """Colour from a value on; the first has none."""
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=colour) for value, colour in steps])
    )


def stat_panel(
    words: Words,
    key: str,
    sql: str,
    columns: Mapping[str, Column],
    *,
    steps: Sequence[tuple[float | None, str]] = ((None, "text"),),
) -> stat.Panel:
    """Build figures in large type: one row, each column one figure."""
    panel = (
        stat.Panel()
        .title(words[f"{key}.title"])
        .description(words[f"{key}.description"])
        .datasource(DATASOURCE)
        .with_target(SqlQuery(query(sql, language=words.language), form="table"))
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("/.*/"))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .thresholds(thresholds(*steps))
        .no_value(words["no_data"])
    )
    for name, column in columns.items():
        panel = panel.override_by_name(name, column.properties(words))
    return panel


def table_panel(words: Words, key: str, sql: str, columns: Mapping[str, Column]) -> table.Panel:
    """Build a table; every column of the query needs its heading (the gate checks it)."""
    panel = (
        table.Panel()
        .title(words[f"{key}.title"])
        .description(words[f"{key}.description"])
        .datasource(DATASOURCE)
        .with_target(SqlQuery(query(sql, language=words.language), form="table"))
        .filterable(True)
        .no_value(words["no_data"])
    )
    for name, column in columns.items():
        panel = panel.override_by_name(name, column.properties(words))
    return panel


def map_panel(words: Words, key: str, sql: str, columns: Mapping[str, Column]) -> geomap.Panel:
    """Build a map: points at the columns `latitude` and `longitude`, coloured by `flag`."""
    place = (
        common_builders.FrameGeometrySource()
        .mode(common.FrameGeometrySourceMode.COORDS)
        .latitude("latitude")
        .longitude("longitude")
    )
    style: dict[str, Any] = {
        "color": {"field": "flag", "fixed": "dark-green"},
        "size": {"fixed": 7, "min": 5, "max": 12},
        "opacity": 0.8,
        "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
    }
    layer = (
        common_builders.MapLayerOptions()
        .type("markers")
        .name(words[f"{key}.title"])
        .config({"showLegend": False, "style": style})
        .location(place)
        .tooltip(True)
    )
    flag_steps = thresholds((None, FLAGS[0]), *((flag, colour) for flag, colour in FLAGS.items() if flag))
    panel = (
        geomap.Panel()
        .title(words[f"{key}.title"])
        .description(words[f"{key}.description"])
        .datasource(DATASOURCE)
        .with_target(SqlQuery(query(sql, language=words.language), form="table"))
        .view(geomap.MapViewConfig().id("fit").all_layers(True).padding(5))
        .controls(geomap.ControlsOptions().show_zoom(True).mouse_wheel_zoom(False).show_attribution(True).show_scale(True))
        .basemap(common_builders.MapLayerOptions().type("default").name("basemap"))
        .layers([layer])
        .thresholds(flag_steps)
        .no_value(words["no_data"])
    )
    for name, column in columns.items():
        panel = panel.override_by_name(name, column.properties(words))
    return panel


def series_panel(
    words: Words,
    key: str,
    sql: str,
    properties: Sequence[str],
    *,
    unit: str,
    decimals: int = 1,
    limits: Sequence[Limit] = (),
    minimum: float | None = None,
) -> timeseries.Panel:
    """Build a chart of `sql`, with completeness and the share of flag 1 of the same readings as thin lines on the right axis."""
    panel = (
        timeseries.Panel()
        .title(words[f"{key}.title"])
        .description(words[f"{key}.description"])
        .datasource(DATASOURCE)
        .unit(unit)
        .decimals(decimals)
        .with_target(SqlQuery(query(sql, language=words.language, properties=properties), form="time_series"))
        .with_target(SqlQuery(query("quality", language=words.language, properties=properties), form="time_series", ref_id="Q"))
        .line_width(1)
        .show_points(common.VisibilityMode.AUTO)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .show_legend(True)
            .calcs(["lastNotNull", "mean", "max"])
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
        .override_by_name("completeness", _share_line(words["completeness"], "text"))
        .override_by_name("good", _share_line(words["good_share"], "green"))
        .no_value(words["no_data"])
    )
    if minimum is not None:
        panel = panel.min(minimum)
    if limits:
        panel = panel.with_target(
            SqlQuery(query("limits", language=words.language, limits=limits), form="time_series", ref_id="L")
        ).override_by_query("L", _limit_line())
    return panel


def shares_panel(words: Words, key: str, sql: str) -> timeseries.Panel:
    """Build a chart of completeness and the share of flag 1, the columns of `sql`."""
    return (
        timeseries.Panel()
        .title(words[f"{key}.title"])
        .description(words[f"{key}.description"])
        .datasource(DATASOURCE)
        .unit("percentunit")
        .decimals(0)
        .min(0)
        .max(1)
        .with_target(SqlQuery(query(sql, language=words.language), form="time_series"))
        .line_width(1)
        .show_points(common.VisibilityMode.AUTO)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .override_by_name("completeness", _values([("displayName", words["completeness"])]))
        .override_by_name("good", _values([("displayName", words["good_share"])]))
        .no_value(words["no_data"])
    )


def _share_line(text: str, colour: str) -> list[dashboard.DynamicConfigValue]:
    return _values(
        [
            ("displayName", text),
            ("unit", "percentunit"),
            ("decimals", 0),
            ("min", 0),
            ("max", 1),
            ("color", {"mode": "fixed", "fixedColor": colour}),
            ("custom.axisPlacement", "right"),
            ("custom.lineWidth", 1),
            ("custom.lineStyle", {"fill": "dash", "dash": [2, 6]}),
            ("custom.showPoints", "never"),
        ]
    )


def _limit_line() -> list[dashboard.DynamicConfigValue]:
    return _values(
        [
            ("color", {"mode": "fixed", "fixedColor": "red"}),
            ("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
            ("custom.showPoints", "never"),
        ]
    )
