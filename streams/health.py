"""What the worker tells about itself: Prometheus metrics and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.process_collector import ProcessCollector

from streams.intake import Intake


class Figures:
    """Metrics of one worker; names are listed in docs/metrics.md."""

    def __init__(
        self,
        is_waiting: Callable[[], bool],
        pause: Callable[[], str | None] = lambda: None,
        quarantined: Callable[[], int] = lambda: 0,
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
