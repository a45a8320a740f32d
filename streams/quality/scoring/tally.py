"""Counting: which faults were seen, by which test, and which good readings were accused."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from devices.vocabulary import Flag
from streams.quality.context import judge_window
from streams.quality.flags import aggregate_flag, mask, merge, of_test, pack
from streams.quality.rules import DEFAULT_MANDATORY
from streams.quality.scoring.samples import Event, Sample
from streams.quality.tests import TESTS, Flags, gross_range
from streams.quality.window import Integers, Mask, Window

# The test that is meant for a kind of fault.
OWN_TEST: Mapping[str, str] = {
    "spike": "spike",
    "flat_line": "flat_line",
    "gap": "timing_gap",
    "counter_reset": "counter_reset",
    "stuck_counter": "flat_line",
}
_AT_ONCE = 200


@dataclass
class OfKind:
    """Faults of one kind: how many there were, could be seen, their own test flagged, any did; their readings, flagged readings."""

    faults: int = 0
    visible: int = 0
    by_own: int = 0
    by_any: int = 0
    readings: int = 0
    flagged: int = 0


@dataclass
class Score:
    """What a set of samples gave. `alarms` by test: readings flagged 3 or 4, and those of them in a fault or right after a gap."""

    kinds: dict[str, OfKind] = field(default_factory=lambda: defaultdict(OfKind))
    good: int = 0
    accused: int = 0
    alarms: Counter[str] = field(default_factory=Counter)
    right_alarms: Counter[str] = field(default_factory=Counter)
    accused_by: Counter[tuple[str, str]] = field(default_factory=Counter)  # good readings by theme and test
    good_of: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[str, Event]] = field(default_factory=list)

    @property
    def false_alarm_rate(self) -> float:
        """Share of good readings with an aggregate flag of 3 or 4."""
        return self.accused / max(self.good, 1)

    def recall(self, kind: str) -> float:
        """Share of the visible faults of this kind that their own test flagged; by any test for a kind without one."""
        of_kind = self.kinds[kind]
        return (of_kind.by_own if kind in OWN_TEST else of_kind.by_any) / max(of_kind.visible, 1)


def score(samples: Sequence[Sample]) -> Score:
    """Judge all samples, many side by side, and count."""
    total = Score()
    for first in range(0, len(samples), _AT_ONCE):
        some = samples[first : first + _AT_ONCE]
        for sample, packed, flags in zip(some, *_judged(some), strict=True):
            _count(total, sample, packed, flags)
    return total


def _judged(samples: Sequence[Sample]) -> tuple[list[Integers], list[Flags]]:
    """Give the flags of the tests and the aggregates of each sample."""
    lengths = [len(sample.time_s) for sample in samples]
    value = np.concatenate([sample.value for sample in samples])
    spans = [np.repeat([sample.spans[bound] for sample in samples], lengths) for bound in range(4)]
    alone = pack({"syntax": np.ones(len(value), dtype=np.int8), "gross_range": gross_range(value, *spans)})
    window = Window(
        segment=np.repeat(np.arange(len(samples)), lengths),
        time_us=np.concatenate([np.rint(sample.time_s * 1e6).astype(np.int64) for sample in samples]),
        value=value,
        usable=of_test(alone, "gross_range") != Flag.FAIL,
        rules=[sample.rules for sample in samples],
    )
    packed = merge(alone, judge_window(window))
    mandatory = [mask(sample.rules.mandatory if sample.rules else DEFAULT_MANDATORY) for sample in samples]
    flags = aggregate_flag(packed, np.zeros(len(value), dtype=np.bool_), np.repeat(mandatory, lengths))
    ends = np.cumsum(lengths)[:-1]
    return np.split(packed, ends), np.split(flags, ends)


def _count(total: Score, sample: Sample, packed: Integers, flags: Flags) -> None:
    verdicts = {test: _accusing(of_test(packed, test)) for test in TESTS}
    accused = _accusing(flags)
    after_gap = np.zeros(len(flags), dtype=np.bool_)
    for event in sample.events:
        inside = _readings_of(event, sample)
        of_kind = total.kinds[event.kind]
        of_kind.faults += 1
        if event.kind == "gap":
            after_gap |= inside
        if event.visible:
            _see(total, of_kind, event, sample, inside, verdicts, accused)
    good = ~sample.wrong & ~after_gap
    total.good += int(good.sum())
    total.good_of[sample.theme] += int(good.sum())
    total.accused += int((good & accused).sum())
    for test, verdict in verdicts.items():
        total.alarms[test] += int(verdict.sum())
        total.right_alarms[test] += int((verdict & ~good).sum())
        if (good & verdict).any():
            total.accused_by[sample.theme, test] += int((good & verdict).sum())


def _see(
    total: Score, of_kind: OfKind, event: Event, sample: Sample, inside: Mask, verdicts: Mapping[str, Mask], accused: Mask
) -> None:
    own = OWN_TEST.get(event.kind)
    seen = bool((inside & (accused if own is None else verdicts[own])).any())
    of_kind.visible += 1
    of_kind.by_own += own is not None and seen
    of_kind.by_any += bool((inside & accused).any())
    of_kind.readings += int(inside.sum())
    of_kind.flagged += int((inside & accused).sum())
    if not seen:
        total.missed.append((sample.name, event))


def _readings_of(event: Event, sample: Sample) -> Mask:
    """Give the readings (n,) of a fault; of a gap the first one after it."""
    if event.kind != "gap":
        return (sample.time_s >= event.start_s) & (sample.time_s < event.end_s)
    after = np.zeros(len(sample.time_s), dtype=np.bool_)
    after[np.searchsorted(sample.time_s, event.end_s) :][:1] = True
    return after


def _accusing(flags: Flags) -> Mask:
    return (flags == Flag.SUSPECT) | (flags == Flag.FAIL)
