"""Judging in context: its cost a reading, and beside ioos_qc on the same arrays: the same flags or a reason, and how much faster.

`python -m benchmarks.quality` makes an environment with ioos_qc (requirements/ioos.txt) in build/; `--python` names another.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from devices.inventory import load_inventory
from devices.replay import readers
from devices.replay.recordings import DATA
from devices.simulator.faults import faulty_values, truth
from devices.simulator.noise import Noise
from streams.quality.context import judge_window
from streams.quality.flags import aggregate_flag, of_test, pack
from streams.quality.rules import AttenuatedSignal, Climatology, FlatLine, RateOfChange, Rules, Spike, TimingGap
from streams.quality.tests import gross_range
from streams.quality.window import Floats, Window

REPOSITORY = Path(__file__).parents[1]
LOCK = REPOSITORY / "requirements" / "ioos.txt"
ROWS = 1_000
TESTS = ("gross_range", "timing_gap", "climatology", "spike", "rate_of_change", "flat_line", "attenuated_signal", "aggregate")
Flags = dict[str, npt.NDArray[np.int8]]
# One set of parameters for both, in the unit of the values and in seconds.
WATER = {
    "fail_low": -3.0, "fail_high": 4.5, "suspect_low": -1.0, "suspect_high": 1.2, "gap_s": 7200.0, "low": -0.8, "high": 1.0,
    "spike_suspect": 0.3, "spike_fail": 0.6, "rate_suspect": 3e-4, "rate_fail": 6e-4, "flat_suspect_s": 10_800.0,
    "flat_fail_s": 21_600.0, "tolerance": 0.0, "std_s": 21_600.0, "std_suspect": 0.02, "std_fail": 0.005,
}  # fmt: skip
AIR = WATER | {
    "fail_low": -40.0, "fail_high": 50.0, "suspect_low": -10.0, "suspect_high": 25.0, "gap_s": 600.0, "low": 2.0, "high": 18.0,
    "spike_suspect": 1.5, "spike_fail": 3.0, "rate_suspect": 3e-3, "rate_fail": 6e-3, "std_suspect": 0.05, "std_fail": 0.01,
}  # fmt: skip


def water_level() -> Floats:
    """Seconds and values (2, n) of the example data of ioos_qc, hourly with gaps."""
    return np.array([(reading.time.timestamp(), reading.value) for _, reading in readers.ioos(DATA, "")], dtype=np.float64).T


def air_temperature() -> Floats:
    """Seconds and values (2, n) of a simulated station under injected faults, every five minutes."""
    inventory, noise = load_inventory(), Noise(seed=5)
    station = next(station for station in inventory.stations if station.kind == "weather")
    begin, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 10, tzinfo=UTC)
    seconds = np.arange(begin.timestamp(), end.timestamp(), 300.0)
    faults = truth(noise, [station], begin, end)
    sent = faulty_values(noise, station, station.channel("air_temperature"), seconds, faults)
    return np.array([pair for pair in zip(seconds, sent, strict=True) if pair[1] is not None], dtype=np.float64).T


def rules_of(given: dict[str, float]) -> Rules:
    """Give the parameters as rules."""
    return Rules(
        version=1,
        timing_gap=TimingGap(suspect_s=given["gap_s"], fail_s=given["gap_s"]),
        climatology=Climatology(low=(given["low"],) * 288, high=(given["high"],) * 288, timezone="UTC"),
        spike=Spike(suspect=given["spike_suspect"], fail=given["spike_fail"]),
        rate_of_change=RateOfChange(suspect_per_s=given["rate_suspect"], fail_per_s=given["rate_fail"]),
        flat_line=FlatLine(
            suspect_s=given["flat_suspect_s"], fail_s=given["flat_fail_s"], tolerance=given["tolerance"], slack_s=0, least=3
        ),
        attenuated_signal=AttenuatedSignal(
            window_s=given["std_s"], suspect=given["std_suspect"], fail=given["std_fail"], slack_s=0, least=3
        ),
    )


def ours(seconds: Floats, value: Floats, given: dict[str, float], rules: Rules) -> Flags:
    """Give the flags of each test (n,) of one window."""
    spans = [np.full(len(value), given[bound]) for bound in ("fail_low", "fail_high", "suspect_low", "suspect_high")]
    alone = {"syntax": np.ones(len(value), dtype=np.int8), "gross_range": gross_range(value, *spans)}
    window = Window(
        segment=np.zeros(len(value), dtype=np.intp),
        time_us=np.rint(seconds * 1e6).astype(np.int64),
        value=value,
        usable=np.ones(len(value), dtype=np.bool_),  # ioos_qc knows no order among its tests
        rules=[rules],
    )
    packed = pack(alone) | judge_window(window)
    flags = {name: of_test(packed, name) for name in TESTS[:-1]}
    flags["aggregate"] = aggregate_flag(packed, np.zeros(len(value), dtype=np.bool_))
    return flags


def theirs(python: Path, seconds: Floats, value: Floats, given: dict[str, float]) -> tuple[Flags, float]:
    """Give the flags of each test (w, n) by ioos_qc, and its CPU seconds."""
    with tempfile.TemporaryDirectory() as place:
        asked, answer = Path(place) / "asked.npz", Path(place) / "answer.npz"
        np.savez(asked, seconds=seconds, value=value, **{name: np.float64(number) for name, number in given.items()})
        # -P: the modules beside the script are not its own.
        command = [str(python), "-P", str(REPOSITORY / "benchmarks" / "quality_ioos.py"), str(asked), str(answer)]
        subprocess.run(command, check=True)
        with np.load(answer) as judged:
            return {name: judged[name] for name in TESTS}, float(judged["took"])


def compare(mine: Flags, other: Flags, seconds: Floats, value: Floats) -> dict[str, dict[str, int]]:
    """Count the flags (w, n) that differ, by test and by the reason (docs/quality.md); what has none is "unexplained"."""
    first = np.zeros(value.shape, dtype=np.bool_)
    first[:, 0] = True
    accused = mine["spike"] >= 3
    beside = np.zeros_like(accused)
    beside[:, 1:] |= accused[:, :-1]
    beside[:, :-1] |= accused[:, 1:]
    step = np.diff(seconds, axis=1, prepend=np.nan)
    usual = np.nanmedian(step, axis=1, keepdims=True)
    uneven = np.zeros_like(accused)
    for back in range(round(21_600 / float(np.min(usual))) + 1):
        uneven[:, back + 1 :] |= step[:, 1 : value.shape[1] - back] != usual
    untold = (mine["aggregate"] == 1) & (other["aggregate"] == 1)
    no_history = mine["flat_line"] == 2
    reasons: dict[str, list[tuple[str, npt.NDArray[np.bool_]]]] = {
        "timing_gap": [("first row has no row before", first)],
        "spike": [("one side of a spike only", ~accused & (other["spike"] >= 3))],
        "rate_of_change": [("first row has no row before", first), ("row after a spike goes back", beside)],
        "flat_line": [("history missing", no_history), ("uneven times", uneven)],
        "attenuated_signal": [("history missing", mine["attenuated_signal"] == 2), ("uneven times", uneven)],
        "aggregate": [("follows from the tests", np.zeros_like(first)), ("", untold)],
    }
    counts: dict[str, dict[str, int]] = {}
    explained = np.zeros_like(first)
    for test in TESTS:
        left = mine[test] != other[test]
        counts[test] = {"rows": left.size, "differ": int(left.sum())}
        if test == "aggregate":
            counts[test]["follows from the tests"] = int((left & explained).sum())
            left = left & ~explained
        else:
            explained |= left
            for reason, where in reasons.get(test, []):
                counts[test][reason] = int((left & where).sum())
                left = left & ~where
        counts[test]["unexplained"] = int(left.sum())
    return counts


def python_with_ioos() -> Path:
    """Give the interpreter of an environment that has what the lock lists; made once, in build/."""
    place = REPOSITORY / "build" / f"ioos-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    python, stamp = place / "bin" / "python", place / ".complete"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(LOCK)], check=True)
        stamp.touch()
    return python


def fastest(action: Callable[[], object], rounds: int = 5) -> float:
    """CPU seconds of the fastest round."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        action()
        took.append(time.process_time() - began)
    return min(took)


def beside_ioos(name: str, series: Floats, given: dict[str, float], python: Path) -> None:
    """Print what both say about a series cut into windows of 1,000, and how long they take."""
    count = series.shape[1] // ROWS
    seconds, value = (line[: count * ROWS].reshape(count, ROWS) for line in series)
    rules = rules_of(given)
    windows = list(zip(seconds, value, strict=True))
    mine = [ours(*window, given, rules) for window in windows]
    took = fastest(lambda: [ours(*window, given, rules) for window in windows])
    other, their_took = theirs(python, seconds, value, given)
    counts = compare({test: np.stack([flags[test] for flags in mine]) for test in TESTS}, other, seconds, value)
    print(f"\n{name}: {count} windows of {ROWS}")
    for test, found in counts.items():
        print(f"  {test:18}", ", ".join(f"{count} {reason}" for reason, count in found.items()))
    print(
        f"  {took / count * 1e3:.2f} ms a window, ioos_qc {their_took / count * 1e3:.2f} ms: {their_took / took:.1f} times as fast"
    )


def cost(segments: int, rows: int, wanted: int | None = None) -> float:
    """CPU microseconds for each wanted row with all tests on."""
    value = np.round(np.random.default_rng(1).normal(10, 2, segments * rows), 1)
    rules = rules_of(AIR)
    window = Window(
        segment=np.repeat(np.arange(segments), rows),
        time_us=np.tile(np.arange(rows, dtype=np.int64) * 300_000_000, segments) + 1_750_000_000_000_000,
        value=value,
        usable=np.ones(len(value), dtype=np.bool_),
        rules=[rules] * segments,
        wanted=None if wanted is None else np.tile(np.arange(rows) >= rows - wanted, segments),
    )
    return fastest(lambda: judge_window(window)) / (segments * (wanted or rows)) * 1e6


def main() -> None:
    """Print both comparisons and the cost of windows of different shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="an interpreter that has ioos_qc 3.0.0")
    python = parser.parse_args().python or python_with_ioos()
    beside_ioos("water level, recorded", water_level(), WATER, python)
    beside_ioos("air temperature, simulated with faults", air_temperature(), AIR, python)
    print("\nCPU microseconds a row:")
    for segments, rows, wanted in ((10_000, 3, None), (100, 300, None), (1, 1_000, None), (1_000, 75, 3)):
        which = f", the last {wanted} of each judged" if wanted else ""
        print(f"  {segments:6,} Datastreams of {rows:5,} rows{which}: {cost(segments, rows, wanted):.2f}")


if __name__ == "__main__":
    main()
