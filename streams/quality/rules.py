"""The parameters of the tests in context: what one Datastream's rows are judged by under one version of its ruleset.

All numbers are in the Datastream's unit and in seconds. NaN: not set; a test that is None is not enabled.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NAN = float("nan")
# A value is compared with the nearest usable one among so many rows on each side: one bad row in between does not blind a test.
REACH = 2
DEFAULT_MANDATORY = ("syntax", "gross_range")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingGap:
    """More than `suspect_s` since the row before: 3; more than `fail_s`: 4."""

    suspect_s: float
    fail_s: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Climatology:
    """Bands by local month and hour, 12 x 24 each, row by row from January: outside is 3, where either bound is NaN 2."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    timezone: str = "Europe/Berlin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """Bounds on abs(x[n] - (x[n-1] + x[n+1]) / 2); values further than `within_s` away are no neighbours."""

    suspect: float
    fail: float = NAN
    within_s: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class RateOfChange:
    """Bounds on abs(dx) / dt per second; a shorter time than `least_s` counts as that."""

    suspect_per_s: float
    fail_per_s: float = NAN
    least_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatLine:
    """A range of at most `tolerance` over `suspect_s`: 3; over `fail_s`: 4.

    `slack_s` is how much further back than that the row may lie that opens the span; `least` is the fewest values in it.
    A series that stays within [`exclude_low`, `exclude_high`] is genuine.
    """

    suspect_s: float
    fail_s: float = NAN
    tolerance: float = 0.0
    slack_s: float
    least: int = 3
    exclude_low: float = NAN
    exclude_high: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class AttenuatedSignal:
    """A standard deviation over `window_s` below `suspect`: 3; below `fail`: 4. The rest as in `FlatLine`."""

    window_s: float
    suspect: float
    fail: float = NAN
    slack_s: float
    least: int = 3
    exclude_low: float = NAN
    exclude_high: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Hampel:
    """Bounds on abs(x - median) / (1.4826 MAD) over the last `readings` rows; less than `floor` off the median is never suspect."""

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

    def __post_init__(self) -> None:
        flat, attenuated, hampel = self.flat_line, self.attenuated_signal, self.hampel
        spans = [0.0]
        if flat:
            spans += [flat.suspect_s + flat.slack_s, flat.fail_s + flat.slack_s]
        if attenuated:
            spans.append(attenuated.window_s + attenuated.slack_s)
        rows = [
            1 if self.timing_gap or self.duplicate else 0,
            REACH if self.spike or self.rate_of_change or self.counter_reset else 0,
            2 * REACH if self.spike and self.rate_of_change else 0,
            hampel.readings - 1 if hampel else 0,
        ]
        object.__setattr__(self, "history_s", max(span for span in spans if span == span))  # noqa: PLR0124 - not NaN
        object.__setattr__(self, "history_rows", max(rows))
        object.__setattr__(self, "ahead_rows", REACH if self.spike else 0)

    @property
    def in_context(self) -> tuple[str, ...]:
        """The enabled tests in context, in the order of `TESTS`."""
        return tuple(name for name in IN_CONTEXT if getattr(self, name))


IN_CONTEXT = (
    "timing_gap", "climatology", "spike", "rate_of_change", "flat_line",
    "attenuated_signal", "hampel", "counter_reset", "duplicate",
)  # fmt: skip
