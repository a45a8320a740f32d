from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.candidate import Candidate, Channel, Kind
from streams.judge import judge
from streams.quality.tests import TESTS

RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANNEL: dict[str, Any] = {"datastream_id": 1, "thing_id": 1, "unit": "Cel"}
SPANS = {"fail_low": -40.0, "fail_high": 60.0, "suspect_low": -30.0, "suspect_high": 45.0}
SITE = {"site_lon": 9.43, "site_lat": 54.79}


def candidate(number: float | None = 20.0, *, channel: dict[str, Any] = SPANS, **given: Any) -> Candidate:
    return Candidate(channel=Channel(**CHANNEL, **channel), **{"time": RECEIVED, "received": RECEIVED, "number": number, **given})


def verdict(*candidates: Candidate) -> list[tuple[int, dict[str, int]]]:
    flags, packed = judge(candidates)
    tests = [{name: bits >> 4 * place & 15 for place, name in enumerate(TESTS)} for bits in packed.tolist()]
    tests = [{name: flag for name, flag in of_one.items() if flag} for of_one in tests]
    return list(zip(flags.tolist(), tests, strict=True))


def test_a_reading_within_all_limits_is_good() -> None:
    assert verdict(candidate()) == [(1, {"syntax": 1, "gross_range": 1})]


def test_the_worst_verdict_counts_and_each_reading_has_its_own() -> None:
    assert verdict(candidate(46), candidate(61), candidate(45)) == [
        (3, {"syntax": 1, "gross_range": 3}),
        (4, {"syntax": 1, "gross_range": 4}),
        (1, {"syntax": 1, "gross_range": 1}),
    ]


def test_without_spans_a_number_is_not_evaluated() -> None:
    assert verdict(candidate(channel={})) == [(2, {"syntax": 1, "gross_range": 2})]


def test_a_text_has_no_range_and_is_good() -> None:
    assert verdict(candidate(None, result='"open"', channel={})) == [(1, {"syntax": 1})]


@pytest.mark.parametrize(
    ("kind", "given", "flag"),
    [
        (Kind.NUMBER, {"number": None, "result": '"wet"'}, 4), (Kind.NUMBER, {"number": None, "result": "true"}, 4),
        (Kind.NUMBER, {"number": 1.5}, 1), (Kind.NUMBER, {"number": 2.0**60, "result": str(2**60 + 1)}, 1),
        (Kind.COUNT, {"number": 3.0}, 1), (Kind.COUNT, {"number": 3.5}, 4), (Kind.COUNT, {"number": None, "result": '"3"'}, 4),
        (Kind.TRUTH, {"number": None, "result": "false"}, 1), (Kind.TRUTH, {"number": 1.0}, 4),
        (Kind.TRUTH, {"number": None, "result": '"true"'}, 4),
        (Kind.NUMBER, {"number": None, "missing": True}, 9), (Kind.TRUTH, {"number": None, "missing": True}, 9),
    ],
)  # fmt: skip
def test_a_result_that_is_not_of_its_observation_type_fails_syntax(kind: Kind, given: dict[str, Any], flag: int) -> None:
    [(found, tests)] = verdict(candidate(channel={"fail_low": -1e99, "kind": kind}, **given))
    assert (found, tests["syntax"]) == (flag, 4 if flag == 4 else 1)


def test_no_value_is_missing_whatever_else_is_wrong() -> None:
    [(flag, tests)] = verdict(candidate(None, missing=True, time=RECEIVED + timedelta(hours=1)))
    assert (flag, tests["timing_gap"]) == (9, 4)


@pytest.mark.parametrize(("ahead", "flag"), [(timedelta(minutes=5), 1), (timedelta(minutes=5, microseconds=1), 4)])
def test_a_stamp_ahead_of_reception_fails_beyond_five_minutes(ahead: timedelta, flag: int) -> None:
    assert verdict(candidate(time=RECEIVED + ahead))[0][0] == flag


def test_a_position_is_judged_by_the_site() -> None:
    channel = {**SPANS, **SITE}
    near, far = candidate(position=(9.43, 54.79), channel=channel), candidate(position=(9.5, 54.79), channel=channel)
    assert [(flag, tests["location"]) for flag, tests in verdict(near, far)] == [(1, 1), (3, 3)]


def test_a_position_is_judged_by_the_box_where_there_is_one() -> None:
    channel = {**SPANS, **SITE, "box": (8.0, 54.0, 10.0, 55.0)}
    inside, outside = candidate(position=(9.9, 54.1), channel=channel), candidate(position=(10.1, 54.79, 3.0), channel=channel)
    assert [(flag, tests["location"]) for flag, tests in verdict(inside, outside)] == [(1, 1), (3, 3)]


def test_a_reading_without_position_beside_one_with_it_is_not_judged_by_place() -> None:
    _, (flag, tests) = verdict(candidate(position=(9.43, 54.79), channel={**SPANS, **SITE}), candidate(channel={**SPANS, **SITE}))
    assert (flag, "location" in tests) == (1, False)


def test_a_place_that_no_site_can_judge_does_not_keep_a_good_reading_from_being_good() -> None:
    [(flag, tests)] = verdict(candidate(position=(9.43, 54.79)))
    assert (flag, tests["location"]) == (1, 2)


PARTS = {"parts": ((0.0, 100.0, 10.0, 90.0), (-1.0, 1.0, float("nan"), float("nan")))}


@pytest.mark.parametrize(
    ("numbers", "flag"),
    [((50.0, 0.0), 1), ((91.0, 0.0), 3), ((91.0, 1.1), 4), ((float("nan"), 1.0), 1), ((float("nan"), float("nan")), 0)],
)
def test_the_worst_part_of_a_multidatastreams_result_counts(numbers: tuple[float, ...], flag: int) -> None:
    of_many = candidate(None, result="[…]", numbers=numbers, channel=PARTS)
    neighbour = candidate(61)
    (_, tests), (_, of_neighbour) = verdict(of_many, neighbour)
    assert (tests.get("gross_range", 0), of_neighbour["gross_range"]) == (flag, 4)
