"""The region's inventory as SensorThings entities, through the API's own writer (decisions.md 23)."""

from __future__ import annotations


def import_inventory(database_url: str) -> None:
    """Make the entities that are not there yet; may be repeated."""
