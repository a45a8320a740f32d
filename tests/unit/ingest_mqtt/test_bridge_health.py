"""Ready and live by what arrives and leaves, on both sides of each limit."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from ingest_mqtt.metrics import CONFIRM_LIMIT_S, LOOP_LIMIT_S, SILENCE_LIMIT_S, Figures, FiguresCollector

NOW = 1_000.0


def healthy(**changes: object) -> Figures:
    return Figures(**{"subscribed": True, "kafka_up": True, "last_traffic": NOW, "last_turn": NOW, **changes})  # type: ignore[arg-type]


def test_ready_when_messages_arrive_and_are_confirmed() -> None:
    assert healthy().complaints(NOW) == []
    assert healthy(oldest_unconfirmed=NOW - CONFIRM_LIMIT_S).complaints(NOW) == []
    assert healthy(last_traffic=NOW - SILENCE_LIMIT_S).complaints(NOW) == []


def test_not_ready_when_kafka_confirms_nothing() -> None:
    (complaint,) = healthy(oldest_unconfirmed=NOW - CONFIRM_LIMIT_S - 1).complaints(NOW)
    assert "Kafka confirmed nothing for 11 s" in complaint
    assert healthy(kafka_up=False).complaints(NOW) == ["no connection to Kafka"]


def test_not_ready_without_a_subscription_or_without_message_and_heartbeat() -> None:
    assert healthy(subscribed=False).complaints(NOW) == ["not subscribed at the MQTT broker"]
    (complaint,) = healthy(last_traffic=NOW - SILENCE_LIMIT_S - 1).complaints(NOW)
    assert "neither message nor heartbeat" in complaint


def test_dead_when_the_loop_stands_still() -> None:
    assert healthy(last_turn=NOW - LOOP_LIMIT_S).standstill(NOW) == []
    (complaint,) = healthy(last_turn=NOW - LOOP_LIMIT_S - 1).standstill(NOW)
    assert "stands still" in complaint


def test_every_figure_is_a_metric() -> None:
    registry = CollectorRegistry()
    registry.register(FiguresCollector(healthy(messages_in=7, refused={"bad_topic": 2}, oldest_unconfirmed=NOW - 3), lambda: NOW))
    text = generate_latest(registry).decode()
    assert "bridge_messages_in_total 7.0" in text
    assert 'bridge_refused_total{reason="bad_topic"} 2.0' in text
    assert "bridge_oldest_unconfirmed_seconds 3.0" in text


def test_every_metric_has_its_line_in_the_docs() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "metrics-bridge.md").read_text()
    for family in FiguresCollector(healthy(), lambda: NOW).collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        assert f"`{name}`" in documented or f"`{name}{{" in documented
