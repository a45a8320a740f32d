"""What is published follows from the filters that somebody subscribed to; in doubt it is everything."""

import pytest

from api.sensorthings.interest import Greeting, Interest, matches, may_have_missed, read_filter
from devices.topics import CREATION_FILTERS


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("1795330220: part 1 v1.1/Datastreams(1)/Observations?$select=result", "v1.1/Datastreams(1)/Observations?$select=result"),
        ("1795330220: a name 2 with spaces 0 v1.1/Things", "v1.1/Things"),
        ("1: part 0 $share/g/v1.1/Things", "v1.1/Things"),
        ("1: part 0 #", "#"),
        ("1: part 0 +/Things", "+/Things"),
        ("1: part 0 v1.1/Observations", "v1.1/Observations"),
        ("1: grenzregion-bridge 1 v1.1/Observations", None),
        ("1: grenzregion-b2 1 $share/bridges/v1.1/+/Observations", None),
        ("1: grenzregion-page 1 v1.1/Things", "v1.1/Things"),
        ("1: gateway 1 region/1/flensburg/air-1/receipt", None),
        ("1: gateway 1 v1.0/Things", None),
        ("1: gateway 1 +", None),
        ("nothing like it", None),
    ],
)
def test_filters_that_concern_entities_are_read_from_the_brokers_log(line: str, found: str | None) -> None:
    assert read_filter(line, CREATION_FILTERS) == found


@pytest.mark.parametrize(
    ("pattern", "topic", "meets"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/b/c", "a/b", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("+/b/#", "a/c", False),
        ("#", "a", True),
    ],
)
def test_topics_meet_filters_as_mqtt_says(pattern: str, topic: str, meets: bool) -> None:
    assert matches(pattern.split("/"), topic.split("/")) is meets


def test_without_filters_nobody_listens() -> None:
    interest = Interest(["result"])
    assert not interest
    assert not interest.hears("v1.1/Things")
    assert interest.selections("v1.1/Observations") == ()
    assert not interest.concerns("Things")


def test_exact_filters_and_wildcards_are_heard_and_later_ones_too() -> None:
    interest = Interest()
    assert not interest.hears("v1.1/Datastreams(1)/Observations")
    interest.add("v1.1/Datastreams(1)/Observations")
    assert interest
    assert interest.hears("v1.1/Datastreams(1)/Observations")
    assert not interest.hears("v1.1/Datastreams(2)/Observations")
    assert interest.concerns("Observations")
    assert not interest.concerns("Things")
    interest.add("v1.1/+/Observations")
    assert interest.hears("v1.1/Datastreams(2)/Observations")
    assert interest.concerns("Things"), "a wildcard may concern anything"


def test_selections_are_those_asked_for_each_once() -> None:
    interest = Interest(["result"])
    interest.add("v1.1/Datastreams(1)/Observations?$select=phenomenonTime,result")
    assert interest
    assert interest.concerns("Observations")
    assert not interest.hears("v1.1/Datastreams(1)/Observations")
    interest.add("v1.1/+/Observations?$select=id")
    interest.add("v1.1/Datastreams(1)/Observations?$select=id")
    assert interest.selections("v1.1/Datastreams(1)/Observations") == ("phenomenonTime,result", "id")
    assert interest.selections("v1.1/Datastreams(2)/Observations") == ("id",)
    assert interest.selections("v1.1/Observations") == ()
    assert interest.concerns("Things"), "a wildcard may concern anything"


def test_a_filter_that_comes_again_changes_nothing() -> None:
    interest = Interest()
    for _ in range(3):
        for found in ("v1.1/Things", "v1.1/+/Observations", "v1.1/Things?$select=name", "v1.1/+/Things?$select=name"):
            interest.add(found)
    assert len(interest._patterns) == len(interest._selected_by) == len(interest._selected["v1.1/Things"]) == 1


def test_where_subscriptions_are_unknown_everything_is_published_with_the_usual_selections() -> None:
    interest = Interest(["result", ""])
    interest.add("v1.1/Observations?$select=id")
    interest.add("#")
    assert not interest.knows
    assert interest
    assert interest.hears("v1.1/Things(1)/name")
    assert interest.concerns("Things")
    assert interest.selections("v1.1/Observations") == ("id", "result")
    assert interest.selections("v1.1/Things") == ("result",)


def test_topics_are_remembered_within_bounds() -> None:
    interest = Interest()
    interest.add("v1.1/+/Observations")
    for number in range(50_001):
        assert interest.hears(f"v1.1/Datastreams({number})/Observations")


@pytest.mark.parametrize(
    ("tells", "resumed", "uptime_s", "away_s", "missed"),
    [
        (False, True, 0, 1.0, True),  # the broker tells nothing at all
        (True, False, 0, None, False),  # the very first start of both
        (True, False, 60, None, False),
        (True, False, 61, None, True),
        (True, False, None, None, True),
        (True, False, 0, 1.0, True),  # the broker lost the session
        (True, True, 99_999, 14.9, False),
        (True, True, 99_999, 15.0, True),  # what was told is kept for 20 s
        (True, True, None, 15.0, True),
        (True, True, 5, 99_999.0, False),  # broker and notifier were away
        (True, True, 6, 99_999.0, True),
    ],
)
def test_a_subscription_may_be_missed_only_where_the_broker_did_not_keep_it(
    tells: bool, resumed: bool, uptime_s: int | None, away_s: float | None, missed: bool
) -> None:
    assert may_have_missed(Greeting(tells=tells, resumed=resumed, uptime_s=uptime_s), away_s) is missed
