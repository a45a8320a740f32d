"""The recordings that can be replayed, by name: real data from elsewhere, at their true places (docs/data-sources.md)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from devices.replay import readers
from devices.replay.readers import Event

DATA = Path(__file__).parent / "data"

_GARAGES = ("BRUUNS", "BUSGADEHUSET", "KALKVAERKSVEJ", "MAGASIN", "NORREPORT", "SALLING", "SCANDCENTER", "SKOLEBAKKEN")
_MUENSTER = ("100031297", "100034978", "100035541", "100053305")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording: the times of its first and last reading, its reader, and the parts (files or blocks) to read.

    `thin_s`: the live replay takes at most one message per device in so many seconds (0: all). `default`: replayed unless others
    are asked for. Recordings that share devices (the same counters in another season) are not both a default.
    """

    name: str
    first: str
    last: str
    reader: Callable[[Path, str], Iterator[Event]]
    parts: tuple[str, ...] = ("",)
    thin_s: int = 0
    default: bool = True


_ALL = (
    Recording(
        name="aarhus-traffic",
        first="2014-08-01T07:45:00Z",
        last="2014-09-30T23:50:00Z",
        reader=readers.aarhus_traffic,
        parts=("158446", "179038", "179174", "179336"),
    ),
    Recording(
        name="aarhus-parking",
        first="2014-09-21T22:01:50.023Z",
        last="2014-11-04T13:13:47.581Z",
        reader=readers.aarhus_parking,
        parts=_GARAGES,
    ),
    Recording(name="aarhus-weather", first="2014-07-31T22:00:00Z", last="2014-09-30T21:50:00Z", reader=readers.aarhus_weather),
    Recording(
        name="muenster-2023-03",
        first="2023-02-28T23:00:00Z",
        last="2023-03-30T21:45:00Z",
        reader=readers.muenster,
        parts=tuple(f"{site}_2023-03" for site in _MUENSTER),
        default=False,
    ),
    Recording(
        name="muenster-2023-10",
        first="2023-09-30T22:00:00Z",
        last="2023-10-30T22:45:00Z",
        reader=readers.muenster,
        parts=tuple(f"{site}_2023-10" for site in _MUENSTER),
    ),
    Recording(
        name="muenster-2026-01",
        first="2025-12-31T23:00:00Z",
        last="2026-01-30T23:45:00Z",
        reader=readers.muenster,
        parts=("300037926_2026-01",),
    ),
    Recording(
        name="sensor-community",
        first="2018-12-25T00:00:55Z",
        last="2019-01-08T23:59:04Z",
        reader=readers.sensor_community,
        parts=("15092", "15462", "16422"),
    ),
    Recording(
        name="smard-2024-03",
        first="2024-03-17T23:00:00Z",
        last="2024-04-07T21:45:00Z",
        reader=readers.smard,
        parts=("2024-03",),
        default=False,
    ),
    Recording(
        name="smard-2024-10", first="2024-10-20T22:00:00Z", last="2024-11-03T22:45:00Z", reader=readers.smard, parts=("2024-10",)
    ),
    Recording(name="sonderborg", first="2010-12-15T00:00:00Z", last="2011-02-28T23:00:00Z", reader=readers.sonderborg),
    Recording(name="vlissingen", first="2018-01-01T00:00:00Z", last="2018-04-01T00:00:00Z", reader=readers.vlissingen),
    Recording(
        name="ioos-water-level", first="2018-09-05T21:00:00Z", last="2019-07-10T19:00:00Z", reader=readers.ioos, default=False
    ),
    Recording(name="hsl", first="2020-09-21T03:00:00.963Z", last="2020-09-21T03:59:59.963Z", reader=readers.hsl, thin_s=10),
)
_BY_NAME = {recording.name: recording for recording in _ALL}


class UnknownRecordingError(LookupError):
    """There is no recording of that name; the message lists those that there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no recording {name!r}; there are {', '.join(_BY_NAME)}")


def recordings(*, default: bool = False) -> list[str]:
    """Name all recordings, or those replayed by default."""
    return [recording.name for recording in _ALL if recording.default or not default]


def recording(name: str) -> Recording:
    """Give the recording of that name; raises `UnknownRecordingError`."""
    if name not in _BY_NAME:
        raise UnknownRecordingError(name)
    return _BY_NAME[name]


def read(name: str) -> Iterator[Event]:
    """Give a recording's readings as (device, Reading), in event time across its devices."""
    found = recording(name)
    return heapq.merge(*(found.reader(DATA, part) for part in found.parts), key=lambda event: event[1].time)


def span(name: str) -> tuple[datetime, datetime]:
    """Give the times of a recording's first and last reading."""
    found = recording(name)
    return datetime.fromisoformat(found.first), datetime.fromisoformat(found.last)
