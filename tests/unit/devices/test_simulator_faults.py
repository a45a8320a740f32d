"""Injected faults: their truth is exactly what distinguishes a faulty sensor from a sound one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from devices.inventory import SIMULATED, load_inventory
from devices.simulator.faults import KINDS, SWAPPABLE, Fault, faults_on, faulty_values, kinds_for, truth
from devices.simulator.noise import Noise
from devices.simulator.signals import numbers, values

INVENTORY = load_inventory()
STATIONS = [station for station in INVENTORY.stations if station.source == SIMULATED]
NOISE = Noise(seed=3)
START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=45)
TRUTH = truth(NOISE, STATIONS, START, END)


def _grid(fault):
    day = fault.start.replace(hour=0, minute=0, second=0).timestamp()
    station = INVENTORY.station(fault.device)
    channel = station.channel(fault.channel)
    return station, channel, np.arange(day, day + 86_400, channel.interval_s, dtype=np.float64)


def test_every_kind_of_fault_occurs():
    assert {fault.kind for fault in TRUTH} == set(KINDS)


def test_the_truth_is_the_same_every_time_and_however_it_is_cut():
    again = truth(Noise(seed=3), STATIONS, START, END)
    assert again == TRUTH
    middle = START + timedelta(days=20, hours=7)
    cut = truth(NOISE, STATIONS, START, middle) + truth(NOISE, STATIONS, middle, END)
    assert {repr(fault) for fault in cut} == {repr(fault) for fault in TRUTH}


def test_a_fault_lies_within_its_day_and_a_channel_has_one_at_a_time():
    for fault in TRUTH:
        assert fault.start < fault.end
        assert fault.start.date() == (fault.end - timedelta(microseconds=1)).date()
    keys = [(fault.device, fault.channel, fault.start.date()) for fault in TRUTH]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("kind", KINDS)
def test_readings_differ_from_a_sound_sensor_exactly_within_the_fault(kind):
    seen = 0
    for fault in [fault for fault in TRUTH if fault.kind == kind][:8]:
        station, channel, time = _grid(fault)
        right = values(NOISE, station, channel, time)
        sent = faulty_values(NOISE, station, channel, time, faults_on(NOISE, station, int(time[0] // 86_400)))
        start, end = fault.span_s
        for moment, a, b in zip(time, right, sent, strict=True):
            if not start <= moment < end:
                assert a == b
            elif a != b:
                seen += 1
    assert seen > 0


def _sent(device, channel_name, kind, hours=(3, 9)):
    station = INVENTORY.station(device)
    channel = station.channel(channel_name)
    day = datetime(2026, 11, 19, tzinfo=UTC)
    fault = Fault(
        device=device, channel=channel_name, kind=kind, start=day + timedelta(hours=hours[0]), end=day + timedelta(hours=hours[1])
    )
    time = np.arange(fault.start.timestamp(), fault.end.timestamp(), channel.interval_s)
    return station, channel, time, values(NOISE, station, channel, time), faulty_values(NOISE, station, channel, time, [fault])


def test_a_gap_sends_nothing():
    for device, channel in (
        ("weather-list", "air_temperature"),
        ("ev-padborg", "charging_status"),
        ("bay-flensburg-rathaus-1", "occupied"),
    ):
        assert set(_sent(device, channel, "gap")[4]) == {None}


def test_a_flat_line_sends_one_value_and_so_does_a_stuck_counter():
    assert len(set(_sent("weather-list", "air_temperature", "flat_line")[4])) == 1
    assert len(set(_sent("traffic-tonder", "vehicle_count", "stuck_counter")[4])) == 1
    assert len(set(_sent("bay-flensburg-rathaus-1", "occupied", "flat_line", (8, 16))[4])) == 1


def test_a_unit_mixup_sends_fahrenheit_for_celsius():
    _, _, _, right, sent = _sent("weather-list", "air_temperature", "unit_mixup")
    assert sent == pytest.approx([1.8 * value + 32 for value in right], abs=0.15)


def test_swapped_sensors_send_each_others_values():
    station, channel, time, _, sent = _sent("heat-flensburg", "supply_temperature", "swapped")
    other = numbers(NOISE, station, station.channel("return_temperature"), time)
    assert sent == pytest.approx(list(other), abs=0.06)
    assert channel.name in {name for pair in SWAPPABLE for name in pair}


def test_a_drift_starts_small_and_grows():
    _, _, _, right, sent = _sent("air-aabenraa", "no2", "drift", (2, 14))
    off = [b - a for a, b in zip(right, sent, strict=True)]
    assert abs(off[0]) < 1
    assert off[-1] > 70


def test_a_meter_that_was_reset_starts_at_zero():
    sent = _sent("ev-padborg", "charging_energy", "counter_reset")[4]
    assert sent[0] == 0
    assert sent == sorted(sent)


def test_a_channel_has_only_faults_that_make_sense_for_it():
    for station in STATIONS:
        for channel in station.channels:
            assert set(kinds_for(channel)) <= set(KINDS)
    assert "unit_mixup" not in kinds_for(INVENTORY.station("noise-tonder").channel("laeq"))
    assert kinds_for(INVENTORY.station("ev-padborg").channel("charging_status")) == ("gap", "flat_line")


def test_a_spike_hits_one_reading_and_stands_out():
    for fault in [fault for fault in TRUTH if fault.kind == "spike"][:20]:
        station, channel, _ = _grid(fault)
        start, end = fault.span_s
        assert end - start == channel.interval_s
        right, sent = (
            f(NOISE, station, replace(channel), np.array([start]), *rest) for f, rest in ((values, ()), (faulty_values, ([fault],)))
        )
        if right[0] is not None:
            assert abs(sent[0] - right[0]) >= 0.4 * (channel.property.unit != "kW")
