"""Verdicts in context depend on the stored rows alone: not on order, cuts, what is remembered, or what was there meanwhile."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streams import changes, context, registry, rejudge, rulesets, store
from streams import rows as table
from streams.candidate import Channel
from streams.quality import rules as quality
from streams.rulebook import RuleBook
from streams.tails import Tails
from tests.integration.streams.conftest import RECEIVED, Road, message, reading

RULES = quality.Rules(
    version=7,
    timing_gap=quality.TimingGap(suspect_s=150, fail_s=400),
    spike=quality.Spike(suspect=5, fail=20),
    rate_of_change=quality.RateOfChange(suspect_per_s=0.2, fail_per_s=1),
    flat_line=quality.FlatLine(suspect_s=240, fail_s=480, slack_s=130),
    hampel=quality.Hampel(readings=5),
    duplicate=True,
)
BOOK = RuleBook(main=RULES)
LIMITS = store.StoreLimits()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTES = st.one_of(st.integers(0, 25), st.sampled_from([0.5, 100, 101, 102, 180.5, 600]))
VALUES = st.one_of(st.sampled_from([20.0, 20.0, 20.0, 20.5, 45.0, 99.0]), st.none())
STEPS = st.one_of(
    st.tuples(st.just("batch"), st.lists(st.tuples(MINUTES, VALUES), min_size=1, max_size=8)),
    st.tuples(st.just("batch"), st.lists(st.tuples(MINUTES, VALUES), min_size=1, max_size=8)),
    st.tuples(st.just("patch"), st.tuples(st.integers(0, 30), VALUES)),
    st.tuples(st.just("move"), st.tuples(st.integers(0, 30), MINUTES)),
    st.tuples(st.just("delete"), st.integers(0, 30)),
    st.tuples(st.just("forget"), st.none()),
)


@pytest.fixture(autouse=True)
def judged_in_context(monkeypatch: pytest.MonkeyPatch) -> None:
    def rules_for(*_: object, **__: object) -> quality.Rules:
        return RULES

    monkeypatch.setattr(registry, "rules_for", rules_for)


async def clear(road: Road) -> None:
    await road.connection.execute(
        "TRUNCATE observation, aggregate, datastream_summary, receipt, dead_letter, revision, stored_outbox"
    )


async def stored_rows(road: Road) -> table.Rows:
    """All rows, read as judging reads them."""
    numbers = [row[0] for row in await road.rows("SELECT id FROM datastream ORDER BY id")]
    everything = (0, 4_102_444_800_000_000)
    return await rejudge.load(road.connection, {n: [everything] for n in numbers}, dict.fromkeys(numbers, BOOK), LIMITS.future_s)


async def verdicts(road: Road) -> list[tuple[Any, ...]]:
    return await road.rows(
        "SELECT datastream_id, phenomenon_time, number, flag, tests, ruleset FROM read.observation ORDER BY 1, 2, discriminator"
    )


async def check(road: Road) -> None:
    """Whatever happened: the tables say what judging all rows at once says."""
    rows = await stored_rows(road)
    assert [(len(rows),)] == await road.rows("SELECT count(*) FROM observation")
    numbers = set(rows["datastream"].tolist())
    at_once = context.judge_again(rows, dict.fromkeys(numbers, (0, 4_102_444_800_000_000)), dict.fromkeys(numbers, BOOK))
    wrong = [(row["time"], hex(row["tests"]), row["flag"]) for row in at_once.changed]
    assert not wrong
    of_aggregates = await road.rows("SELECT flag, sum(n), sum(sum) FROM aggregate WHERE span = 'hour' GROUP BY flag ORDER BY flag")
    assert of_aggregates == await road.rows(
        "SELECT flag, count(*), coalesce(sum(number::text::numeric), 0) FROM read.observation GROUP BY flag ORDER BY flag"
    )
    stale = await road.rows(
        "SELECT 1 FROM datastream_summary s JOIN read.observation o ON o.id = s.latest_id"
        " WHERE (s.latest_flag, s.latest_tests, s.latest_ruleset) IS DISTINCT FROM (o.flag, o.tests, o.ruleset)"
    )
    assert not stale
    broken = await road.rows(
        "SELECT r.* FROM (SELECT DISTINCT ON (observation_id) * FROM revision ORDER BY observation_id, id DESC) r"
        " JOIN read.observation o ON o.id = r.observation_id WHERE (r.new ->> 'flag')::int <> o.flag"
    )
    assert not broken


async def ids(road: Road) -> list[tuple[int, int]]:
    return await road.rows("SELECT id, datastream_id FROM read.observation ORDER BY datastream_id, phenomenon_time, id")  # type: ignore[return-value]


async def edit(road: Road, place: int, values: dict[str, Any] | None) -> None:
    there = await ids(road)
    if not there:
        return
    number, _ = there[place % len(there)]

    async def give(_connection: object, _stored: object) -> dict[str, Any]:
        return values or {}

    async with road.connection.transaction():
        if values is None:
            await changes.delete(road.connection, number, give)
        else:
            await changes.change(road.connection, number, give, registry_channels, LIMITS)


async def registry_channels(connection: Any, numbers: Any) -> dict[int, Channel]:
    return await registry.channels_by_id(connection, list(numbers))


def at(minute: float) -> datetime:
    return RECEIVED - timedelta(hours=3) + timedelta(minutes=minute)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=8), st.booleans())
@example([("batch", [(m, 20.0) for m in range(12)]), ("batch", [(12, 45.0)]), ("batch", [(13, 20.0)]), ("delete", 12)], True)
@example(
    [("batch", [(0, 20.0), (1, 45.0), (2, 20.0)]), ("delete", 1), ("batch", [(1, 45.0), (3, 20.0)]), ("batch", [(4, 99)])], True
)
async def test_after_each_step_verdicts_are_those_of_all_rows(road: Road, steps: list[tuple[str, Any]], cached: bool) -> None:
    await clear(road)
    tails = Tails() if cached else None
    for seq, (what, given_) in enumerate(steps):
        if what == "batch":
            intake = await road.take_in([message(*(reading(m, value, "t") for m, value in given_), seq=seq)])
            start, road.offset = road.offset, road.offset + 1
            await store.store_batch(road.connection, intake, road.claim, start, road.offset, LIMITS, tails)
        elif what == "patch":
            await edit(road, given_[0], {"result": given_[1]})
        elif what == "move":
            await edit(road, given_[0], {"phenomenon_time": at(given_[1])})
        elif what == "delete":
            await edit(road, given_, None)
        elif tails is not None:
            tails.clear()
        await check(road)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(MINUTES, VALUES), min_size=3, max_size=20, unique_by=lambda r: r[0]), st.randoms(use_true_random=False))
async def test_any_order_ends_in_equal_verdicts(road: Road, sent: list[tuple[float, Any]], random: Any) -> None:
    await clear(road)
    for seq, (minute, value) in enumerate(sorted(sent, key=lambda r: r[0])):
        await road.run(message(reading(minute, value), seq=seq))
    in_order = await verdicts(road)
    await clear(road)
    shuffled = [(minute, value, seq) for seq, (minute, value) in enumerate(sorted(sent, key=lambda r: r[0]))]
    random.shuffle(shuffled)
    for minute, value, seq in shuffled + shuffled[:3]:
        await road.run(message(reading(minute, value), seq=seq))
    assert await verdicts(road) == in_order


async def test_a_spike_is_pending_until_the_next_reading_comes(road: Road) -> None:
    tails = Tails()
    spike = table.np.int64(0xF) << np.int64(20)
    seen: list[list[int]] = []
    for seq, value in enumerate([20.0, 20.0, 35.0, 20.0]):
        intake = await road.take_in([message(reading(seq, value), seq=seq)])
        await store.store_batch(road.connection, intake, road.claim, seq, seq + 1, LIMITS, tails)
        seen.append([(row[4] & int(spike)) >> 20 for row in await verdicts(road)])
    assert seen == [[2], [2, 2], [2, 1, 2], [2, 1, 3, 2]]


async def test_another_version_judges_its_span_again_as_revisions(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    laxer = dataclasses.replace(RULES, version=8, spike=quality.Spike(suspect=50), rate_of_change=None, hampel=None)

    def rules_for(_key: str, _station: str | None, _own: object, version: int, **_: object) -> quality.Rules:
        return laxer if version == laxer.version else RULES

    monkeypatch.setattr(registry, "rules_for", rules_for)
    monkeypatch.setattr(rulesets, "versions", lambda: (7, 8))
    await road.run(*(message(reading(m, 45.0 if m in {3, 13} else 20.0 + m % 2), seq=m) for m in range(20)))
    assert [row[0] for row in await road.rows("SELECT flag FROM observation ORDER BY phenomenon_time")].count(1) < 20
    (found,) = await road.rows("SELECT id FROM datastream WHERE channel = 't'")
    judged = await rulesets.judge_by(road.connection, found[0], at(10), at(16), 8, LIMITS)
    assert judged == 7
    versions = await road.rows("SELECT ruleset, count(*) FROM observation GROUP BY 1 ORDER BY 1")
    assert versions == [(7, 13), (8, 7)]
    assert await road.rows("SELECT DISTINCT min(ruleset_low), max(ruleset_high) FROM aggregate GROUP BY span") == [(7, 8)]
    revised = await road.rows("SELECT cause, old ->> 'flag', new ->> 'flag', new ->> 'ruleset' FROM revision")
    assert ("ruleset", "4", "1", "8") in revised
    assert {row[0] for row in revised} == {"ruleset"}
    before = await verdicts(road)
    await road.run(message(reading(20, 20.0), seq=20), message(reading(13, 45.0), seq=13))  # the span stays its version's
    assert (await verdicts(road))[:18] == before[:18]
    with pytest.raises(rulesets.RulesetError, match="no version 9"):
        await rulesets.judge_by(road.connection, found[0], at(10), at(16), 9, LIMITS)
    with pytest.raises(rulesets.UnknownDatastreamError):
        await rulesets.judge_by(road.connection, 999_999, at(10), at(16), 8, LIMITS)
