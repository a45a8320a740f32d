"""What every format holds to: limits, and the checks of a value that are the same wherever it came from."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, cast

from devices import topics

MAX_PAYLOAD = 256 * 1024
MAX_READINGS = 10_000
MAX_DEPTH = 16
MAX_IDENTITY = 2**63 - 1
MAX_EXACT = 2**53

_INT64 = -(2**63)
_UINT64 = 2**64 - 1
_SHOWN = 80


class RefusedError(Exception):
    """One reading can't be taken: reason code and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def shown(value: object) -> str:
    """Return a value as a letter's detail shows it: short, without control characters."""
    if isinstance(value, int) and abs(value) > _UINT64:
        return "an integer of more than 64 bits"
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@lru_cache(maxsize=8_192)
def is_channel(name: str) -> bool:
    """Whether this may name a channel."""
    return topics.is_name(name)


def check_channel(name: str) -> str:
    """Return the channel's name or refuse it."""
    if not is_channel(name):
        raise RefusedError("bad_name", f"property {shown(name)}: 1 to 63 of a-z 0-9 _ . - beginning with a letter or digit")
    return name


def check_text(text: str, what: str) -> str:
    """Return a text that PostgreSQL can store, or refuse it; the decoders let no lone surrogate through."""
    if "\0" in text:
        raise RefusedError("invalid_text", f"{what} has a NUL character")
    return text


def check_number(value: float, what: str = "value") -> float:
    """Return a number that is kept exactly: a finite float, or an integer within 2^53; else refuse it."""
    if type(value) is int:
        if not -MAX_EXACT <= value <= MAX_EXACT:
            raise RefusedError("out_of_range", f"{what} {shown(value)} is an integer beyond 2^53")
    elif not math.isfinite(value):
        raise RefusedError("not_finite", f"{what} is not finite")
    return value


Scalar = float | int | str | bool | None


def check_scalar(value: Scalar, what: str = "value") -> Scalar:
    """Return a number or text that can be kept, or refuse it."""
    if value is None or isinstance(value, bool):
        return value
    return check_text(value, what) if isinstance(value, str) else check_number(value, what)


def check_value(value: Scalar | list[Scalar]) -> Scalar | list[Scalar]:
    """Return a reading's value, or refuse it."""
    if isinstance(value, list):
        return [check_scalar(item, f"value[{i}]") for i, item in enumerate(value)]
    return check_scalar(value)


def check_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters that are storable as jsonb: at most `MAX_DEPTH` levels, numbers finite and within 64 bits, no NUL."""
    _check_tree(parameters, MAX_DEPTH)
    return parameters


def _check_tree(node: Any, depth: int) -> None:
    if isinstance(node, dict | list):
        if depth == 0:
            raise RefusedError("too_deep", f"parameters are nested deeper than {MAX_DEPTH} levels")
        branches = cast("dict[str, Any] | list[Any]", node)
        for branch in [*branches, *branches.values()] if isinstance(branches, dict) else branches:
            _check_tree(branch, depth - 1)
    elif isinstance(node, str):
        check_text(node, "parameters")
    elif isinstance(node, float):
        check_number(node, "a number of the parameters")
    elif isinstance(node, int) and not _INT64 <= node <= _UINT64:
        raise RefusedError("out_of_range", "parameters have an integer of more than 64 bits")
