"""A running application on a database of its own, and bodies that it accepts."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from pydantic import SecretStr

from api.app import create_app
from infra.settings import ApiSettings

TOKEN = "a-token-of-tests"
ROOT = "https://region.example/sta/v1.1"
TABLES = (
    "thing",
    "location",
    "thing_location",
    "historical_location",
    "historical_location_location",
    "sensor",
    "observed_property",
    "datastream",
    "feature_of_interest",
    "observation",
    "datastream_summary",
    "stored_outbox",
)

POINT = {"type": "Point", "coordinates": [9.43, 54.78]}
SENSOR = {"name": "SPS30", "description": "dust", "encodingType": "text/plain", "metadata": "a laser counts particles"}
OBSERVED_PROPERTY = {"name": "PM2.5", "definition": "https://example.org/pm2.5", "description": "fine dust"}
UNIT = {"name": "microgram per cubic metre", "symbol": "µg/m³", "definition": "ug/m3"}
LOCATION = {"name": "Flensburg", "description": "harbour", "encodingType": "application/geo+json", "location": POINT}
FEATURE = {"name": "Flensburg", "description": "air", "encodingType": "application/geo+json", "feature": POINT}
DATASTREAM = {
    "name": "dust",
    "description": "dust at the harbour",
    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
    "unitOfMeasurement": UNIT,
    "Sensor": SENSOR,
    "ObservedProperty": OBSERVED_PROPERTY,
}
THING = {"name": "station", "description": "at the harbour", "Locations": [LOCATION], "Datastreams": [DATASTREAM]}


def having(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with other values; None takes a name away."""
    changed = copy.deepcopy(body) | copy.deepcopy(changes)
    return {name: value for name, value in changed.items() if value is not None}


def settings_for(database: str, data_dir: Path, **changes: Any) -> ApiSettings:
    values: dict[str, Any] = {
        "database_url": database,
        "kafka": "127.0.0.1:1",
        "mqtt_port": 1,
        "data_dir": data_dir,
        "token": SecretStr(TOKEN),
        "public_url": "https://region.example/sta",
        "body_bytes": 200_000,
    }
    return ApiSettings(**(values | changes))


@asynccontextmanager
async def running(settings: ApiSettings, *, headers: dict[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/v1.1/", headers=headers) as client:
            yield client


_COUNT = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in TABLES)
_connections: dict[str, psycopg.Connection[Any]] = {}


def counts(database: str) -> dict[str, int]:
    """Rows of every table that a create could touch."""
    if database not in _connections:
        _connections[database] = psycopg.connect(database, autocommit=True)
    return dict(_connections[database].execute(_COUNT).fetchall())


def stop_counting() -> None:
    while _connections:
        _connections.popitem()[1].close()
