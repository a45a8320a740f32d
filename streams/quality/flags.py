"""Flags of the tests packed into one integer, and the aggregate flag out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from devices.vocabulary import Flag
from streams.quality.rules import DEFAULT_MANDATORY
from streams.quality.tests import TESTS, first_of

Packed = npt.NDArray[np.int64]
SHIFT = {name: 4 * place for place, name in enumerate(TESTS)}
NIBBLE = 0xF
_ONES = sum(1 << shift for shift in SHIFT.values())
_SYNTAX = NIBBLE << SHIFT["syntax"]
_GAP = NIBBLE << SHIFT["timing_gap"]
# Looking up a member of an enumeration costs as much as a step of numpy.
_GOOD, _NOT_EVALUATED, _SUSPECT, _FAIL, _MISSING = (
    int(flag) for flag in (Flag.GOOD, Flag.NOT_EVALUATED, Flag.SUSPECT, Flag.FAIL, Flag.MISSING)
)


def pack(flags: Mapping[str, npt.NDArray[np.int8]]) -> Packed:
    """Pack the flags (n,) of at least one test: 4 bits each in the order of `TESTS`, 0 where one did not run."""
    packed = np.zeros(len(next(iter(flags.values()))), dtype=np.int64)
    for name, flag in flags.items():
        packed |= flag.astype(np.int64) << SHIFT[name]
    return packed


def of_test(packed: Packed, name: str) -> npt.NDArray[np.int8]:
    """Give one test's flags (n,)."""
    return ((packed >> SHIFT[name]) & NIBBLE).astype(np.int8)


def merge(alone: Packed, context: Packed) -> Packed:
    """Join the flags of the tests alone with those in context; timing_gap has a part in both, and the worse counts."""
    return ((alone | context) & ~_GAP) | np.maximum(alone & _GAP, context & _GAP)


@lru_cache
def mask(tests: Iterable[str]) -> int:
    """Give the bits of these tests (a tuple of names)."""
    return sum(NIBBLE << SHIFT[name] for name in tests)


DEFAULT_MASK = mask(DEFAULT_MANDATORY)


def aggregate_flag(packed: Packed, missing: npt.NDArray[np.bool_], mandatory: Packed | int = DEFAULT_MASK) -> npt.NDArray[np.int8]:
    """One flag (n,) out of those of the tests (n,): 9 for no value, else the worst verdict; 1 only with every mandatory test's.

    `mandatory` is the `mask` of the tests that hold back flag 1 while they could not judge (2), one for all rows or (n,). One that
    does not apply (0) holds nothing back, but for syntax, which always applies. Other tests' 2 is no verdict (domain.md, traps).
    """
    # Of a nibble's bits only 3 has the lower two, only 4 the third: 13 tests are looked at in one step.
    low, second = packed & _ONES, (packed >> 1) & _ONES
    fail, suspect, good = (packed >> 2) & _ONES, low & second, low & ~second
    pending = second & ~low & mandatory
    syntax = mandatory & _SYNTAX
    unread = (packed & syntax == 0) & (syntax != 0)
    held_back = (pending != 0) | unread | (good == 0)
    return first_of(
        ((missing, _MISSING), (fail != 0, _FAIL), (suspect != 0, _SUSPECT), (held_back, _NOT_EVALUATED)),
        otherwise=_GOOD,
    )
