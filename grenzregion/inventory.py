"""The region's inventory as SensorThings entities, through the API's own writer (decisions.md 23)."""

from __future__ import annotations

import asyncio

from api.sensorthings.writer.importer import import_entities
from devices.inventory import load_inventory


def import_inventory(database_url: str) -> dict[str, int]:
    """Make the entities that are not there yet and count them by set; may be repeated."""
    return asyncio.run(import_entities(database_url, load_inventory()))
