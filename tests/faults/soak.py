"""A long run under steady load: random kills, the next one after recovery, or none at all and a look at memory."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from figures_file import save
from load import GATEWAYS, Load
from memory import WARM_UP_S, Memory
from road import Platform
from sources import READINGS, TURN_S
from stage import Scenario, Stage
from theatre import Theatre

PAUSE_S = (1.0, 20.0)  # between recovery and the next kill
SAMPLE_S = 2.0  # a batch under way adds 8 MB for a moment: of a sample every ten seconds, half an hour told the slope to 0.8 MB/h
SAVE_S = 60.0
MEMORY_S = 1_800.0  # what comes before, in a long soak, is warm-up
QUICK = 4  # messages in a turn of the device without an outbox: the six hours that tests look back on are full after nine minutes


class Watcher(threading.Thread):
    """Samples memory while the soak goes on."""

    def __init__(self, platform: Platform, memory: Memory) -> None:
        super().__init__(name="memory", daemon=True)
        self._platform = platform
        self._memory = memory
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(SAMPLE_S):
            self._memory.sample(self._platform)


def soak(theatre: Theatre, figures: dict[str, Any], path: Path, *, seconds: float, rate: float, kills: bool) -> None:
    """Soak and write down how it stands every minute, also when it fails."""
    name = "soak" if kills else "soak-no-kills"
    what = f"{seconds:.0f} s at {rate:.0f} readings/s" + (", random kills" if kills else ", no kills")

    def run(stage: Stage) -> None:
        _soak(stage, seconds, rate, kills=kills, write=lambda: _write(figures, path, name, stage.figures))

    scenario = Scenario(name=name, what=what, run=run)
    try:
        figures["soaks"][name] = theatre.play(scenario, 1.0)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - it stands in the figures, which the caller looks at
        theatre.discard()
        figures["soaks"][name] = theatre.last
    save(path, figures)


def _write(figures: dict[str, Any], path: Path, name: str, found: dict[str, Any]) -> None:
    figures["soaks"][name] = found | {"unfinished": True}
    save(path, figures)


def _soak(stage: Stage, seconds: float, rate: float, *, kills: bool, write: Any) -> None:
    memory = Memory()
    watcher = Watcher(stage.platform, memory)
    messages = max(1, round(rate * TURN_S / READINGS / GATEWAYS))
    killed: Counter[str] = Counter()
    with stage.load(patience_s=900, messages=messages, plain_messages=1 if kills else QUICK) as made:
        watcher.start()
        try:
            _go_on(stage, made, seconds, killed if kills else None, memory, write)
        finally:
            watcher.stopping.set()
            watcher.join(30)
            _note(stage, memory, killed, seconds)
            made.notes |= {"wanted_rate": rate}


def _go_on(stage: Stage, made: Load, seconds: float, killed: Counter[str] | None, memory: Memory, write: Any) -> None:
    rng = random.Random()  # not always the same order: the seed is no part of what is proved
    end = time.monotonic() + seconds
    written = time.monotonic()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, rng.uniform(*PAUSE_S)))
        if killed is not None and time.monotonic() < end:
            victim = rng.choice(stage.platform.names())
            took = made.kill(victim)
            killed[victim] += 1
            stage.figures.setdefault("recoveries_by_process", {}).setdefault(victim, []).append(round(took, 2))
        if time.monotonic() - written > SAVE_S:
            written = time.monotonic()
            _note(stage, memory, killed or Counter(), seconds)
            sent = sum(source.sent.readings for source in made.sources)
            stage.figures |= {"sent_so_far": sent, "false_receipts_so_far": len(made.watch.untrue)}
            write()


def _note(stage: Stage, memory: Memory, killed: Counter[str], seconds: float) -> None:
    warm_up_s = max(min(WARM_UP_S, seconds / 4), seconds - MEMORY_S)
    stage.figures |= {
        "kills": dict(killed), "kills_in_all": killed.total(), "rss_peak_mb": memory.peaks(),
        "rss_slope_mb_per_h": memory.slopes(warm_up_s), "died_by_themselves": memory.died(killed),
    }  # fmt: skip
