"""Every figure of the bridge, in one typed place, and whether it is healthy.

The hot path adds to plain integers; the collector turns them into Prometheus metrics when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

SILENCE_LIMIT_S = 30.0  # without a message or heartbeat from the broker
CONFIRM_LIMIT_S = 10.0  # without Kafka's confirmation of the oldest message
LOOP_LIMIT_S = 10.0  # without a turn of the loop


@dataclass(slots=True, kw_only=True)
class Figures:
    """What the bridge counts. Times are monotonic seconds."""

    messages_in: int = 0
    bytes_in: int = 0
    records_out: int = 0
    acks: int = 0
    reconnects: int = 0
    kafka_errors: int = 0
    refused: dict[str, int] = field(default_factory=dict[str, int])
    in_flight: int = 0
    subscribed: bool = False
    kafka_up: bool = False
    last_traffic: float = 0.0
    last_turn: float = 0.0
    oldest_unconfirmed: float | None = None

    def age_of_oldest(self, now: float) -> float:
        """Seconds that the oldest unconfirmed record has waited; 0 when there is none."""
        return max(0.0, now - self.oldest_unconfirmed) if self.oldest_unconfirmed is not None else 0.0

    def standstill(self, now: float) -> list[str]:
        """Why the bridge counts as dead; empty when it lives."""
        silent = now - self.last_turn
        return [f"its loop stands still for {silent:.0f} s"] if silent > LOOP_LIMIT_S else []

    def complaints(self, now: float) -> list[str]:
        """Why the bridge is not ready; empty when it is. Health is what arrives and leaves, not what a library thinks."""
        found = self.standstill(now)
        if not self.subscribed:
            found.append("not subscribed at the MQTT broker")
        elif now - self.last_traffic > SILENCE_LIMIT_S:
            found.append(f"neither message nor heartbeat came from the MQTT broker for {now - self.last_traffic:.0f} s")
        if self.age_of_oldest(now) > CONFIRM_LIMIT_S:
            found.append(f"Kafka confirmed nothing for {self.age_of_oldest(now):.0f} s")
        elif not self.kafka_up:
            found.append("no connection to Kafka")
        return found


class FiguresCollector(Collector):
    """`Figures` as Prometheus metrics (docs/metrics-bridge.md)."""

    def __init__(self, figures: Figures, clock: Callable[[], float]) -> None:
        self._figures = figures
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Give the metrics as they are now."""
        figures = self._figures
        yield CounterMetricFamily("bridge_messages_in", "MQTT messages received", figures.messages_in)
        yield CounterMetricFamily("bridge_payload_bytes_in", "bytes of their payloads", figures.bytes_in)
        yield CounterMetricFamily("bridge_records_out", "records given to Kafka", figures.records_out)
        yield CounterMetricFamily("bridge_acks", "messages acknowledged to the MQTT broker", figures.acks)
        yield CounterMetricFamily("bridge_reconnects", "lost connections to the MQTT broker", figures.reconnects)
        yield CounterMetricFamily("bridge_kafka_errors", "errors that Kafka's client reported", figures.kafka_errors)
        refused = CounterMetricFamily("bridge_refused", "messages marked for the dead letters", labels=["reason"])
        for reason, count in dict(figures.refused).items():
            refused.add_metric([reason], count)
        yield refused
        yield GaugeMetricFamily("bridge_in_flight", "messages received and not yet acknowledged", figures.in_flight)
        yield GaugeMetricFamily("bridge_subscribed", "1 when subscribed at the MQTT broker", int(figures.subscribed))
        yield GaugeMetricFamily("bridge_kafka_up", "1 when connected to Kafka", int(figures.kafka_up))
        yield GaugeMetricFamily(
            "bridge_oldest_unconfirmed_seconds",
            "age of the oldest message without Kafka's confirmation",
            figures.age_of_oldest(self._clock()),
        )
