"""Many Datastreams' rows side by side, as the tests in context take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.quality.rules import Rules

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.int8]
Integers = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Rows (n,) in the order of segment, time, discriminator; a segment is one Datastream.

    `segment` counts from 0 without holes and never decreases; `time_us` are microseconds since 1970 UTC; `value` is NaN where there
    is no number; `usable` is false where a test alone failed the row. `rules` has one entry for each segment, None: no test.
    `wanted` are the rows to judge, None: all; the others serve as context and cost little.
    """

    segment: Places
    time_us: Integers
    value: Floats
    usable: Mask
    rules: Sequence[Rules | None]
    wanted: Mask | None = None
