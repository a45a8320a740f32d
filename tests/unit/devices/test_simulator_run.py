"""The simulator sends the last day, then what falls due, goes on where it stopped, and writes the truth down."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest

from devices.gateway import OutboxFullError
from devices.gateway.payload import encode
from devices.inventory import Inventory, load_inventory
from devices.simulator import run as running
from devices.simulator.noise import Noise
from devices.simulator.run import run
from devices.simulator.schedule import groups, messages

INVENTORY = load_inventory()
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()


class Recorder:
    """A gateway that keeps what it was given and stops the simulator after some readings."""

    def __init__(self, stop, *, after=None, full=0):
        self.stop, self.after, self.full = stop, after, full
        self.sent = []
        self.formats = Counter()
        self.closed = False

    def publish_many(self, messages, *, format="json"):  # noqa: A002
        if self.full:
            self.full -= 1
            raise OutboxFullError("full")
        for device, readings in messages:
            self.sent += [(device, reading) for reading in readings]
            self.formats[format] += 1
            encode(readings[:20], format, now=datetime.now(UTC))
        if self.after is not None and len(self.sent) >= self.after:
            self.stop.set()
        return []

    def close(self):
        self.closed = True


class Clock:
    """Time that jumps by a minute whenever someone looks."""

    def __init__(self, now, step=60.0):
        self.now, self.step = now, step

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def small(monkeypatch):
    """A handful of stations, and no waiting between messages."""
    monkeypatch.setattr(running, "BACKFILL_RATE", None)
    monkeypatch.setattr(running, "_LONGEST_WAIT_S", 0.0)
    chosen = ("weather-list", "border-krusaa", "indoor-flensburg-duborg", "ev-padborg")
    return Inventory(
        catalogue=INVENTORY.catalogue,
        sensor_texts=INVENTORY.sensor_texts,
        stations=tuple(station for station in INVENTORY.stations if station.device in chosen),
    )


def _start(path, inventory, *, clock, after, backfill_hours=24.0, **more):
    stop = threading.Event()
    recorder = Recorder(stop, after=after, **{key: more.pop(key) for key in ("full",) if key in more})
    run(
        host="", port=0, data_dir=path, stop=stop, inventory=inventory, clock=clock, backfill_hours=backfill_hours,
        open_gateway=lambda _: recorder, **more,
    )  # fmt: skip
    assert recorder.closed
    return recorder


def _key(device, reading):
    return device, reading["property"], reading.get("time") or reading["start"]


def test_the_first_start_sends_the_last_day_of_every_channel(tmp_path, small):
    recorder = _start(tmp_path, small, clock=Clock(NOW), after=4_400, with_faults=False)
    times = [reading.get("time") or reading["start"] for _, reading in recorder.sent]
    assert min(times).timestamp() >= NOW - 24.3 * 3600
    temperature = [key for key in (_key(*sent) for sent in recorder.sent) if key[:2] == ("weather-list", "air_temperature")]
    assert len(temperature) >= 288
    assert len(temperature) == len(set(temperature))


def test_no_reading_lies_in_the_future(tmp_path, small):
    clock = Clock(NOW)
    recorder = _start(tmp_path, small, clock=clock, after=600, backfill_hours=2)
    assert max((reading.get("end") or reading["time"]).timestamp() for _, reading in recorder.sent) <= clock.now


def test_a_restart_goes_on_where_it_stopped_and_sends_the_same_values(tmp_path, small):
    first = _start(tmp_path, small, clock=Clock(NOW), after=500, backfill_hours=2)
    second = _start(tmp_path, small, clock=Clock(NOW + 3 * 3600), after=500, backfill_hours=2)
    whole = _start(tmp_path / "other", small, clock=Clock(NOW + 4 * 3600), after=1_000, backfill_hours=6)
    known = {_key(*sent): sent[1]["value"] for sent in whole.sent}
    for sent in first.sent + second.sent:
        assert known.get(_key(*sent), sent[1]["value"]) == sent[1]["value"]
    keys = {_key(*sent) for sent in first.sent} & {_key(*sent) for sent in second.sent}
    assert len(keys) < 30
    assert min((r.get("time") or r["start"]).timestamp() for _, r in second.sent) > NOW


def test_the_truth_about_faults_is_written_by_day(tmp_path, small):
    _start(tmp_path, small, clock=Clock(NOW), after=4_300)
    files = sorted(path.name for path in (tmp_path / "faults").iterdir())
    assert files[:2] == ["2026-11-19.ndjson", "2026-11-20.ndjson"]
    for path in (tmp_path / "faults").iterdir():
        for line in path.read_bytes().splitlines():
            assert set(msgspec.json.decode(line)) == {"device", "channel", "kind", "start", "end"}


def test_several_formats_are_spoken(tmp_path, small):
    recorder = _start(tmp_path, small, clock=Clock(NOW), after=4_300)
    assert set(recorder.formats) == {"json", "senml-json", "senml-cbor"}


def test_a_full_outbox_is_waited_for_and_nothing_is_dropped(tmp_path, small, monkeypatch):
    monkeypatch.setattr("devices.feed._FULL_PAUSE_S", 0.0)
    patient = _start(tmp_path / "a", small, clock=Clock(NOW, 0.0), after=100, backfill_hours=1, full=5, with_faults=False)
    smooth = _start(tmp_path / "b", small, clock=Clock(NOW, 0.0), after=100, backfill_hours=1, with_faults=False)
    assert patient.sent == smooth.sent


def test_however_a_span_is_cut_the_same_readings_come_out():
    noise = Noise(seed=1)
    for group in groups(INVENTORY, 1.0)[::7]:
        whole = [reading for part in messages(noise, group, NOW - 20_000, NOW, with_faults=True) for reading in part]
        cuts = [NOW - 20_000, NOW - 13_337, NOW - 13_336, NOW - 900, NOW]
        parts = [
            reading
            for after, until in pairwise(cuts)
            for part in messages(noise, group, after, until, with_faults=True)
            for reading in part
        ]
        assert parts == whole


def test_speed_makes_channels_send_more_often_but_once_a_second_at_most():
    usual = {(g.station.device, c.name): g.interval_s for g in groups(INVENTORY, 1.0) for c in g.channels}
    quick = {(g.station.device, c.name): g.interval_s for g in groups(INVENTORY, 60.0) for c in g.channels}
    assert quick["weather-list", "air_temperature"] == usual["weather-list", "air_temperature"] / 60
    assert quick["bus-sylt-1", "speed"] == 1
    assert min(g.interval_s for g in groups(INVENTORY, 1e6)) == 1


def test_a_bus_says_where_it_is_and_stays_on_its_route():
    group = next(g for g in groups(INVENTORY, 1.0) if g.station.device == "bus-sylt-1")
    places = [r["position"] for part in messages(Noise(seed=1), group, NOW - 7_200, NOW, with_faults=False) for r in part]
    assert all(8.30 <= lon <= 8.45 and 54.9 <= lat <= 55.03 for lon, lat in places)
    assert len({tuple(place) for place in places}) > 30


def test_by_night_the_bus_sends_nothing():
    night = datetime(2026, 11, 20, 3, 0, tzinfo=UTC).timestamp()
    group = next(g for g in groups(INVENTORY, 1.0) if g.station.device == "bus-sylt-1")
    assert list(messages(Noise(seed=1), group, night - 1_800, night, with_faults=False)) == []
