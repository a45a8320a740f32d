"""When the worker pauses (decisions.md 5)."""

from __future__ import annotations

from ingest_mqtt.contract import RawMessage
from streams.intake import Intake, Letter
from streams.pause import FEWEST_DEVICES, LAST_MESSAGES, MOST_FAILURES, Watch, is_enough, source_of


def batch(good: int, bad: int, *, devices: int = FEWEST_DEVICES) -> Intake:
    """So many good messages, then so many bad ones of devices in turn."""
    topics = [f"region/1/default/dev-{number % devices}/up/json" for number in range(bad)]
    letters = [
        Letter(message=RawMessage(topic=topic, payload=b"", received_us=0), tenant="default", device="d", identity=None,
               reason="bug", detail="KeyError", refused=None, readings=1)
        for topic in topics
    ]  # fmt: skip
    return Intake(messages=good + bad, failures=[(good + place, topic) for place, topic in enumerate(topics)], letters=letters)


def test_more_than_half_of_the_last_messages_of_ten_devices_is_too_much() -> None:
    alarm = Watch().look_ahead(batch(0, MOST_FAILURES + 1))
    assert alarm is not None
    assert (alarm.failures, alarm.messages, alarm.devices) == (MOST_FAILURES + 1, MOST_FAILURES + 1, FEWEST_DEVICES)
    assert alarm.example.endswith("bug: KeyError")


def test_exactly_half_is_not() -> None:
    assert Watch().look_ahead(batch(0, MOST_FAILURES)) is None


def test_fewer_devices_are_not_a_fault_of_the_platform() -> None:
    assert Watch().look_ahead(batch(0, LAST_MESSAGES, devices=FEWEST_DEVICES - 1)) is None


def test_failures_that_are_long_ago_count_no_more() -> None:
    watch = Watch()
    watch.add(batch(0, MOST_FAILURES))
    watch.add(batch(LAST_MESSAGES - MOST_FAILURES, 0))
    assert watch.look_ahead(batch(1, 1)) is None  # each new failure has pushed an old one out
    watch = Watch()
    watch.add(batch(0, MOST_FAILURES))
    watch.add(batch(LAST_MESSAGES - MOST_FAILURES - 1, 0))
    assert watch.look_ahead(batch(0, 1)) is not None


def test_a_batch_that_was_only_looked_at_is_not_counted() -> None:
    watch = Watch()
    for _ in range(3):
        assert watch.look_ahead(batch(0, MOST_FAILURES)) is None


def test_good_messages_at_a_batchs_end_do_not_hide_the_bad_ones_before() -> None:
    intake = batch(0, MOST_FAILURES + 1)
    intake.messages += LAST_MESSAGES
    assert Watch().look_ahead(intake) is not None


def test_after_a_pause_counting_begins_anew() -> None:
    watch = Watch()
    watch.add(batch(0, MOST_FAILURES))
    watch.clear()
    assert watch.look_ahead(batch(0, 1)) is None


def test_sources_are_devices_or_topics_of_clients() -> None:
    assert source_of("region/1/default/dev-1/up/json") == "default/dev-1"
    assert source_of("v1.1/Datastreams(1)/Observations") == "v1.1/Datastreams(1)/Observations"
    assert is_enough(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] * 51)
    assert not is_enough(["a"] * 1000)
    assert not is_enough(["a", "b"] * 250)
