"""The replay moves recordings to now by whole weeks, bounds what it sends at first, and goes on where it stopped."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile

import pytest

from devices.gateway import OutboxFullError
from devices.gateway.payload import encode
from devices.replay import run as running
from devices.replay.recordings import UnknownRecordingError, read, recordings, span
from devices.replay.retime import cycle, due, happening_now, once
from devices.replay.run import run

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).timestamp()
WEEK = 7 * 86_400


class Recorder:
    """A gateway that keeps what it was given, and stops the replay when the clock has reached a moment."""

    def __init__(self, stop, *, full=0):
        self.stop, self.full = stop, full
        self.sent = []
        self.closed = False

    def publish_many(self, messages, *, format="json"):  # noqa: A002
        if self.full:
            self.full -= 1
            raise OutboxFullError("full")
        for device, readings in messages:
            encode(readings, format, now=datetime.now(UTC))
            self.sent += [(device, reading) for reading in readings]
        return []

    def close(self):
        self.closed = True


def _play(path, names, *, start=NOW, ticks=3, step=600.0, full=0, **more):
    """Run over some ticks of a clock that moves by `step` seconds each."""
    stop = threading.Event()
    recorder = Recorder(stop, full=full)
    looks = iter(range(10**9))

    def clock():
        look = next(looks)
        if look >= ticks:
            stop.set()
        return start + step * look

    run(host="", port=0, data_dir=path, stop=stop, names=names, open_gateway=lambda _: recorder, clock=clock, **more)
    assert recorder.closed
    return recorder.sent


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(running, "RATE", None)
    monkeypatch.setattr(running, "_TICK_S", 0.0)
    monkeypatch.setattr("devices.feed._FULL_PAUSE_S", 0.0)


def _known(reading):
    return (reading.get("end") or reading["time"]).timestamp() if "time" in reading else reading["end"].timestamp()


def _begins(reading):
    return reading.get("time") or reading["start"]


@pytest.mark.parametrize("name", recordings())
def test_a_cycle_is_whole_weeks_or_whole_hours_within_the_recording(name):
    found = cycle(name)
    first, last = span(name)
    assert found.length_s % (WEEK if last - first > timedelta(days=7) else 3_600) == 0
    assert found.length_s <= (last - first).total_seconds() + 1
    assert found.start_s == first.timestamp()


@pytest.mark.parametrize("name", ["smard-2024-10", "sonderborg", "muenster-2026-01"])
def test_the_shift_keeps_weekday_and_time_of_day_and_is_told(name):
    originals = {(device, reading.property, reading.time): reading.value for device, reading in read(name)}
    for device, reading in takewhile(lambda event: due(event[1]) <= NOW, happening_now(name, NOW - 6 * 3_600)):
        shift = reading.parameters["replayed"]
        assert shift % WEEK == 0
        original = reading.time - timedelta(seconds=shift)
        assert originals[device, reading.property, original] == reading.value
        assert (original.weekday(), original.time()) == (reading.time.weekday(), reading.time.time())


def test_what_happens_now_is_due_in_order_and_never_ends():
    first, last = span("smard-2024-10")
    events = happening_now("smard-2024-10", NOW)
    times = [due(next(events)[1]) for _ in range(3 * int((last - first).total_seconds() / 900) * 2)]
    assert times == sorted(times)
    assert NOW < times[0] <= NOW + 900
    assert times[-1] > NOW + 2 * 14 * 86_400 - 4 * 86_400


def _due_between(name, after, until):
    return list(takewhile(lambda event: due(event[1]) <= until, happening_now(name, after)))


@pytest.mark.parametrize("offset", [-900, 0, 1, 900])
def test_cutting_at_any_moment_gives_the_same_readings(offset):
    found = cycle("smard-2024-10")
    edge = found.start_s + found.length_s * ((NOW - found.start_s) // found.length_s)
    whole = _due_between("smard-2024-10", edge - 4_000, edge + 4_000)
    parts = _due_between("smard-2024-10", edge - 4_000, edge + offset) + _due_between("smard-2024-10", edge + offset, edge + 4_000)
    assert len(whole) > 20
    assert parts == whole


def test_the_first_start_sends_two_days_then_goes_on_and_nothing_lies_in_the_future(tmp_path):
    sent = _play(tmp_path, ["smard-2024-10", "vlissingen"])
    water = [_begins(reading).timestamp() for device, reading in sent if device == "vlissingen"]
    assert min(water) > NOW - 48 * 3_600 - 1
    assert len(water) == len(set(water)) > 288 * 0.7
    assert max(_known(reading) for _, reading in sent) <= NOW + 2 * 600
    assert max(water) > NOW


def test_the_default_recordings_start_with_a_bounded_number_of_readings(tmp_path):
    sent = _play(tmp_path, None, ticks=2, step=1.0)
    assert 15_000 < len(sent) < 30_000
    vehicles = [_begins(reading).timestamp() for device, reading in sent if device.startswith("hsl-")]
    assert min(vehicles) > NOW - 2 * 3_600 - 1
    assert all("replayed" in reading["parameters"] for _, reading in sent)


def test_a_restart_goes_on_where_the_last_one_stopped(tmp_path):
    first = _play(tmp_path, ["vlissingen"])
    second = _play(tmp_path, ["vlissingen"], start=NOW + 3 * 3_600)
    assert min(_known(reading) for _, reading in second) > NOW
    keys = [(device, _begins(reading)) for device, reading in first + second]
    assert len(keys) - len(set(keys)) <= 2
    times = sorted(time for _, time in set(keys))
    assert max(b - a for a, b in pairwise(times)) == timedelta(minutes=10)


def test_after_a_long_absence_at_most_a_week_is_filled(tmp_path):
    _play(tmp_path, ["sonderborg"])
    late = _play(tmp_path, ["sonderborg"], start=NOW + 40 * 86_400)
    assert min(_known(reading) for _, reading in late) > NOW + 33 * 86_400


def test_a_higher_speed_catches_up_with_the_clock_and_not_beyond(tmp_path):
    slow = _play(tmp_path / "a", ["vlissingen"], ticks=2, step=60.0, speed=10.0)
    assert max(_known(reading) for _, reading in slow) <= NOW - 48 * 3_600 + 10 * 120
    quick = _play(tmp_path / "b", ["vlissingen"], ticks=3, step=60.0, speed=1e6)
    assert NOW - 600 < max(_known(reading) for _, reading in quick) <= NOW + 180


def test_untimed_recordings_run_once_from_their_beginning_at_their_own_times(tmp_path):
    sent = _play(tmp_path, ["sonderborg"], retime=False, speed=3_600.0, step=1.0, ticks=30)
    times = [_begins(reading) for _, reading in sent]
    assert min(times) == datetime(2010, 12, 15, 0, tzinfo=UTC)
    assert timedelta(hours=10) < max(times) - min(times) < timedelta(hours=31)
    assert all("parameters" not in reading for _, reading in sent)
    again = _play(tmp_path, ["sonderborg"], retime=False, speed=3_600.0, step=1.0, ticks=30)
    assert min(_begins(reading) for _, reading in again) > max(times)


def test_untimed_recordings_end(tmp_path):
    sent = _play(tmp_path, ["sonderborg"], retime=False, speed=1e9, step=1.0, ticks=20)
    assert len(sent) == 7_296
    assert _play(tmp_path, ["sonderborg"], retime=False, speed=1e9, step=1.0, ticks=20) == []


def test_a_full_outbox_is_waited_for(tmp_path):
    assert len(_play(tmp_path / "a", ["sonderborg"], full=7)) == len(_play(tmp_path / "b", ["sonderborg"])) > 100


def test_an_unknown_recording_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(UnknownRecordingError):
        run(host="", port=0, data_dir=tmp_path / "x", stop=threading.Event(), names=["nothing"])
    assert not (tmp_path / "x").exists()


def test_readings_at_their_own_times_start_after_the_moment_asked_for():
    first = span("vlissingen")[0].timestamp()
    assert next(once("vlissingen", first))[1].time.timestamp() == first + 600
    assert next(once("vlissingen", first - 1))[1].time.timestamp() == first
