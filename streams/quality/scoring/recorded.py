"""Recordings whose faults are known: marked by hand, or by the provider's own flags (docs/quality.md)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from devices.catalogue import load_catalogue
from devices.replay import readers
from devices.replay.recordings import DATA
from streams.quality.rulesets import rules_for
from streams.quality.scoring.samples import Event, Sample, spans_of
from streams.quality.window import Floats

LABELS = Path(__file__).parent / "labels.toml"
ESTIMATED = "estimated"  # a value that Rijkswaterstaat filled in
_ESTIMATED_CODE = "25"
_PROVIDER_ZONE = timedelta(hours=1)
_HOUR_S = 3600
_READERS = {"ioos-water-level": readers.ioos, "vlissingen": readers.vlissingen}


def recorded(folder: Path | None = None) -> Iterator[Sample]:
    """Give the packaged recordings with known faults, and those of Rijkswaterstaat in a folder (`*.dia`) with its own flags."""
    for name, labels in tomllib.loads(LABELS.read_text(encoding="utf-8")).items():
        readings = [(reading.time.timestamp(), reading.value) for _, reading in _READERS[name](DATA, "")]
        time, value = np.array(readings, dtype=np.float64).T
        yield _sample(name, labels, time, value, _marked(labels))
    for path in sorted(folder.rglob("*.dia")) if folder else ():
        yield _provided(path)


def _marked(labels: Mapping[str, Any]) -> Iterator[Event]:
    for kind, marks in labels.get("faults", {}).items():
        for first, last in ((mark, mark) if isinstance(mark, str) else mark for mark in marks):
            yield Event(kind=kind, start_s=_seconds(first), end_s=_seconds(last) + 1)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _provided(path: Path) -> Sample:
    """Read a file of Rijkswaterstaat's DONAR interface: hourly values in cm, each with the code of its quality."""
    head, body = path.read_text(encoding="latin-1").split("[WRD]")
    begin = re.search(r"TYD;(\d{8});(\d{4})", head)
    if begin is None:
        raise ValueError(f"{path.name}: no time series")
    start = datetime.strptime("".join(begin.groups()), "%Y%m%d%H%M").replace(tzinfo=UTC) - _PROVIDER_ZONE
    found = re.findall(r"(-?\d+)/(\d+):", body)
    time = start.timestamp() + _HOUR_S * np.arange(len(found), dtype=np.float64)
    value = np.array([int(centimetres) / 100 for centimetres, _ in found])
    estimated = time[[code == _ESTIMATED_CODE for _, code in found]].tolist()
    labels = {"property": "water_level", "interval_s": _HOUR_S, "ruleset": "water_level_hourly"}
    return _sample(path.stem, labels, time, value, [Event(kind=ESTIMATED, start_s=at, end_s=at + 1) for at in estimated])


def _sample(name: str, labels: Mapping[str, Any], time: Floats, value: Floats, marked: Iterable[Event]) -> Sample:
    interval_s = labels["interval_s"]
    late = np.flatnonzero(np.diff(time) > 2 * interval_s)
    gaps = [Event(kind="gap", start_s=time[at] + 1, end_s=time[at + 1]) for at in late.tolist()]
    marks = list(marked)
    wrong = np.zeros(len(time), dtype=np.bool_)
    for event in marks:
        wrong |= (time >= event.start_s) & (time < event.end_s)
    entry = load_catalogue()[labels["property"]]
    return Sample(
        name=name,
        theme=entry.key,
        time_s=time,
        value=value,
        wrong=wrong,
        events=(*marks, *gaps),
        rules=rules_for(entry.key, name, labels, unit=entry.unit),
        spans=spans_of(entry),
    )
