"""The score as tables of docs/quality.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from devices.inventory import Inventory
from streams.quality.scoring.recorded import recorded
from streams.quality.scoring.samples import Sample, simulated
from streams.quality.scoring.tally import OWN_TEST, Score, score

BEGIN, END = "<!-- score: made by `grenzregion quality score` -->", "<!-- end of score -->"
# Other seeds than those on which the rulesets were tuned (1 to 4), a month of each season.
SEASONS = ((11, 1), (12, 4), (13, 7), (14, 10))
YEAR = 2026


def report(inventory: Inventory, *, days: int, every: int, folder: Path | None) -> str:
    """Score everything and give it as Markdown."""
    begins = [(seed, datetime(YEAR, month, 3, tzinfo=UTC)) for seed, month in SEASONS]
    samples = [
        sample for seed, begin in begins for sample in simulated(inventory, seed, begin, begin + timedelta(days=days), every=every)
    ]
    readings = sum(len(sample.time_s) for sample in samples)
    lines = [
        f"Simulated: {len(SEASONS)} times {days} days of {len(samples) // len(SEASONS)} Datastreams, {readings:,} readings.",
        "",
        *_of_simulated(score(samples)),
        "",
        *_of_recorded(recorded(folder)),
    ]
    return "\n".join([BEGIN, "", *lines, "", END])


def put_into(page: Path, text: str) -> None:
    """Put the score between its marks on a page, or make a page of it where there is none."""
    if not page.exists():
        page.write_text(f"{text}\n", encoding="utf-8")
        return
    old = page.read_text(encoding="utf-8")
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page} has no place for the score: it needs the lines {BEGIN!r} and {END!r}")
    before, rest = old.split(BEGIN, 1)
    page.write_text(before + text + rest.split(END, 1)[1], encoding="utf-8")


def _of_simulated(total: Score) -> Iterator[str]:
    yield f"False alarms: {total.accused:,} of {total.good:,} good readings were flagged 3 or 4, {total.false_alarm_rate:.2%}."
    yield ""
    yield "| fault | injected | visible | its test | recall of its test | seen by any | flagged of its readings |"
    yield "|---|---|---|---|---|---|---|"
    for kind, of in sorted(total.kinds.items()):
        own = OWN_TEST.get(kind)
        recall = f"{of.by_own / max(of.visible, 1):.2f}" if own else "–"
        anyone = f"{of.by_any / max(of.visible, 1):.2f}"
        yield f"| {kind} | {of.faults} | {of.visible} | {own or '–'} | {recall} | {anyone} | {_share(of.flagged, of.readings)} |"
    yield ""
    yield "| test | alarms | of these in a fault (precision) | good readings accused | most of them |"
    yield "|---|---|---|---|---|"
    for test, alarms in total.alarms.items():
        if alarms:
            right = total.right_alarms[test]
            by_theme = {theme: count for (theme, of), count in total.accused_by.items() if of == test}
            most = max(by_theme, key=lambda theme: by_theme[theme], default="–")
            yield f"| {test} | {alarms:,} | {right / alarms:.2f} | {alarms - right:,} | {most} |"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def _of_recorded(samples: Iterable[Sample]) -> Iterator[str]:
    yield "| recording | good readings | accused of these | fault | marked | seen |"
    yield "|---|---|---|---|---|---|"
    for sample in samples:
        total = score([sample])
        for kind, of in sorted(total.kinds.items()):
            seen = of.by_own if kind in OWN_TEST else of.by_any
            yield f"| {sample.name} | {total.good:,} | {total.accused} | {kind} | {of.visible} | {seen} |"
