"""The readers turn each source's traps right: one test per trap, on the real files."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from devices import units
from devices.inventory import RECORDED, load_inventory
from devices.replay.clocks import instants
from devices.replay.recordings import DATA, UnknownRecordingError, read, recording, recordings, span

INVENTORY = load_inventory()
CHANNELS = {(station.device, channel.name): channel for station in INVENTORY.stations for channel in station.channels}
COUNTS = {
    "aarhus-traffic": 3 * (16_967 + 14_196 + 16_966 + 16_732),
    "aarhus-parking": 2 * 8 * 1_957 - 0,
    "aarhus-weather": 3 * 4_357,
    "muenster-2023-03": 4 * 2_876,
    "muenster-2023-10": 4 * 2_880,
    "muenster-2026-01": 2_884,
    "sensor-community": 2 * (6_882 + 7_782 + 8_066),
    "smard-2024-03": 3 * (21 * 96 - 4),
    "smard-2024-10": 3 * (14 * 96 + 4),
    "sonderborg": 4 * 1_824,
    "vlissingen": 12_752,
    "ioos-water-level": 7_241,
    "hsl": 23_996,
}


@cache
def events(name):
    return list(read(name))


def values(name, device, prop):
    return {reading.time: reading.value for found, reading in events(name) if found == device and reading.property == prop}


def local_day(name, zone, day, prop):
    return [r for _, r in events(name) if r.property == prop and r.time.astimezone(ZoneInfo(zone)).date() == day]


@pytest.mark.parametrize("name", recordings())
def test_a_recording_has_all_its_rows_in_event_time_within_its_span(name):
    times = [reading.time for _, reading in events(name)]
    assert times == sorted(times)
    assert all(time.tzinfo is not None and time.utcoffset() == timedelta(0) for time in times)
    assert span(name) == (times[0], times[-1])
    assert len(times) == COUNTS[name]


@pytest.mark.parametrize("name", recordings())
def test_no_channel_has_two_readings_for_one_time(name):
    keys = Counter((device, reading.property, reading.time) for device, reading in events(name))
    assert max(keys.values()) == 1


@pytest.mark.parametrize("name", [name for name in recordings() if name != "ioos-water-level"])
def test_every_channel_is_in_the_inventory_and_its_unit_converts(name):
    for device, reading in events(name)[:3_000]:
        channel = CHANNELS[device, reading.property]
        assert INVENTORY.station(device).source == RECORDED
        assert (reading.end is not None) == channel.over_interval
        if reading.unit:
            units.converter(reading.unit, channel.property.unit)


def test_default_recordings_share_no_device():
    seen = Counter(device for name in recordings(default=True) for device in {device for device, _ in events(name)})
    assert max(seen.values()) == 1
    assert set(recordings(default=True)) < set(recordings())


def test_the_data_stay_small_and_each_source_is_attributed():
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 6_000_000
    notes = (DATA / "README.md").read_text()
    for path in DATA.glob("*.gz"):
        assert any(path.name.startswith(line.split("`")[1].rstrip("*")) for line in notes.splitlines() if line.startswith("| `"))


def test_an_unknown_recording_is_named_with_those_that_there_are():
    with pytest.raises(UnknownRecordingError, match=r"atlantis.*aarhus-traffic"):
        recording("atlantis")


# ---------------------------------------------------------------- SMARD


def test_smard_has_92_quarters_in_spring_and_100_in_autumn():
    assert len(local_day("smard-2024-03", "Europe/Luxembourg", date(2024, 3, 31), "grid_load")) == 92
    assert len(local_day("smard-2024-10", "Europe/Luxembourg", date(2024, 10, 27), "grid_load")) == 100
    assert len(local_day("smard-2024-10", "Europe/Luxembourg", date(2024, 10, 28), "grid_load")) == 96


def test_smard_tells_the_doubled_hour_apart_and_reads_decimal_commas():
    load = values("smard-2024-10", "smard-luxembourg", "grid_load")
    assert load[datetime(2024, 10, 27, 0, 0, tzinfo=UTC)] == 107.25
    assert load[datetime(2024, 10, 27, 1, 0, tzinfo=UTC)] == 104.0
    wind = values("smard-2024-10", "smard-luxembourg", "wind_generation")
    assert wind[datetime(2024, 10, 27, 0, 15, tzinfo=UTC)] == 2.5
    assert wind[datetime(2024, 10, 27, 1, 15, tzinfo=UTC)] == 1.5


# ---------------------------------------------------------------- Sønderborg


def test_sonderborg_stamps_are_the_end_of_the_hour_and_the_load_is_kilowatts():
    _, first = events("sonderborg")[0]
    assert (first.time, first.end) == (datetime(2010, 12, 15, 0, tzinfo=UTC), datetime(2010, 12, 15, 1, tzinfo=UTC))
    assert (first.property, first.value, first.unit) == ("heat_power", 5.9167, "kW")


def test_sonderborg_sun_stands_highest_at_solar_noon_when_stamps_are_read_as_ends():
    sun = [(time, value) for time, value in values("sonderborg", "sonderborg-heat", "global_radiation").items() if value]
    middle = sum((time.hour + 0.5) * value for time, value in sun) / sum(value for _, value in sun)
    solar_noon = 12 + 10 / 60 - 9.79 / 15  # the equation of time is about ten minutes in these winter months
    assert middle == pytest.approx(solar_noon, abs=0.45)


def test_sonderborg_keeps_missing_hours_as_nulls():
    assert sum(value is None for value in values("sonderborg", "sonderborg-heat", "air_temperature").values()) == 41
    assert sum(value is None for value in values("sonderborg", "sonderborg-heat", "heat_power").values()) == 10


# ---------------------------------------------------------------- Aarhus


def test_aarhus_traffic_is_utc_so_rush_hours_fall_where_people_drive():
    counted = Counter()
    for time, value in values("aarhus-traffic", "aarhus-traffic-158446", "vehicle_count").items():
        counted[time.astimezone(ZoneInfo("Europe/Copenhagen")).hour] += value
    morning = max(range(5, 12), key=counted.__getitem__)
    afternoon = max(range(12, 20), key=counted.__getitem__)
    assert morning in (7, 8)
    assert afternoon in (15, 16)


def test_aarhus_traffic_puts_the_late_block_in_its_place_and_counts_doubled_rows_once():
    count = values("aarhus-traffic", "aarhus-traffic-158446", "vehicle_count")
    assert len(count) == 16_967
    assert count[datetime(2014, 8, 18, 1, 10, tzinfo=UTC)] == 3
    assert datetime(2014, 8, 24, 23, 25, tzinfo=UTC) in count


def test_aarhus_parking_tells_the_doubled_hour_apart():
    occupied = values("aarhus-parking", "aarhus-carpark-bruuns", "occupied_spaces")
    night = [time for time in occupied if datetime(2014, 10, 25, 23, tzinfo=UTC) <= time < datetime(2014, 10, 26, 4, tzinfo=UTC)]
    steps = [(b - a).total_seconds() for a, b in pairwise(night)]
    assert len(night) == 10
    assert all(1_790 < step < 1_810 for step in steps)


def test_aarhus_parking_keeps_gap_stuck_sensor_and_impossible_values():
    times = list(values("aarhus-parking", "aarhus-carpark-bruuns", "occupied_spaces"))
    assert max(b - a for a, b in pairwise(times)) > timedelta(hours=66)
    stuck = values("aarhus-parking", "aarhus-carpark-skolebakken", "occupied_spaces")
    assert Counter(stuck.values()).most_common(1)[0][1] > 0.9 * len(stuck)
    assert max(values("aarhus-parking", "aarhus-carpark-busgadehuset", "occupied_spaces").values()) == 348
    assert set(values("aarhus-parking", "aarhus-carpark-busgadehuset", "capacity").values()) == {130}


def test_aarhus_weather_is_local_time_with_nulls_for_empty_cells():
    temperature = values("aarhus-weather", "aarhus-weather", "air_temperature")
    assert min(temperature) == datetime(2014, 7, 31, 22, tzinfo=UTC)
    assert temperature[datetime(2014, 8, 27, 3, tzinfo=UTC)] is None


# ---------------------------------------------------------------- Münster


def test_muenster_has_92_quarters_in_spring_and_has_lost_an_hour_in_autumn():
    def quarters(name, day):
        device = "muenster-cycles-100031297"
        return [t for t in values(name, device, "cycle_count") if t.astimezone(ZoneInfo("Europe/Berlin")).date() == day]

    assert len(quarters("muenster-2023-03", date(2023, 3, 26))) == 92
    autumn = quarters("muenster-2023-10", date(2023, 10, 29))
    assert len(autumn) == 96
    assert datetime(2023, 10, 29, 0, 45, tzinfo=UTC) in autumn
    assert datetime(2023, 10, 29, 1, 0, tzinfo=UTC) not in autumn
    assert datetime(2023, 10, 29, 2, 0, tzinfo=UTC) in autumn


def test_muenster_quarters_begin_at_their_stamp():
    _, first = events("muenster-2023-03")[0]
    assert (first.time, first.end) == (datetime(2023, 2, 28, 23, 0, tzinfo=UTC), datetime(2023, 2, 28, 23, 15, tzinfo=UTC))


def test_muenster_marks_the_day_on_which_a_direction_is_silent():
    marked = [reading for _, reading in events("muenster-2023-03") if reading.parameters]
    assert len(marked) == 96
    assert marked[-1].parameters == {"incomplete": ["102035541"]}


# ---------------------------------------------------------------- air, water, vehicles


def test_sensor_community_keeps_the_fireworks():
    pm10 = values("sensor-community", "sensor-community-15092", "pm10")
    peak = max(pm10, key=pm10.__getitem__)
    assert pm10[peak] == 353.13
    assert (peak.date(), peak.hour, peak.minute) == (date(2018, 12, 31), 20, 14)
    assert all(fine < 400 for fine in values("sensor-community", "sensor-community-15092", "pm2.5").values())


def test_vlissingen_has_the_surge_and_the_gap():
    level = values("vlissingen", "vlissingen", "water_level")
    assert level[datetime(2018, 1, 3, 13, 30, tzinfo=UTC)] == 3.60
    times = list(level)
    assert max(b - a for a, b in pairwise(times)) == timedelta(hours=34, minutes=40)


def test_the_quality_example_keeps_its_faults():
    level = values("ioos-water-level", "ioos-water-level", "water_level")
    stuck = [
        value
        for time, value in level.items()
        if datetime(2018, 11, 24, 10, tzinfo=UTC) <= time <= datetime(2018, 11, 24, 19, tzinfo=UTC)
    ]
    assert {round(value, 3) for value in stuck} <= {4.148, 4.154}
    spikes = [value for time, value in level.items() if time.date() == date(2019, 6, 10) and time.hour in (19, 20)]
    assert max(spikes) > 4
    assert min(spikes) < -2


def test_hsl_counts_repeated_messages_once_and_leaves_missing_positions_out():
    speeds = [reading for _, reading in events("hsl") if reading.property == "door_open"]
    assert len(speeds) == 4_960 - 103
    assert sum(reading.position is None for reading in speeds) in range(1, 5)


def test_hsl_delay_is_positive_when_late():
    late = values("hsl", "hsl-40-456", "delay")
    assert late[datetime(2020, 9, 21, 3, 0, 0, 963_000, tzinfo=UTC)] == 8


# ---------------------------------------------------------------- stamps


def test_a_stamp_that_never_was_is_refused():
    with pytest.raises(ValueError, match="never was"):
        list(instants([datetime(2024, 3, 31, 2, 30)], "Europe/Berlin"))  # noqa: DTZ001


def test_a_lone_copy_of_the_doubled_hour_is_the_first():
    stamps = [datetime(2024, 10, 27, hour) for hour in (1, 2, 3)]  # noqa: DTZ001
    assert [time.hour for time in instants(stamps, "Europe/Berlin")] == [23, 0, 2]
