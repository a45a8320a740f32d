"""What the worker tells about itself: Prometheus metrics and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from streams.alerts.watcher import Overview
from streams.intake import Intake


class _Alerts(Collector):
    """Figures of alerts, taken when they are asked for."""

    def __init__(self, overview: Callable[[], Overview]) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """Give them all."""
        now = self._overview()
        raised = CounterMetricFamily("grenzregion_alerts_raised", "alerts that this worker raised", labels=["rule"])
        for rule, count in now.raised.items():
            raised.add_metric([rule], count)
        yield raised
        yield GaugeMetricFamily("grenzregion_alerts_open", "alerts that last", now.open)
        yield GaugeMetricFamily(
            "grenzregion_alerts_lag_seconds", "age of the oldest change of readings that no rule has looked at", now.lag_s
        )
        yield GaugeMetricFamily("grenzregion_alerts_outbox", "transitions that a sink has not confirmed yet", now.outbox)


class Figures:
    """Metrics of one worker; names are listed in docs/metrics.md."""

    def __init__(
        self,
        is_waiting: Callable[[], bool],
        pause: Callable[[], str | None] = lambda: None,
        quarantined: Callable[[], int] = lambda: 0,
        alerts: Callable[[], Overview] = Overview,
    ) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._is_waiting = is_waiting
        self._pause = pause
        self._stored = Counter(
            "grenzregion_worker_readings", "readings handed to the store, repeated ones included", registry=self.registry
        )
        self._refused = Counter(
            "grenzregion_worker_refused_readings", "readings sent to the dead letters", ["reason"], registry=self.registry
        )
        self._batches = Counter("grenzregion_worker_batches", "transactions committed", registry=self.registry)
        self._last = Gauge("grenzregion_worker_last_commit_seconds", "Unix time of the last commit", registry=self.registry)

        Gauge("grenzregion_worker_paused", "1 while it waits for `grenzregion resume`", registry=self.registry).set_function(
            lambda: float(pause() is not None)
        )
        Gauge("grenzregion_worker_quarantined_devices", "devices that are set aside", registry=self.registry).set_function(
            lambda: float(quarantined())
        )
        self.registry.register(_Alerts(alerts))
        self._told = Counter(
            "grenzregion_alerts_told", "attempts to tell a webhook or a mail server", ["sink", "outcome"], registry=self.registry
        )
        self._given_up = Gauge(
            "grenzregion_alerts_given_up", "messages that webhooks and mail servers will not get", registry=self.registry
        )

    def count_told(self, sink: str, taken: bool) -> None:
        """Take note of an attempt to tell a webhook or a mail server of an alert."""
        self._told.labels(sink, "taken" if taken else "refused").inc()

    def set_untold(self, _waiting: int, given_up: int) -> None:
        """Take note of how much was given up."""
        self._given_up.set(given_up)

    def count(self, intake: Intake) -> None:
        """Take note of a committed batch."""
        self._stored.inc(len(intake.candidates) + intake.created)
        self._batches.inc()
        self._last.set_to_current_time()
        for letter in intake.letters:
            self._refused.labels(letter.reason).inc(letter.readings)

    def complaints(self) -> list[str]:
        """Say why this worker is not ready; empty: it is."""
        paused = self._pause()
        if paused is not None:
            return [paused]
        return ["partitions are being assigned"] if self._is_waiting() else []
