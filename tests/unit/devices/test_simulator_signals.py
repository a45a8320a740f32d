"""Every simulated channel is a pure, plausible function of seed and time."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from devices.inventory import SIMULATED, load_inventory
from devices.simulator import charging, days, people, weather
from devices.simulator.noise import Noise
from devices.simulator.signals import SIGNALS, values

INVENTORY = load_inventory()
STATIONS = [station for station in INVENTORY.stations if station.source == SIMULATED]
CHANNELS = [(station, channel) for station in STATIONS for channel in station.channels]
NOISE = Noise(seed=7)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
YEAR = np.arange(NOON - 365 * 86_400, NOON, 20_011.0)


def test_every_channel_of_the_region_has_a_signal():
    assert {(station.kind, channel.name) for station, channel in CHANNELS} == {(k, c) for k, v in SIGNALS.items() for c in v}


@pytest.mark.parametrize(("station", "channel"), CHANNELS, ids=[f"{s.device}-{c.name}" for s, c in CHANNELS])
def test_the_same_seed_gives_the_same_values_in_any_order(station, channel):
    time = YEAR[:40]
    together = values(NOISE, station, channel, time)
    order = np.random.default_rng(1).permutation(len(time))
    shuffled = values(Noise(seed=7), station, channel, time[order])
    assert [together[n] for n in order] == shuffled
    assert [values(NOISE, station, channel, time[n : n + 1])[0] for n in (0, 17, 39)] == [together[n] for n in (0, 17, 39)]


@pytest.mark.parametrize(("station", "channel"), CHANNELS, ids=[f"{s.device}-{c.name}" for s, c in CHANNELS])
def test_a_sound_sensor_stays_within_what_the_catalogue_calls_plausible(station, channel):
    shown = [value for value in values(NOISE, station, channel, YEAR) if value is not None]
    assert len(shown) > 0.6 * len(YEAR)
    if channel.property.suspect_span:
        low, high = channel.property.suspect_span
        assert low <= min(shown)
        assert max(shown) <= high
    if channel.property.categories:
        assert set(shown) <= set(channel.property.categories)


def test_another_seed_gives_other_values():
    station = INVENTORY.station("weather-list")
    channel = station.channel("air_temperature")
    assert values(Noise(seed=1), station, channel, YEAR[:50]) != values(Noise(seed=2), station, channel, YEAR[:50])


def test_rush_hours_are_busier_than_nights_and_sundays():
    station = INVENTORY.station("traffic-flensburg-neumarkt")

    def count(*when: int) -> float:
        return people.vehicle_count(NOISE, station, np.array([datetime(*when, tzinfo=UTC).timestamp()]), 900)[0]

    assert count(2026, 11, 19, 6, 45) > 4 * count(2026, 11, 19, 2, 0)
    assert count(2026, 11, 19, 6, 45) > 2 * count(2026, 11, 22, 6, 45)


def test_the_sun_rises_and_sets_where_it_should():
    noon, night = (datetime(2026, 6, 21, hour, 22, tzinfo=UTC).timestamp() for hour in (11, 23))
    height = np.degrees(np.arcsin(days.sun_height(np.array([noon, night]), 9.43, 54.78)))
    assert height[0] == pytest.approx(58.66, abs=0.5)
    assert height[1] < -10
    pv = INVENTORY.station("pv-eggebek")
    assert weather.pv_power(NOISE, pv, np.array([night]), 0)[0] == 0
    assert weather.pv_power(NOISE, pv, np.array([noon]), 0)[0] > 5_000


def test_the_north_sea_has_two_high_waters_a_day_and_the_baltic_hardly_a_tide():
    time = np.arange(NOON, NOON + 2 * 86_400, 300.0)
    husum = weather.level_north_sea(NOISE, INVENTORY.station("water-husum"), time, 0)
    flensburg = weather.level_baltic(NOISE, INVENTORY.station("water-flensburg"), time, 0)
    peaks = ((husum[1:-1] > husum[:-2]) & (husum[1:-1] >= husum[2:]) & (husum[1:-1] > husum.mean())).sum()
    assert 3 <= peaks <= 5
    assert np.ptp(husum) > 2.2
    assert np.ptp(flensburg) < np.ptp(husum) / 2


def test_neighbours_see_the_same_weather():
    time = np.arange(NOON - 30 * 86_400, NOON, 1800.0)
    wind = [weather.wind_speed(NOISE, INVENTORY.station(f"weather-{name}"), time, 0) for name in ("leck", "jyndevad", "list")]
    assert np.corrcoef(wind[0], wind[1])[0, 1] > 0.8
    assert np.corrcoef(wind[0], wind[2])[0, 1] > 0.6


def test_a_wind_park_feeds_in_no_more_than_the_step_allows():
    station = INVENTORY.station("wind-reussenkoege")
    fed, available, step = (
        values(NOISE, station, station.channel(name), YEAR) for name in ("wind_power", "wind_power_available", "feed_in_step")
    )
    assert set(step) == {0, 30, 60, 100}
    rated = station.signal["rated_kw"]
    for power, possible, allowed in zip(fed, available, step, strict=True):
        assert power <= min(possible, rated * allowed / 100) + 1


def test_a_charging_meter_never_runs_back_and_agrees_with_the_power():
    station = INVENTORY.station("ev-padborg")
    time = np.arange(NOON - 3 * 86_400, NOON, 60.0)
    meter = charging.energy(NOISE, station, time, 0)
    power = charging.power(NOISE, station, time, 0)
    state = charging.status(NOISE, station, time, 0)
    assert (np.diff(meter) >= 0).all()
    assert meter[-1] - meter[0] == pytest.approx((power[:-1] / 60).sum(), rel=0.01)
    assert ((state == "CHARGING") == (power > 0)).all()


def test_car_park_spaces_add_up():
    station = INVENTORY.station("carpark-flensburg-exe")
    free, occupied, capacity = (
        values(NOISE, station, station.channel(name), YEAR) for name in ("free_spaces", "occupied_spaces", "capacity")
    )
    assert all(f + o == c for f, o, c in zip(free, occupied, capacity, strict=True))


def test_class_rooms_fill_only_while_school_is_on():
    station = INVENTORY.station("indoor-flensburg-goetheschule")
    lesson, sunday, holiday = (datetime(2026, *when, 10, 10, tzinfo=UTC).timestamp() for when in ((11, 19), (11, 22), (12, 28)))
    shown = people.co2(NOISE, station, np.array([lesson, sunday, holiday]), 0)
    assert shown[0] > 900
    assert max(shown[1:]) < 500


@pytest.mark.parametrize(
    ("country", "day", "expected"),
    [
        ("DE", date(2026, 10, 3), True),
        ("DK", date(2026, 10, 3), False),
        ("DE", date(2026, 10, 31), True),
        ("DK", date(2026, 4, 2), True),
        ("DE", date(2026, 4, 2), False),
    ],
)
def test_public_holidays_are_those_of_the_country(country, day, expected):
    assert days.is_public_holiday(country, day) is expected


@pytest.mark.parametrize(
    ("country", "day", "expected"),
    [
        ("DE", date(2026, 7, 20), True),
        ("DE", date(2026, 10, 14), True),
        ("DE", date(2026, 11, 19), False),
        ("DK", date(2026, 2, 11), True),
        ("DE", date(2026, 2, 11), False),
        ("DK", date(2026, 10, 14), True),
        ("DK", date(2026, 8, 5), True),
        ("DK", date(2026, 11, 19), False),
        ("DE", date(2040, 7, 20), True),
    ],
)
def test_school_holidays_are_those_of_the_country(country, day, expected):
    assert days.is_school_holiday(country, day) is expected


@pytest.mark.parametrize(("day", "quarters"), [((2026, 3, 29), 92), ((2026, 10, 25), 100), ((2026, 11, 19), 96)])
@pytest.mark.parametrize(("timezone", "country"), [("Europe/Berlin", "DE"), ("Europe/Copenhagen", "DK")])
def test_local_days_of_the_clock_change_have_92_and_100_quarter_hours(day, quarters, timezone, country):
    middle = datetime(*day, 12, tzinfo=UTC).timestamp()
    time = np.arange(middle - 86_400, middle + 86_400, 900.0)
    clock = days.local(time, timezone, country)
    number = (date(*day) - date(1970, 1, 1)).days
    assert int((clock.day == number).sum()) == quarters
    assert clock.hour[clock.day == number].min() == 0


def test_noise_has_the_mean_and_deviation_that_it_says():
    many = np.arange(200_000)
    assert NOISE.uniform("u", many).mean() == pytest.approx(0.5, abs=0.01)
    assert NOISE.normal("n", many).std() == pytest.approx(1, abs=0.01)
    assert NOISE.smooth("s", many * 600.0, 3600.0).std() == pytest.approx(1, abs=0.05)
    assert NOISE.rough("r", many * 600.0, 3600.0).std() == pytest.approx(1, abs=0.05)
    steps = np.abs(np.diff(NOISE.smooth("s", np.arange(0, 36_000, 10.0), 3600.0)))
    assert steps.max() < 0.05
