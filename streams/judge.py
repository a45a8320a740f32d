"""From candidates to flags: pure, vectorised, the same for the worker and for the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from math import isnan

import numpy as np
import numpy.typing as npt

from devices.vocabulary import Flag
from streams.candidate import NAN, Candidate, Kind
from streams.quality import flags, tests

RULESET_VERSION = 1
FUTURE_LIMIT_S = 300.0
_TRUTHS = ("true", "false")
# Looking up a member of an enumeration costs as much as a step of numpy.
_GOOD, _FAIL, _NOT_EVALUATED = int(Flag.GOOD), int(Flag.FAIL), int(Flag.NOT_EVALUATED)
_ANY, _NUMBER, _COUNT = Kind.ANY, Kind.NUMBER, Kind.COUNT
AHEAD_MASK = flags.mask(("timing_gap",))  # of the tests alone, timing_gap looks at the clock only


def judge(
    candidates: Sequence[Candidate], future_limit_s: float = FUTURE_LIMIT_S
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """Aggregate flag (n,) int8 and flags of the tests (n,) int64, 4 bits each in the order of `TESTS`, 0 where one did not run."""

    def column(value: Callable[[Candidate], float | None]) -> tests.Floats:
        # float64 turns None into NaN
        return np.array([value(c) for c in candidates], dtype=np.float64)

    numbers = np.array([c.number for c in candidates], dtype=np.float64)
    limit = timedelta(seconds=future_limit_s)
    verdicts = {
        "syntax": np.array([_syntax(c) for c in candidates], dtype=np.int8),
        "gross_range": tests.gross_range(numbers, *_spans(candidates)),
        # A part of timing_gap: stamped further ahead of its reception than the limit, else no verdict.
        "timing_gap": np.array([_FAIL if c.time - c.received > limit else 0 for c in candidates], dtype=np.int8),
    }
    if any(c.numbers for c in candidates):
        verdicts["gross_range"] = np.maximum(verdicts["gross_range"], _gross_range_of_parts(candidates))
    if any(c.position is not None for c in candidates):
        verdicts["location"] = _location(column)
    packed = flags.pack(verdicts)
    missing = np.array([c.missing for c in candidates], dtype=bool)
    return flags.aggregate_flag(packed, missing), packed


def _syntax(c: Candidate) -> int:
    """Give 4 for a result that is not of its Datastream's observationType, else 1; a null is of every type."""
    kind, number = c.channel.kind, c.number
    if kind == _ANY:
        return _GOOD
    is_number = number is not None and not isnan(number)
    if kind == _NUMBER:
        right = is_number or c.result is None
    elif kind == _COUNT:
        right = number % 1 == 0 if number is not None and is_number else c.result is None
    else:
        right = not is_number and (c.result is None or c.result in _TRUTHS)
    return _GOOD if right else _FAIL


def _spans(candidates: Sequence[Candidate]) -> tests.Floats:
    """Give the spans (4, n) of each candidate's channel; of a batch many share one."""
    ranks: dict[int, int] = {}
    places = [ranks.setdefault(c.channel.datastream_id, len(ranks)) for c in candidates]
    channels = {c.channel.datastream_id: c.channel for c in candidates}.values()
    spans = np.array([(c.fail_low, c.fail_high, c.suspect_low, c.suspect_high) for c in channels], dtype=np.float64)
    return spans.T[:, places]


def _gross_range_of_parts(candidates: Sequence[Candidate]) -> tests.Flags:
    """Give the worst verdict on the parts of each MultiDatastream's result, 0 for all other candidates."""
    places = np.array([place for place, c in enumerate(candidates) for _ in c.numbers], dtype=np.intp)
    numbers = np.array([number for c in candidates for number in c.numbers], dtype=np.float64)
    spans = np.array([span for c in candidates if c.numbers for span in c.channel.parts or ()], dtype=np.float64).reshape(-1, 4)
    worst = np.zeros(len(candidates), dtype=np.int8)
    np.maximum.at(worst, places, tests.gross_range(numbers, spans[:, 0], spans[:, 1], spans[:, 2], spans[:, 3]))
    return worst


def _location(column: Callable[[Callable[[Candidate], float | None]], tests.Floats]) -> tests.Flags:
    lon = column(lambda c: c.position[0] if c.position else NAN)
    lat = column(lambda c: c.position[1] if c.position else NAN)
    boxes = [column(lambda c, side=side: c.channel.box[side]) for side in range(4)]
    by_box = tests.location_in_box(lon, lat, *boxes)
    by_site = tests.location(
        lon, lat, column(lambda c: c.channel.site_lon), column(lambda c: c.channel.site_lat), column(lambda c: c.channel.radius_m)
    )
    return np.where(by_box == _NOT_EVALUATED, by_site, by_box).astype(np.int8)
