"""Wiring: what was stored into alerts, and alerts onto MQTT and into the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from infra.settings import WorkerSettings
from streams.alerts.publish import AlertPublisher, MqttSender
from streams.alerts.rules import alert_rules
from streams.alerts.sending import AlertSender
from streams.alerts.sinks import sinks_of
from streams.alerts.store import AlertStore
from streams.alerts.watcher import AlertWatcher
from streams.consequences import StoreLimits
from streams.sessions import Pool


def attach(settings: WorkerSettings, pool: Pool, limits: StoreLimits) -> tuple[AlertWatcher, AlertPublisher, MqttSender]:
    """Make what watches and what tells; raises `RuleError` and `SinksError` for files that can't be used."""
    broker = MqttSender(
        host=settings.mqtt_host,
        port=settings.mqtt_port,
        user=settings.mqtt_user,
        password=settings.mqtt_password.get_secret_value(),
        client_id=f"grenzregion-{settings.worker_id}-alerts",
    )
    store = AlertStore(alert_rules(settings.alert_rules), sinks_of(settings), limits.grace)
    return AlertWatcher(pool, store), AlertPublisher(pool, settings.kafka, broker), broker


def sending(
    settings: WorkerSettings, pool: Pool, on_attempt: Callable[[str, bool], None], on_backlog: Callable[[int, int], None]
) -> AlertSender:
    """Make what tells webhooks and mails; raises as `attach` does."""
    return AlertSender(
        pool,
        sinks_of(settings),
        alert_rules(settings.alert_rules),
        give_up=timedelta(hours=settings.alert_give_up_hours),
        on_attempt=on_attempt,
        on_backlog=on_backlog,
    )
