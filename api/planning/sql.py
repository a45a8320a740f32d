"""The statements of the planning API, read once from the files beside."""

from __future__ import annotations

from importlib.resources import files

_HERE = files("api.planning")

STATIONS = (_HERE / "stations.sql").read_bytes()
SERIES = (_HERE / "series.sql").read_bytes()
CHANGES = (_HERE / "changes.sql").read_bytes()
