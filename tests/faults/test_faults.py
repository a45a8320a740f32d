"""Every fault once or a few times: nothing is lost, nothing is counted twice, every receipt is true, and the road goes on.

`make faults` plays the same scenarios with their full counts. `GRENZREGION_FAULTS_SCALE` sets the share of them played here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue import SCENARIOS
from stage import Scenario
from theatre import Theatre

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

SCALE = float(os.environ.get("GRENZREGION_FAULTS_SCALE", "0.02"))
LONGEST_RECOVERY_S = 120.0  # what is promised holds on an idle machine; this bound on a shared one


KINDS = tuple(dict.fromkeys(scenario.kind for scenario in SCENARIOS))
# After the faults of one kind of platform: what was sent to it meanwhile is compared with what is stored, promised and counted.
CASES: list[Scenario | str] = [
    case for kind in KINDS for case in (*(scenario for scenario in SCENARIOS if scenario.kind == kind), kind)
]


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    with tempfile.TemporaryDirectory(prefix="grenzregion-faults-") as folder, Theatre(Path(folder), together=True) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"settled-{case}" if isinstance(case, str) else case.name)
def test_a_fault_costs_no_reading(theatre: Theatre, case: Scenario | str) -> None:
    try:
        if isinstance(case, str):
            theatre.settle()
        else:
            theatre.play(case, SCALE, limit_s=LONGEST_RECOVERY_S if case.recovery_s is not None else None)
    except BaseException:
        theatre.discard()
        raise


def test_nothing_is_left_of_the_platforms(theatre: Theatre) -> None:
    theatre.clear()
