"""The set `external`: somebody else runs the servers; their addresses come from the settings and nothing is started."""

from __future__ import annotations

import time
from collections.abc import Callable

from infra.database import DatabaseAwayError, wait_for_database
from infra.servers.asking import kafka_answers, mqtt_answers
from infra.servers.errors import NotReadyError
from infra.servers.set import Account, Places, Progress, ServerSet
from infra.settings import Settings


def external_set(settings: Settings, *, timeout_s: float = 60.0, progress: Progress = lambda _step: None) -> ServerSet:
    """Wait until the three servers answer; raises `NotReadyError`, which names the one that does not."""
    places = external_places(settings)
    account = places.mqtt_admin
    deadline = time.monotonic() + timeout_s
    progress("waiting for the database")
    try:
        wait_for_database(places.database_url, timeout_s)
    except DatabaseAwayError as error:
        raise NotReadyError(str(error)) from error
    progress("waiting for the log")
    _wait(f"the log at {places.kafka}", lambda: kafka_answers(places.kafka), deadline)
    progress("waiting for the MQTT broker")
    where = f"the MQTT broker at {places.mqtt_host}:{places.mqtt_port} (user {account.user or 'anonymous'})"
    _wait(where, lambda: mqtt_answers(places.mqtt_host, places.mqtt_port, account.user, account.password), deadline)
    return ServerSet(name="external", data_dir=settings.data_dir, servers=(), places=lambda: places)


def external_places(settings: Settings) -> Places:
    """Return where the settings say that the servers are."""
    return Places(
        database_url=settings.database_url,
        kafka=settings.kafka,
        mqtt_host=settings.mqtt_host,
        mqtt_port=settings.mqtt_port,
        mqtt_legacy_port=settings.mqtt_port,
        mqtt_accounts="given",
        mqtt_admin=Account(user=settings.mqtt_user, password=settings.mqtt_password.get_secret_value()),
    )


def _wait(what: str, answers: Callable[[], bool], deadline: float) -> None:
    while not answers():
        if time.monotonic() > deadline:
            raise NotReadyError(f"no answer from {what}")
        time.sleep(0.2)
