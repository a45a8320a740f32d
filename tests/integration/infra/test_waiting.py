from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from infra.database import DatabaseAwayError, conninfo_for, wait_for_database
from infra.servers.errors import NotReadyError
from infra.servers.external import external_set
from infra.servers.server import free_port
from infra.servers.set import ServerSet
from infra.settings import Settings

pytestmark = pytest.mark.integration


def settings_of(servers: ServerSet, data_dir: Path, **more: object) -> Settings:
    places = servers.places
    given = {
        "database_url": places.database_url,
        "kafka": places.kafka,
        "mqtt_host": places.mqtt_host,
        "mqtt_port": places.mqtt_port,
        "mqtt_user": places.mqtt_admin.user,
        "mqtt_password": SecretStr(places.mqtt_admin.password),
        "data_dir": data_dir,
    }
    return Settings.model_validate({**given, **more})


def test_external_takes_the_places_from_the_settings_and_stops_nothing(server_set: ServerSet, tmp_path: Path) -> None:
    said: list[str] = []
    with external_set(settings_of(server_set, tmp_path), progress=said.append) as external:
        assert external.servers == ()
        assert external.places.database_url == server_set.places.database_url
    assert all(server.pid for server in server_set.servers)
    assert said == ["waiting for the database", "waiting for the log", "waiting for the MQTT broker"]


@pytest.mark.parametrize("absent", ["database", "kafka", "mqtt"])
def test_external_names_the_server_that_does_not_answer(server_set: ServerSet, tmp_path: Path, absent: str) -> None:
    port = free_port()
    more: dict[str, object] = {
        "database": {"database_url": f"postgresql://u:secret@127.0.0.1:{port}/d"},
        "kafka": {"kafka": f"127.0.0.1:{port}"},
        "mqtt": {"mqtt_port": port},
    }[absent]
    with pytest.raises(NotReadyError, match=str(port)) as caught:
        external_set(settings_of(server_set, tmp_path, **more), timeout_s=0.1)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_wrong_password_or_database_is_said_at_once(server_set: ServerSet) -> None:
    url = server_set.places.database_url
    with pytest.raises(DatabaseAwayError, match="does not exist"):
        wait_for_database(url + "x", timeout_s=600)
    with pytest.raises(DatabaseAwayError, match="password authentication failed"):
        wait_for_database(url.replace("@", "x@"), timeout_s=600)


def test_connection_has_the_role_and_utc(database: str) -> None:
    with psycopg.connect(conninfo_for(database, process="test", role="grenzregion_reader")) as connection:
        found = connection.execute(
            "SELECT current_user, current_setting('TimeZone'), current_setting('application_name')"
        ).fetchone()
    assert found == ("grenzregion_reader", "UTC", "test")
