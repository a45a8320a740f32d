from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from infra.log import LogError, PartitionsError, ensure_topic, topic_id
from infra.servers.server import free_port
from infra.servers.set import ServerSet

pytestmark = pytest.mark.integration


def test_topic_is_made_once_and_keeps_its_id(server_set: ServerSet) -> None:
    kafka, topic = server_set.places.kafka, f"t-{uuid4().hex}"
    with ThreadPoolExecutor(2) as two:
        first, second = two.map(lambda _: ensure_topic(kafka, topic, 3), range(2))
    assert first == second == topic_id(kafka, topic)


def test_two_topics_have_two_ids(server_set: ServerSet) -> None:
    kafka = server_set.places.kafka
    assert ensure_topic(kafka, f"t-{uuid4().hex}", 1) != ensure_topic(kafka, f"t-{uuid4().hex}", 1)


def test_other_number_of_partitions_is_refused(server_set: ServerSet) -> None:
    kafka, topic = server_set.places.kafka, f"t-{uuid4().hex}"
    ensure_topic(kafka, topic, 3)
    with pytest.raises(PartitionsError, match="has 3 partitions, the settings say 4"):
        ensure_topic(kafka, topic, 4)


def test_unknown_topic_is_an_error(server_set: ServerSet) -> None:
    with pytest.raises(LogError, match="nowhere"):
        topic_id(server_set.places.kafka, "nowhere")


def test_absent_log_is_an_error_in_one_line() -> None:
    with pytest.raises(LogError, match=r"127\.0\.0\.1") as caught:
        ensure_topic(f"127.0.0.1:{free_port()}", "t", 1, timeout_s=1)
    assert "\n" not in str(caught.value)
