"""Simulator and replay speak to the real gateway: what they send is taken by its outbox, broker or not."""

from __future__ import annotations

import socket
import threading

import pytest

from devices.feed import load_marks, save_marks
from devices.gateway import Gateway
from devices.inventory import Inventory, load_inventory
from devices.replay import run as replaying
from devices.simulator import run as simulating


def _nobody_listens():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _queued(outbox, device):
    with Gateway("127.0.0.1", _nobody_listens(), outbox=outbox, device=device) as gateway:
        return gateway.statistics().queued


def _few():
    inventory = load_inventory()
    stations = tuple(s for s in inventory.stations if s.device in ("weather-list", "bus-sylt-1", "indoor-flensburg-duborg"))
    return Inventory(catalogue=inventory.catalogue, sensor_texts=inventory.sensor_texts, stations=stations)


def test_the_simulator_fills_a_real_outbox(tmp_path, monkeypatch):
    monkeypatch.setattr(simulating, "BACKFILL_RATE", None)
    stop = threading.Event()
    monkeypatch.setattr(simulating.Simulator, "live", lambda *_: stop.set())
    simulating.run(
        host="127.0.0.1", port=_nobody_listens(), data_dir=tmp_path, stop=stop,
        inventory=_few(), backfill_hours=2, clock=lambda: 1_795_300_000.0,
    )  # fmt: skip
    assert _queued(tmp_path / "outbox.sqlite", simulating.DEVICE) >= 4
    assert load_marks(tmp_path / "simulator.json") == {"published": 1_795_300_000.0}


def test_the_replay_fills_a_real_outbox(tmp_path, monkeypatch):
    monkeypatch.setattr(replaying, "RATE", None)
    monkeypatch.setattr(replaying, "_TICK_S", 0.0)
    stop = threading.Event()
    looks = iter(range(100))

    def clock():
        if next(looks) > 3:
            stop.set()
        return 1_795_300_000.0

    replaying.run(host="127.0.0.1", port=_nobody_listens(), data_dir=tmp_path, stop=stop, names=["hsl", "vlissingen"], clock=clock)
    assert _queued(tmp_path / "outbox.sqlite", replaying.DEVICE) >= 3


def test_marks_survive_and_a_torn_file_is_as_good_as_none(tmp_path):
    path = tmp_path / "deep" / "marks.json"
    assert load_marks(path) == {}
    save_marks(path, {"a": 1.5, "b": 2.0})
    assert load_marks(path) == {"a": 1.5, "b": 2.0}
    path.write_bytes(b'{"a": ')
    assert load_marks(path) == {}


@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_a_speed_that_makes_no_sense_is_refused(tmp_path, speed):
    stop = threading.Event()
    with pytest.raises(ValueError, match="speed"):
        simulating.run(host="127.0.0.1", port=1, data_dir=tmp_path, stop=stop, speed=speed)
    with pytest.raises(ValueError, match="speed"):
        replaying.run(host="127.0.0.1", port=1, data_dir=tmp_path, stop=stop, speed=speed)
