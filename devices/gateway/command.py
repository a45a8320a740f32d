"""What `grenzregion gateway publish` does: readings from lines of JSON, or one given by options, until they have their receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from devices.gateway.errors import GatewayError, InvalidReadingError, TooLargeError
from devices.gateway.gateway import Gateway

DONE, REFUSED, UNFINISHED = 0, 1, 3  # exit codes; 2 is for a wrong use of the command line

Say = Callable[[str], None]


def reading_of(property: str, value: str, time: str | None = None, unit: str | None = None) -> dict[str, Any]:  # noqa: A002
    """Make one reading of a command line's options: the value is JSON if it can be read as such, else text."""
    try:
        parsed: Any = msgspec.json.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError):
        parsed = value
    given = {"property": property, "value": parsed, "time": time, "unit": unit}
    return {key: item for key, item in given.items() if item is not None or key == "value"}


def readings_of(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | InvalidReadingError]]:
    """Read lines of JSON, one reading each: its line number, and the reading or what is wrong. Empty lines are left out."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                yield number, InvalidReadingError(f"not a JSON object: {error}")


def publish_lines(gateway: Gateway, lines: Iterable[str], *, timeout: float, say: Say, batch: int = 100, form: str = "json") -> int:
    """Publish the readings in these lines, `batch` to a message, and wait for the receipts; returns the exit code.

    A wrong line is named and left out, the others are published: exit code 1. No receipt within `timeout` seconds: 3; the readings
    stay in the outbox, and the next call with it sends them again.
    """
    return publish_readings(gateway, readings_of(lines), timeout=timeout, say=say, batch=batch, form=form)


def publish_readings(
    gateway: Gateway,
    readings: Iterable[tuple[int, Mapping[str, Any] | InvalidReadingError]],
    *,
    timeout: float,
    say: Say,
    batch: int = 100,
    form: str = "json",
) -> int:
    """Publish numbered readings as `publish_lines` does."""
    source = iter(readings)
    published = refused = 0
    try:
        while chunk := list(islice(source, batch)):
            good, bad = _publish(gateway, chunk, form, say)
            published += good
            refused += bad
        done = gateway.flush(timeout)
    except GatewayError as error:
        say(f"{error}")
        return UNFINISHED
    statistics = gateway.statistics()
    say(f"{published} readings published, {refused} refused here, {statistics.queued} messages without receipt")
    if not done:
        say(statistics.trouble or f"no receipt within {timeout:g} s; the readings stay in the outbox")
        return UNFINISHED
    return REFUSED if refused else DONE


def _publish(
    gateway: Gateway, chunk: list[tuple[int, Mapping[str, Any] | InvalidReadingError]], form: str, say: Say
) -> tuple[int, int]:
    """Publish a chunk as one message; where a reading is refused, each on its own. Returns how many were published and refused."""
    good: list[tuple[int, Mapping[str, Any]]] = []
    for number, reading in chunk:
        if isinstance(reading, InvalidReadingError):
            say(f"line {number}: {reading}")
        else:
            good.append((number, reading))
    refused = len(chunk) - len(good)
    if not good:
        return 0, refused
    try:
        gateway.publish([reading for _, reading in good], format=form)
    except (InvalidReadingError, TooLargeError) as error:
        if len(chunk) == 1:
            say(f"line {good[0][0]}: {str(error).removeprefix('reading 0: ')}")
            return 0, 1
        parts = [_publish(gateway, [part], form, say) for part in good]
        return sum(part[0] for part in parts), refused + sum(part[1] for part in parts)
    return len(good), refused
