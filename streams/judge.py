"""From candidates to flags: pure, vectorised, the same for the worker and for the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from devices.vocabulary import Flag
from streams.candidate import NAN, Candidate, Kind
from streams.quality import flags, tests

RULESET_VERSION = 1
FUTURE_LIMIT_S = 300.0
_TRUTHS = ("true", "false")
AHEAD_MASK = flags.mask(("timing_gap",))  # of the tests alone, timing_gap looks at the clock only


def judge(
    candidates: Sequence[Candidate], future_limit_s: float = FUTURE_LIMIT_S
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """Aggregate flag (n,) int8 and flags of the tests (n,) int64, 4 bits each in the order of `TESTS`, 0 where one did not run."""

    def column(value: Callable[[Candidate], float | None]) -> tests.Floats:
        # float64 turns None into NaN
        return np.array([value(c) for c in candidates], dtype=np.float64)

    numbers = column(lambda c: c.number)
    verdicts = {
        "syntax": _syntax(candidates, numbers),
        "gross_range": tests.gross_range(numbers, *_spans(candidates)),
        "timing_gap": tests.ahead_of_time(column(lambda c: (c.time - c.received).total_seconds()), future_limit_s),
    }
    if any(c.numbers for c in candidates):
        verdicts["gross_range"] = np.maximum(verdicts["gross_range"], _gross_range_of_parts(candidates))
    if any(c.position is not None for c in candidates):
        verdicts["location"] = _location(column)
    packed = flags.pack(verdicts)
    missing = np.array([c.missing for c in candidates], dtype=bool)
    return flags.aggregate_flag(packed, missing), packed


def _syntax(candidates: Sequence[Candidate], numbers: tests.Floats) -> tests.Flags:
    """Flag 4 for a result that is not of its Datastream's observationType; a null is of every type."""
    kind = np.array([c.channel.kind for c in candidates], dtype=np.int8)
    result = np.array([c.result is not None for c in candidates], dtype=bool)
    is_number = ~np.isnan(numbers)
    truth = np.array([c.channel.kind == Kind.TRUTH and c.result in _TRUTHS for c in candidates], dtype=bool)
    wrong = (kind == Kind.NUMBER) & result & ~is_number
    wrong |= (kind == Kind.COUNT) & ((result & ~is_number) | (is_number & (numbers != np.rint(numbers))))
    wrong |= (kind == Kind.TRUTH) & (is_number | (result & ~truth))
    return np.where(wrong, Flag.FAIL, Flag.GOOD).astype(np.int8)


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
    return np.where(by_box == Flag.NOT_EVALUATED, by_site, by_box).astype(np.int8)
