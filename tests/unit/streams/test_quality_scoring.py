"""The rulesets keep their promises on a small sample, and the score counts what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from devices.inventory import Inventory, load_inventory
from devices.replay.readers import sensor_community
from devices.replay.recordings import DATA
from grenzregion.cli import app
from streams.quality.context import judge_window
from streams.quality.flags import of_test
from streams.quality.rules import IN_CONTEXT, FlatLine, Rules, Spike, TimingGap
from streams.quality.scoring.recorded import recorded
from streams.quality.scoring.report import BEGIN, END, put_into, report
from streams.quality.scoring.samples import STUCK_STATE, Event, Sample, rules_of, simulated
from streams.quality.scoring.tally import Score, score
from streams.quality.window import Window

BEGINS = datetime(2026, 2, 1, tzinfo=UTC)
# One of each kind that sends numbers. Resets are rare: the meters alone are watched for longer.
KINDS = {
    "air", "noise", "weather", "water_baltic", "indoor", "traffic_counter", "district_heating", "pv", "cycle_counter", "bus_stop",
    "parking_bay",
}  # fmt: skip


def some_stations() -> Inventory:
    inventory = load_inventory()
    first = {station.kind: station for station in reversed(inventory.stations) if station.kind in KINDS}
    return replace(inventory, stations=tuple(first.values()))


def charging(channel: str) -> Inventory:
    inventory = load_inventory()
    points = [station for station in inventory.stations if station.kind == "charging_point"]
    return replace(inventory, stations=tuple(replace(point, channels=(point.channel(channel),)) for point in points))


@pytest.fixture(scope="module")
def total() -> Score:
    of_all = simulated(some_stations(), 8, BEGINS, BEGINS + timedelta(days=40))
    of_meters = simulated(charging("charging_energy"), 8, BEGINS, BEGINS + timedelta(days=150))
    return score([*of_all, *of_meters])


@pytest.mark.parametrize("kind", ["spike", "flat_line", "gap", "counter_reset"])
def test_nine_of_ten_faults_are_seen_by_their_own_test(total: Score, kind: str) -> None:
    assert total.kinds[kind].visible >= 4
    assert total.recall(kind) >= 0.9


def test_hardly_a_good_reading_is_accused(total: Score) -> None:
    assert total.good > 400_000
    assert total.false_alarm_rate <= 0.005


def test_alarms_of_each_test_are_mostly_right(total: Score) -> None:
    for test in ("spike", "timing_gap", "counter_reset", "gross_range"):
        assert total.right_alarms[test] >= 0.6 * total.alarms[test] > 0


def test_a_state_that_stays_is_told_apart_from_a_flat_line() -> None:
    total = score(list(simulated(charging("charging_status"), 8, BEGINS, BEGINS + timedelta(days=40))))
    assert "flat_line" not in total.kinds
    assert total.kinds[STUCK_STATE].by_any == 0 < total.kinds[STUCK_STATE].visible


RULES = Rules(
    version=1,
    timing_gap=TimingGap(suspect_s=20),
    spike=Spike(suspect=5),
    flat_line=FlatLine(suspect_s=30, slack_s=0, exclude_to=0),
)


def sample(value: list[float], *events: Event, times: list[float] | None = None) -> Sample:
    time = np.array(times or [10.0 * place for place in range(len(value))])
    wrong = np.array([any(event.start_s <= moment < event.end_s for event in events) for moment in time])
    nothing = float("nan")
    spans = (-50.0, 50.0, nothing, nothing)
    values = np.array(value, dtype=np.float64)
    return Sample(name="s/c", theme="t", time_s=time, value=values, wrong=wrong, events=events, rules=RULES, spans=spans)


def test_a_fault_counts_as_seen_by_its_own_test_alone() -> None:
    spike, drift = Event(kind="spike", start_s=15, end_s=25), Event(kind="drift", start_s=45, end_s=55)
    found = score([sample([0, 0, 9, 0, 0, 99, 0, 0], spike, drift)])
    assert (found.kinds["spike"].by_own, found.kinds["spike"].by_any) == (1, 1)
    assert (found.kinds["drift"].by_own, found.kinds["drift"].by_any) == (0, 1)
    assert (found.recall("spike"), found.recall("drift")) == (1, 1)
    assert (found.good, found.accused, found.alarms["spike"], found.right_alarms["spike"]) == (6, 0, 2, 2)


def test_a_missed_fault_and_a_false_alarm_count() -> None:
    missed = Event(kind="spike", start_s=15, end_s=25)
    found = score([sample([0, 0, 3, 0, 9, 0, 0], missed)])
    assert (found.recall("spike"), found.false_alarm_rate, found.missed) == (0, 1 / 6, [("s/c", missed)])
    assert found.accused_by == {("t", "spike"): 1}


def test_a_gap_is_seen_by_the_reading_after_it_which_is_no_false_alarm() -> None:
    gap = Event(kind="gap", start_s=15, end_s=55)
    found = score([sample([0, 0, 0, 0], gap, times=[0, 10, 60, 70])])
    assert (found.recall("gap"), found.good, found.accused) == (1, 3, 0)
    at_the_end = score([sample([0, 0], gap, times=[0, 10])])
    assert (at_the_end.recall("gap"), at_the_end.good) == (0, 2)


def test_what_nobody_can_see_does_not_count_as_missed() -> None:
    found = score([sample([0, 0, 0, 0, 0], Event(kind="flat_line", start_s=5, end_s=45, visible=False))])
    assert (found.kinds["flat_line"].faults, found.kinds["flat_line"].visible, found.missed) == (1, 0, [])


def test_marked_recordings_are_judged_as_they_are_marked() -> None:
    by_name = {given.name: score([given]) for given in recorded()}
    level, surge = by_name["ioos-water-level"], by_name["vlissingen"]
    assert [level.recall(kind) for kind in ("spike", "flat_line", "gap")] == [1, 1, 1]
    assert level.false_alarm_rate <= 0.005
    assert (surge.recall("gap"), surge.accused) == (1, 0)


DIA = "TYD;20090101;0000;20090101;0500;60;min\n[WRD]\n-124/0:-86/0:-33/25:\n52/0:174/0:\n"


def test_a_providers_own_flags_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.dia").write_text(DIA)
    *_, given = recorded(tmp_path)
    assert given.time_s[0] == datetime(2008, 12, 31, 23, tzinfo=UTC).timestamp()
    assert given.value.tolist() == [-1.24, -0.86, -0.33, 0.52, 1.74]
    assert given.wrong.tolist() == [False, False, True, False, False]
    (tmp_path / "x.dia").write_text(DIA.replace("TYD", "TYE"))
    with pytest.raises(ValueError, match=r"x\.dia: no time series"):
        list(recorded(tmp_path))


def test_the_tables_go_into_their_place_on_a_page(tmp_path: Path) -> None:
    page, text = tmp_path / "quality.md", report(some_stations(), days=1, every=4, folder=None)
    put_into(page, text)
    assert page.read_text() == f"{text}\n"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_into(page, text)
    assert page.read_text() == f"before\n{text}\nafter\n"
    page.write_text("no place")
    with pytest.raises(ValueError, match="has no place for the score"):
        put_into(page, text)


def test_the_command_prints_the_score_and_says_where_a_page_has_no_place_for_it(tmp_path: Path) -> None:
    runner, few = CliRunner(), ["quality", "score", "--days", "1", "--every", "40"]
    printed = runner.invoke(app, few)
    assert printed.exit_code == 0
    assert "False alarms: " in printed.output
    page = tmp_path / "page.md"
    page.write_text("no place")
    refused = runner.invoke(app, [*few, "--out", str(page)])
    assert (refused.exit_code, "error: " in refused.output) == (2, True)


def test_fireworks_are_suspect_and_never_fail() -> None:
    station = load_inventory().station("sensor-community-15092")
    readings = [(r.time, r.value) for _, r in sensor_community(DATA, "15092") if r.property == "pm10"]
    place = next(at for at, (time, _) in enumerate(readings) if time == datetime(2018, 12, 31, 20, 14, 13, tzinfo=UTC))
    around = readings[place - 40 : place + 5]
    window = Window(
        segment=np.zeros(len(around), dtype=np.intp),
        time_us=np.array([time.timestamp() * 1e6 for time, _ in around]).astype(np.int64),
        value=np.array([value for _, value in around]),
        usable=np.ones(len(around), dtype=np.bool_),
        rules=[rules_of(station, station.channel("pm10"))],
    )
    flags = judge_window(window)
    assert around[40][1] == 353.13
    assert of_test(flags, "spike")[40] == of_test(flags, "rate_of_change")[40] == 3
    assert not any((of_test(flags, name) == 4).any() for name in IN_CONTEXT)
