from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from needs import need

from infra.servers import local
from infra.servers.embedded import EmbeddedPostgres, Rumqttd, Tansu
from infra.servers.kafka import Kafka
from infra.servers.mosquitto import Mosquitto
from infra.servers.process import unprivileged_user
from infra.servers.server import Server
from tests.conftest import Servers, in_database


@pytest.fixture
def empty_database(servers: Servers) -> Iterator[str]:
    url = servers.get("embedded").places.database_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE not_migrated")
        yield in_database(url, "not_migrated")
        connection.execute("DROP DATABASE not_migrated WITH (FORCE)")


def make_server(kind: str, data_dir: Path, **more: Any) -> Server:
    user = unprivileged_user()
    match kind:
        case "rumqttd":
            return Rumqttd(data_dir=data_dir, **more)
        case "tansu":
            return Tansu(data_dir=data_dir, **more)
        case "postgres-18":
            return EmbeddedPostgres(data_dir=data_dir, **more)
        case "mosquitto":
            return Mosquitto(data_dir=data_dir, user=user, **more)
        case "kafka":
            return Kafka(data_dir=data_dir, **more)
        case _:
            return local.LocalPostgres(data_dir=data_dir, user=user, **more)


@pytest.fixture(params=["rumqttd", "tansu", "postgres-18", "mosquitto", "kafka", "postgres-17"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Each server of both sets, not started, with a data directory of its own."""
    need("local" if request.param in ("mosquitto", "kafka", "postgres-17") else "embedded")
    server = make_server(request.param, tmp_path / "var")
    try:
        yield server
    finally:
        server.stop()
