"""The slope of a process's memory is that of one life, after its warm-up, and of nothing that was too short to tell."""

from __future__ import annotations

import pytest
from memory import LEAST_S, WARM_UP_S, Memory

MINUTE = 60.0


def lived(memory: Memory, life: int, *, begins: float, lasts: float, first_mb: float, mb_per_h: float) -> None:
    """Samples of a life every ten seconds, both ends included; in its warm-up it grows much faster."""
    at = 0.0
    while at <= lasts:
        memory.add("worker-1", life, begins + at, first_mb + min(at, WARM_UP_S) + max(0.0, at - WARM_UP_S) * mb_per_h / 3600)
        at += 10


def test_a_slope_is_that_of_the_longest_life_and_not_of_the_step_between_two() -> None:
    memory = Memory()
    lived(memory, 1, begins=0, lasts=20 * MINUTE, first_mb=100, mb_per_h=2)
    lived(memory, 2, begins=21 * MINUTE, lasts=25 * MINUTE, first_mb=500, mb_per_h=3)
    lived(memory, 3, begins=47 * MINUTE, lasts=16 * MINUTE, first_mb=20, mb_per_h=90)
    assert memory.slopes(WARM_UP_S) == {"worker-1": pytest.approx(3)}


@pytest.mark.parametrize(("lasts", "told"), [(WARM_UP_S + LEAST_S - 10, False), (WARM_UP_S + LEAST_S, True)])
def test_a_life_too_short_to_tell_has_no_slope(lasts: float, told: bool) -> None:
    memory = Memory()
    lived(memory, 1, begins=0, lasts=lasts, first_mb=100, mb_per_h=36)
    assert ("worker-1" in memory.slopes(WARM_UP_S)) is told


def test_deaths_that_nobody_caused_are_told() -> None:
    memory = Memory()
    for life in (1, 2, 3):
        lived(memory, life, begins=life * 1000, lasts=60, first_mb=1, mb_per_h=0)
    assert memory.died({}) == {"worker-1": 2}
    assert memory.died({"worker-1": 1}) == {"worker-1": 1}
    assert memory.died({"worker-1": 2}) == {}


def test_a_peak_is_the_highest_of_all_lives() -> None:
    memory = Memory()
    memory.add("api", 1, 0.0, 90.0)
    memory.add("api", 2, 10.0, 80.0)
    assert memory.peaks() == {"api": 90.0}
