from __future__ import annotations

from types import SimpleNamespace

import pytest

from infra import log


class Admin:
    """A log with so many brokers; keeps how often a topic was to be copied."""

    def __init__(self, brokers: int) -> None:
        self.brokers = brokers
        self.asked: list[int] = []

    def list_topics(self, *, timeout: float) -> SimpleNamespace:
        assert timeout > 0
        return SimpleNamespace(brokers=dict.fromkeys(range(self.brokers)))

    def create_topics(self, topics, **_options) -> dict[str, SimpleNamespace]:
        self.asked += [topic.replication_factor for topic in topics]
        return {topic.topic: SimpleNamespace(result=lambda _timeout_s: None) for topic in topics}

    def describe_topics(self, *_topics, **_options) -> dict[str, SimpleNamespace]:
        found = SimpleNamespace(topic_id="id", partitions=[0, 1])
        return {"t": SimpleNamespace(result=lambda _timeout_s: found)}


@pytest.mark.parametrize(("brokers", "copies"), [(0, 1), (1, 1), (2, 2), (3, 3), (4, 3)])
def test_a_topic_has_a_copy_on_each_of_up_to_three_brokers(monkeypatch: pytest.MonkeyPatch, brokers: int, copies: int) -> None:
    admin = Admin(brokers)
    monkeypatch.setattr(log, "_admin", lambda _bootstrap: admin)
    assert log.ensure_topic("127.0.0.1:1", "t", 2) == "id"
    assert admin.asked == [copies]
