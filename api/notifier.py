"""The notifier: a process that tells MQTT subscribers of stored and changed entities, at least once and in the order of storing.

It reads the table of notices, publishes and deletes. Storing never waits for it; what lags is kept in the table, for a while.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import ExitStack
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.process_collector import ProcessCollector

from api.database import statement
from api.publisher import NotConfirmedError, Publisher
from api.sensorthings.interest import EVERYTHING, Greeting, Interest, may_have_missed, read_filter
from api.sensorthings.subscriptions import Messages, read_notices
from devices.topics import CREATION_FILTERS
from infra.database import conninfo_for, wait_for_database
from infra.settings import NotifierSettings
from infra.telemetry import serve_telemetry, set_up_logging

_logger = logging.getLogger(__name__)

_IDLE_S = 0.2
_GATHER_S = 0.05  # a round for each stored Observation would cost as much as storing it
_RETRY_S = 2.0
_PRESENT_S = 5.0
_TAKE = statement(__file__, "take_notices.sql")
_PRESENT = statement(__file__, "renew_presence.sql")
_AWAY = "SELECT extract(epoch FROM now() - in_touch)::float8 FROM notifier WHERE in_touch IS NOT NULL"
_KNOWN = "SELECT filter FROM subscribed"
_REMEMBER = "INSERT INTO subscribed (filter) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
_DONE = "DELETE FROM notice WHERE id = ANY (%s)"
_GIVE_UP = "DELETE FROM notice WHERE made < now() - make_interval(secs => %s)"


class Notifier:
    """Takes notices from the database and publishes them, until it is stopped."""

    def __init__(self, settings: NotifierSettings, public_url: str) -> None:
        self._dsn = conninfo_for(settings.database_url, process="notifier")
        self._keep_s = settings.notifier_keep_s
        self._interest = Interest(settings.mqtt_selects.split(";"))
        self._heard: set[str] = set()  # and not yet remembered
        self._messages = Messages(public_url, self._interest)
        self._publisher = Publisher(settings, self._hear)
        self._greeted: Greeting | None = None
        self._renew_at = 0.0
        self.stopping = threading.Event()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._published = Counter("grenzregion_notifier_messages", "messages to subscribers", registry=self.registry)
        self._given_up = Counter("grenzregion_notifier_given_up", "notices that grew too old", registry=self.registry)
        self._lag = Gauge("grenzregion_notifier_lag_seconds", "age of the oldest notice", registry=self.registry)
        too_large = Gauge("grenzregion_notifier_too_large", "messages above the broker's limit", registry=self.registry)
        too_large.set_function(lambda: self._messages.too_large + self._publisher.too_large)
        filters = Gauge("grenzregion_notifier_publishes_everything", "1: unknown what is subscribed", registry=self.registry)
        filters.set_function(lambda: not self._interest.knows)

    def complaints(self) -> list[str]:
        """Say why it is not ready; empty: it is."""
        return [] if self._publisher.is_connected() else ["not connected to the MQTT broker"]

    def run(self) -> None:
        """Publish until stopped; broker and database may go and come back."""
        while not self.stopping.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True) as connection:
                    for (known,) in connection.execute(_KNOWN):
                        self._interest.add(known)
                    self._serve(connection)
            except (psycopg.OperationalError, NotConfirmedError) as error:
                _logger.warning("subscribers wait: %s", str(error).splitlines()[0] if str(error) else type(error).__name__)
                self.stopping.wait(_RETRY_S)
        self._publisher.stop()

    def _hear(self, line: str) -> None:
        found = read_filter(line, CREATION_FILTERS)
        if found is not None:
            self._heard.add(found)

    def _serve(self, connection: psycopg.Connection[Any]) -> None:
        while not self.stopping.is_set():
            self._publisher.turn()
            self._learn(connection)
            self._renew(connection)
            self.stopping.wait(_GATHER_S if self._work(connection) else _IDLE_S)

    def _learn(self, connection: psycopg.Connection[Any]) -> None:
        """Remember what was subscribed to, before the broker may forget that it told so."""
        greeting = self._publisher.greeting
        if greeting is not None and greeting is not self._greeted:
            away = connection.execute(_AWAY).fetchone()
            if may_have_missed(greeting, None if away is None else away[0]):
                if greeting.tells:
                    _logger.warning("who subscribed meanwhile is unknown: everything is published from now on")
                    self._heard.add(EVERYTHING)
                self._interest.knows = False
            self._greeted, self._renew_at = greeting, 0.0
        if self._heard:
            connection.execute(_REMEMBER, (list(self._heard),))
            for found in self._heard:
                self._interest.add(found)
            self._heard.clear()
        if greeting is not None:
            self._publisher.settle()

    def _renew(self, connection: psycopg.Connection[Any]) -> None:
        """Say that notices are wanted, and give up what is too old."""
        now = time.monotonic()
        if now < self._renew_at:
            return
        self._renew_at = now + _PRESENT_S
        greeted = self._greeted is not None and self._publisher.greeting is self._greeted
        tells = self._greeted is not None and self._greeted.tells
        connection.execute(_PRESENT, {"in_touch": greeted, "tells": tells})
        self._given_up.inc(max(0, connection.execute(_GIVE_UP, (self._keep_s,)).rowcount))

    def _work(self, connection: psycopg.Connection[Any]) -> bool:
        """Publish some notices; whether there were any."""
        taken = connection.execute(_TAKE).fetchall()
        self._lag.set(taken[0][1] if taken else 0.0)
        # What was subscribed to before these were stored, the broker has told by now.
        if not taken or not self._publisher.turn():
            return False
        self._learn(connection)
        if self._interest:
            notices = read_notices(row[2:] for row in taken)
            self._published.inc(self._publisher.publish(self._messages.of(connection, notices)))
        connection.execute(_DONE, ([row[0] for row in taken],))
        return True


def run(settings: NotifierSettings) -> None:
    """Tell subscribers until SIGTERM or SIGINT."""
    set_up_logging("notifier", settings.log_level)
    wait_for_database(settings.database_url)
    notifier = Notifier(settings, settings.url)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: notifier.stopping.set())
    with ExitStack() as stack:
        if settings.metrics_port:
            stack.enter_context(serve_telemetry(settings.metrics_port, notifier.registry, ready=notifier.complaints))
        notifier.run()
