"""Quality and completeness: what is missing, which test accused what, and which closed values changed."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import units

from grafana.boards.frame import Panel, UidOf, new_board, theme_column, with_rows
from grafana.panels import Column, share_column, shares_panel, stat_panel, table_panel, word_mapping
from grafana.words import Words

UID = "quality"
CAUSES = ("overruled", "judged", "neighbour", "ruleset", "patched", "deleted", "computed")

STATION = Column(heading="column.station")
SHARES = {"completeness": share_column("completeness"), "good": share_column("good_share")}
COUNTS = {"suspect": Column(heading="flag.3"), "failed": Column(heading="flag.4")}


def build(words: Words, uid_of: UidOf, languages: Sequence[str]) -> builders.Dashboard:
    """Define the board in one language; `uid_of(language)` names its sisters."""
    rows = [
        ("row.overview", _overview(words)),
        ("row.stations", [_stations(words)]),
        ("row.accused", _accused(words)),
    ]
    return with_rows(new_board(words, "quality", uid_of, languages), words, rows)


def _overview(words: Words) -> list[Panel]:
    high_is_good = ((None, "red"), (0.75, "yellow"), (0.9, "green"))
    revisions = {"revisions": Column(heading="column.revisions"), "buckets": Column(heading="column.buckets")}
    return [
        stat_panel(words, "overall", "overall", SHARES, steps=high_is_good).span(7).height(8),
        stat_panel(words, "revision_count", "revision_count", revisions).span(5).height(8),
        shares_panel(words, "quality_course", "quality").span(12).height(8),
    ]


def _stations(words: Words) -> Panel:
    columns = {
        "station": STATION,
        "theme": theme_column(words),
        "municipality": Column(heading="column.municipality"),
        "readings": Column(heading="column.readings"),
        **SHARES,
        **COUNTS,
        "unknown": Column(heading="flag.2"),
        "missing": Column(heading="flag.9"),
    }
    return table_panel(words, "quality_stations", "quality_stations", columns).span(24).height(12)


def _accused(words: Words) -> list[Panel]:
    verdicts = {
        "test": Column(heading="column.test"),
        **COUNTS,
        "datastreams": Column(heading="column.datastreams"),
        "newest": Column(heading="column.newest", unit=units.DateTimeFromNow),
    }
    revised = {
        "changed": Column(heading="column.changed", unit=units.DateTimeFromNow),
        "station": STATION,
        "property": Column(heading="column.property"),
        "bucket": Column(heading="column.bucket", unit="dateTimeAsLocal"),
        "revisions": Column(heading="column.revisions"),
        "cause": Column(heading="column.cause", mappings=[word_mapping(words, "cause", CAUSES)]),
    }
    return [
        table_panel(words, "verdicts", "verdicts", verdicts).span(9).height(12),
        table_panel(words, "revised", "revised", revised).span(15).height(12),
    ]
