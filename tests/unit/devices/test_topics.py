from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices import topics
from devices.vocabulary import UndecodableError

names = st.from_regex(topics.NAME_PATTERN, fullmatch=True)


@example("default", "a", "json")
@given(names, names, st.sampled_from(topics.FORMATS))
def test_an_up_topic_survives_the_round_trip(tenant, device, form):
    topic = topics.up_topic(tenant, device, form)
    parsed = topics.parse_up(topic)
    assert (parsed.tenant, parsed.device, parsed.format) == (tenant, device, form)
    assert parsed.key == topics.device_key(topic) == f"{tenant}/{device}"


@example("default", "a")
@given(names, names)
def test_receipt_and_status_topics_survive_the_round_trip(tenant, device):
    assert topics.parse(topics.receipt_topic(tenant, device)) == topics.ReceiptTopic(tenant, device)
    assert topics.parse(topics.status_topic(tenant, device)) == topics.StatusTopic(tenant, device)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "region",
        "region/2/default/a/up/json",
        "region/1/default/a/up/",
        "region/1/default/a/up/json/more",
        "region/1/default/a/up/json\n",
        "region/1/default/../up/json",
        "region/1/Default/a/up/json",
        "region/1/default/a'; DROP TABLE thing;--/up/json",
        "region/1/default//up/json",
        "region/1/default/_a/up/json",
        "region/1/default/ä/up/json",
        f"region/1/default/{'a' * 64}/up/json",
        "region/1/default/a/down",
        "region/1/default/a/receipt",
        "region/1/default/a/status",
        "v1.1/Observations",
    ],
)
def test_any_other_topic_is_a_bad_topic(topic):
    with pytest.raises(UndecodableError) as caught:
        topics.parse_up(topic)
    assert caught.value.reason == "bad_topic"


def test_a_name_of_63_characters_is_the_longest():
    assert topics.is_name("a" * 63)
    assert not topics.is_name("a" * 64)


def test_an_unknown_format_has_its_own_reason():
    with pytest.raises(UndecodableError) as caught:
        topics.parse("region/1/default/a/up/xml")
    assert caught.value.reason == "unknown_format"
    with pytest.raises(ValueError, match="format 'xml'"):
        topics.up_topic("default", "a", "xml")


def test_a_wrong_name_is_named_when_a_topic_is_made():
    with pytest.raises(ValueError, match="tenant 'A b'"):
        topics.receipt_topic("A b", "a")
    with pytest.raises(ValueError, match="device"):
        topics.status_topic("default", "a/b")


@given(st.text())
def test_any_topic_has_a_partition_key(text):
    assert isinstance(topics.device_key(text), str)
    with contextlib.suppress(UndecodableError):
        topics.parse(text)
