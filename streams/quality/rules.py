"""The parameters of the tests in context: what one Datastream's rows are judged by under one version of its ruleset.

All numbers are in the Datastream's unit and in seconds. NaN: not set; a test that is None is not enabled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

NAN = float("nan")
# A value is compared with the nearest usable one among so many rows on each side: one bad row in between does not blind a test.
REACH = 2
DEFAULT_MANDATORY = ("syntax", "gross_range")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingGap:
    """More than `suspect_s` since the row before: 3; more than `fail_s`: 4.

    Every day from `pause_begin_h` until before `pause_end_h`, hours of the local time, nothing is expected and no time runs.
    """

    suspect_s: float
    fail_s: float = NAN
    pause_begin_h: float = NAN
    pause_end_h: float = NAN
    timezone: str = "Europe/Berlin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Climatology:
    """Bands by local month and hour, 12 x 24 each, row by row from January: outside is 3, where either bound is NaN 2."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    timezone: str = "Europe/Berlin"
    bounds: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", np.array((self.low, self.high), dtype=np.float64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """Bounds on abs(x[n] - (x[n-1] + x[n+1]) / 2); values further than `within_s` away are no neighbours.

    `modulus` is where the scale begins again: 360 for a direction in degrees.
    """

    suspect: float
    fail: float = NAN
    within_s: float = NAN
    modulus: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class RateOfChange:
    """Bounds on abs(dx) / dt per second; a shorter time than `least_s` counts as that. `modulus` as in `Spike`.

    The value before is the last one that is no spike: after a spike things go back to what they were, which is no fault.
    """

    suspect_per_s: float
    fail_per_s: float = NAN
    least_s: float = 1.0
    modulus: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatLine:
    """A range of at most `tolerance` over `suspect_s`: 3; over `fail_s`: 4.

    `slack_s` is how much further back than that the row may lie that opens the span; `least` is the fewest values in it.
    A series that stays at or below `exclude_to`, or at or above `exclude_from`, is genuine.
    """

    suspect_s: float
    fail_s: float = NAN
    tolerance: float = 0.0
    slack_s: float
    least: int = 3
    exclude_to: float = NAN
    exclude_from: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class AttenuatedSignal:
    """A standard deviation over `window_s` below `suspect`: 3; below `fail`: 4. The rest as in `FlatLine`."""

    window_s: float
    suspect: float
    fail: float = NAN
    slack_s: float
    least: int = 3
    exclude_to: float = NAN
    exclude_from: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Hampel:
    """Bounds on abs(x - median) / (1.4826 MAD) over the last `readings` rows, more than half of them usable.

    Less than `floor` off the median is never suspect.
    """

    readings: int = 7
    suspect: float = 3.0
    fail: float = NAN
    floor: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Bounds on the difference from the median of at least `least` stations within `radius_m`, none older than `within_s`."""

    suspect: float
    fail: float = NAN
    radius_m: float = 10_000.0
    within_s: float = 3600.0
    least: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterReset:
    """A decrease by more than `tolerance` is 3, unless it is a rollover: by more than half of `rollover`, the counter's modulus."""

    tolerance: float = 0.0
    rollover: float = NAN


# Tests in context whose parameters are numbers; neighbour is none, and a band has too many numbers for a row of a table.
NUMERIC = {
    "timing_gap": TimingGap,
    "spike": Spike,
    "rate_of_change": RateOfChange,
    "flat_line": FlatLine,
    "attenuated_signal": AttenuatedSignal,
    "hampel": Hampel,
    "counter_reset": CounterReset,
}
IN_CONTEXT = (
    "timing_gap", "climatology", "spike", "rate_of_change", "flat_line",
    "attenuated_signal", "hampel", "counter_reset", "duplicate",
)  # fmt: skip
# Places in `Rules.numbers`: for each test whether it is enabled, then its parameters.
_PARAMETERS = {name: tuple(f.name for f in fields(test) if f.type != "str") for name, test in NUMERIC.items()}
COLUMNS = {
    name: place
    for place, name in enumerate((*IN_CONTEXT, *(f"{test}.{name}" for test, names in _PARAMETERS.items() for name in names)))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One Datastream's rules under one version. Equal rules are equal and hash alike.

    A row's verdict depends on the rows of its Datastream that are at most `history_s` older, on the `history_rows` directly
    before it and on the `ahead_rows` directly after it (in the order of time and discriminator), on nothing else.
    `neighbour` is no test in context: it looks at other Datastreams.
    """

    version: int
    mandatory: tuple[str, ...] = DEFAULT_MANDATORY
    timing_gap: TimingGap | None = None
    climatology: Climatology | None = None
    spike: Spike | None = None
    rate_of_change: RateOfChange | None = None
    flat_line: FlatLine | None = None
    attenuated_signal: AttenuatedSignal | None = None
    hampel: Hampel | None = None
    neighbour: Neighbour | None = None
    counter_reset: CounterReset | None = None
    duplicate: bool = False
    history_s: float = field(init=False)
    history_rows: int = field(init=False)
    ahead_rows: int = field(init=False)
    numbers: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "history_s", _history_s(self))
        object.__setattr__(self, "history_rows", _history_rows(self))
        object.__setattr__(self, "ahead_rows", REACH if self.spike else 0)
        object.__setattr__(self, "numbers", _numbers(self))

    @property
    def in_context(self) -> tuple[str, ...]:
        """The enabled tests in context, in the order of `TESTS`."""
        return tuple(name for name in IN_CONTEXT if getattr(self, name))


def _history_s(rules: Rules) -> float:
    flat, attenuated = rules.flat_line, rules.attenuated_signal
    spans = [flat.slack_s + np.fmax(flat.suspect_s, flat.fail_s)] if flat else []
    spans += [attenuated.slack_s + attenuated.window_s] if attenuated else []
    return float(math.ceil(max(spans, default=0.0)))


def _history_rows(rules: Rules) -> int:
    """One row more than is compared with: it tells whether the first of those repeats a time."""
    compared = [
        0 if rules.timing_gap or rules.duplicate else -1,
        REACH if rules.spike or rules.rate_of_change or rules.counter_reset else -1,
        2 * REACH if rules.spike and rules.rate_of_change else -1,
        rules.hampel.readings - 1 if rules.hampel else -1,
    ]
    return 1 + max(compared)


def _numbers(rules: Rules) -> npt.NDArray[np.float64]:
    numbers = np.full(len(COLUMNS), NAN)
    for name in IN_CONTEXT:
        numbers[COLUMNS[name]] = bool(getattr(rules, name))
    for name, parameters in _PARAMETERS.items():
        if given := getattr(rules, name):
            for parameter in parameters:
                numbers[COLUMNS[f"{name}.{parameter}"]] = getattr(given, parameter)
    return numbers
