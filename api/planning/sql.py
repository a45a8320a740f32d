"""The statements of the planning API, read once from the files beside."""

from __future__ import annotations

from importlib.resources import files

_HERE = files("api.planning")

STATIONS = (_HERE / "stations.sql").read_bytes()
SERIES = (_HERE / "series.sql").read_bytes()
CHANGES = (_HERE / "changes.sql").read_bytes()
FIGURE_HEAD = (_HERE / "figure_head.sql").read_bytes()
FIGURE_BUCKETS = (_HERE / "figure_buckets.sql").read_bytes()
FIGURE_AGGREGATES = (_HERE / "figure_aggregates.sql").read_bytes()
FIGURE_ROWS = (_HERE / "figure_rows.sql").read_bytes()
FIGURE_ROWS_AS_OF = (_HERE / "figure_rows_as_of.sql").read_bytes()
FIGURE_CHANGES = (_HERE / "figure_changes.sql").read_bytes()
REVISIONS = (_HERE / "revisions.sql").read_bytes()
