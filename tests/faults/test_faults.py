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


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    with tempfile.TemporaryDirectory(prefix="grenzregion-faults-") as folder, Theatre(Path(folder)) as made:
        yield made


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_fault_costs_no_reading(theatre: Theatre, scenario: Scenario) -> None:
    limit = LONGEST_RECOVERY_S if scenario.recovery_s is not None else None
    try:
        theatre.play(scenario, SCALE, limit_s=limit)
    except BaseException:
        theatre.discard()
        raise


def test_nothing_is_left_of_the_platforms(theatre: Theatre) -> None:
    theatre.clear()
