"""Rules of alerts and the events that they find: each kind, both sides of each boundary, whatever the portions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.buckets import Bucket, bucket_events, is_same
from streams.alerts.events import Event, events, silences
from streams.alerts.plan import Alert, Change, plan
from streams.alerts.rules import Rule, RuleError, alert_rules, read
from streams.alerts.watches import Site, Watch, watches_of

MINUTE = 60_000_000
HOUR = 60 * MINUTE
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RULES = {rule.name: rule for rule in alert_rules()}
SURGE = {"coast": "baltic", "datum": "DHHN2016", "mean_water_m": 0.06, "mean_water_valid_from": "2021-01-01"}
FIELDS = 'name = "x"\nversion = 1\nkind = "threshold"\nproperties = ["p"]\ntitles = { de = "x", da = "x", en = "x" }\n'
LEVEL = '{ name = "a", raise = 1, titles = { de = "x", da = "x", en = "x" } }'


def site(observed: str, unit: str = "ug/m3", **own: Any) -> Site:
    return Site(datastream=1, observed=observed, unit=unit, timezone="Europe/Berlin", own={"interval_s": 300, **own}, thing={})


def watch(name: str, where: Site) -> Watch:
    (found,), _ = watches_of(where, [RULES[name]])
    return found


def us(*time: int) -> int:
    return (datetime(*time, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # pyright: ignore[reportArgumentType]


def found(rule: Watch, *values: float, start: int = us(2026, 1, 1), step: int = MINUTE) -> list[Event]:
    return events(rule, start + step * np.arange(len(values), dtype=np.int64), np.array(values, dtype=np.float64))


def highest(rule: Watch, value: float) -> int:
    """Level of one value that stands alone; 0: no event."""
    return max((event.highest for event in found(rule, value)), default=0)


@pytest.mark.parametrize(
    ("value", "level"), [(1.05, 0), (1.06, 1), (1.3, 1), (1.31, 2), (1.55, 2), (1.56, 3), (2.05, 3), (2.06, 4)]
)
def test_a_surge_of_the_baltic_is_above_mean_water(value: float, level: int) -> None:
    assert highest(watch("storm_surge_baltic", site("water_level", "m", **SURGE)), value) == level
    assert highest(watch("storm_surge_baltic", site("water_level", "cm", **SURGE)), value * 100) == level


@pytest.mark.parametrize(("value", "level"), [(2.49, 0), (2.5, 1), (3.49, 1), (3.5, 2), (4.49, 2), (4.5, 3)])
def test_a_surge_of_the_north_sea_is_above_mean_high_water(value: float, level: int) -> None:
    gauge = site("water_level", "m", coast="north_sea", datum="NHN", mean_high_water_m=1.0)
    assert highest(watch("storm_surge_north_sea", gauge), value) == level


@pytest.mark.parametrize("missing", ["coast", "datum", "mean_water_m"])
def test_a_gauge_without_its_zero_has_no_surge_rule_and_says_why(missing: str) -> None:
    watches, gaps = watches_of(site("water_level", "m", **{k: v for k, v in SURGE.items() if k != missing}), RULES.values())
    assert "storm_surge_baltic" not in {each.rule for each in watches}
    assert ("storm_surge_baltic", missing) in {(gap.rule, gap.missing) for gap in gaps}


def test_a_mean_water_holds_from_its_day_on() -> None:
    rule = watch("storm_surge_baltic", site("water_level", "m", **SURGE))
    assert found(rule, 3.0, start=us(2020, 12, 31, 22, 59)) == []
    assert len(found(rule, 3.0, start=us(2020, 12, 31, 23, 0))) == 1  # local midnight


BOUNDS = {"pm2.5": (50, 90, 140), "pm10": (120, 195, 270), "no2": (60, 100, 150), "o3": (120, 160, 180), "so2": (125, 190, 275)}


@pytest.mark.parametrize("pollutant", BOUNDS)
def test_a_value_on_a_bound_of_the_index_belongs_to_the_lower_class(pollutant: str) -> None:
    rule = watch(f"eaqi.{pollutant.replace('.', '')}", site(pollutant))
    for below, bound in enumerate(BOUNDS[pollutant], 2):
        assert highest(rule, bound) == (below if below > 2 else 0)
        assert highest(rule, bound + 0.1) == below + 1


def bucket(start: int, mean: float, *, numbers: int = 12, year: int = 2026, bad: int = 0) -> Bucket:
    return Bucket(start, year, numbers, Decimal(str(mean)) * numbers, numbers + bad, bad)


def test_a_limit_has_a_second_level_beyond_the_times_allowed_in_a_year_and_ends_with_its_law() -> None:
    rule = watch("eu2008.no2_hour", site("no2"))
    over = [bucket(us(2026, 3, 1) + 2 * n * HOUR, 200.1) for n in range(19)]
    under = [bucket(each.start + HOUR, 200.0) for each in over]
    series = sorted(over + under)
    levels = [event.level for event in bucket_events(rule, series, 0)]
    assert levels == [1] * 18 + [2]
    assert [event.level for event in bucket_events(rule, series, over[18].start)] == [2]  # evaluated from there on alone
    last = us(2026, 12, 11, 22)
    (event,) = bucket_events(rule, [bucket(last, 300), bucket(last + HOUR, 300)], 0)
    assert event.ends == datetime(2026, 12, 11, 23, tzinfo=UTC)  # local midnight, whatever the value
    later = watch("eu2024.no2_hour", site("no2"))
    assert [each.begins for each in bucket_events(later, [bucket(last, 300), bucket(last + HOUR, 300)], 0)] == [event.ends]


def test_a_mean_of_too_few_readings_says_nothing() -> None:
    rule = watch("eaqi.no2", site("no2"))
    assert bucket_events(rule, [bucket(0, 100, numbers=8)], 0) == []
    assert len(bucket_events(rule, [bucket(0, 100, numbers=9)], 0)) == 1


def test_a_share_of_bad_readings_and_a_change_of_means() -> None:
    quality = watch("bad_quality", site("no2"))
    assert bucket_events(quality, [bucket(0, 1, numbers=7, bad=6)], 0) == []
    assert [event.level for event in bucket_events(quality, [bucket(0, 1, numbers=6, bad=6)], 0)] == [1]
    assert bucket_events(quality, [bucket(0, 1, numbers=1, bad=4)], 0) == []  # five readings
    rising = watch("water_rising", site("water_level", "cm"))
    quarters = [bucket(n * HOUR // 4, value) for n, value in enumerate([0, 0, 0, 0, 119.9, 120])]
    (event,) = bucket_events(rising, quarters, 0)
    assert (event.begins, event.value) == (EPOCH + timedelta(minutes=75), 120.0)
    assert bucket_events(rising, [quarters[0], quarters[5]], 0) == []  # not an hour apart


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 28, 23), 23), ((2026, 10, 24, 22), 25)])
def test_a_local_day_has_23_or_25_hours(day: tuple[int, ...], hours: int) -> None:
    rule = watch("who2021.no2_day", site("no2"))
    assert is_same(rule, us(*day), us(*day) + hours * HOUR - 1)
    assert not is_same(rule, us(*day), us(*day) + hours * HOUR)


def test_silence_is_longer_than_allowed_and_not_as_long() -> None:
    rule = watch("no_data", site("no2"))
    times = np.array([0, 30 * MINUTE, 60 * MINUTE + 1], dtype=np.int64)
    assert [(event.begins, event.ends) for event in silences(rule, times, None)] == [
        (EPOCH + timedelta(minutes=60), EPOCH + timedelta(minutes=60, microseconds=1))
    ]
    assert len(silences(rule, times[:1], 30 * MINUTE)) == 0
    assert silences(rule, times[:1], 30 * MINUTE + 1)[0].ends is None


def test_a_value_has_to_last_and_begins_when_it_began() -> None:
    rule = watch("stale_air", site("co2", "[ppm]"))
    assert found(rule, 1000, 1000, 1000, step=5 * MINUTE) == []
    assert found(rule, 1000, 1000, 999, 1000, step=5 * MINUTE) == []
    (event,) = found(rule, 1000, 1200, 1100, 1000, 900, 899, step=5 * MINUTE)
    assert (event.begins, event.ends, event.value) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 25, tzinfo=UTC),
        1200,
    )


COLD = Watch(rule="cold", version=1, kind="threshold", sign=-1.0, raises=(0.0, 10.0), clears=(-2.0, 8.0))
VALUES = st.lists(st.integers(-13, 5).map(float), max_size=40)


def shown(found: list[Event]) -> list[tuple[Any, ...]]:
    return [(each.begins, each.ends, each.level, each.highest, each.value, each.value_at) for each in found]


@given(VALUES, st.data())
def test_events_from_where_nothing_lasts_are_those_of_the_whole(values: list[float], data: st.DataObject) -> None:
    whole = found(COLD, *values)
    clear = [place for place, value in enumerate(values) if value > 2]
    if clear:
        cut = data.draw(st.sampled_from(clear))
        rest = found(COLD, *values[cut:], start=us(2026, 1, 1) + cut * MINUTE)
        assert shown(found(COLD, *values[: cut + 1])) + shown(rest) == shown(whole)
    level = 0
    for place, value in enumerate(values):
        up = 2 if value <= -10 else 1 if value <= 0 else 0
        level = max(up, min(level, 2 if value <= -8 else 1 if value <= 2 else 0))
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=place)
        lasting = [each for each in whole if each.begins <= now and (each.ends is None or now < each.ends)]
        assert len(lasting) == (level > 0)


def stored(changes: list[Change], known: list[Alert]) -> list[Alert]:
    """Alerts after changes, as the tables would have them."""
    alerts = {alert.id: alert for alert in known}
    for change in changes:
        number = change.alert.id if change.alert else len(alerts) + 1
        kept = change.event or change.alert
        assert kept is not None
        state = "withdrawn" if change.event is None else "raised" if change.event.ends is None else "cleared"
        alerts[number] = Alert(
            id=number, version=1, begins=kept.begins, ends=kept.ends, state=state, level=kept.level, highest=kept.highest,
            value=kept.value, value_at=kept.value_at, number=(change.alert.number if change.alert else 0) + len(change.transitions),
            ever=kept.highest,
        )  # fmt: skip
        if change.transitions:
            assert change.transitions[-1].state == state
    return list(alerts.values())


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_alerts_become_the_events_whatever_they_were_and_then_nothing_more_happens(versions: list[list[float]]) -> None:
    alerts: list[Alert] = []
    for values in versions:
        alerts = stored(plan(alerts, found(COLD, *values), "revision", 1), alerts)
        living = sorted((each for each in alerts if each.state != "withdrawn"), key=lambda each: each.begins)
        assert shown(living) == shown(found(COLD, *values))  # pyright: ignore[reportArgumentType]
        assert plan(alerts, found(COLD, *values), "revision", 1) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rule = [", "Invalid value"),
        (f'[[rule]]\n{FIELDS}levels = [{LEVEL}]\ncolour = "red"', "colour"),
        (f"[[rule]]\n{FIELDS}levels = []", "levels"),
        (f'[[rule]]\n{FIELDS}unit = "furlong"\nlevels = [{LEVEL}]', "furlong"),
        (f"[[rule]]\n{FIELDS}levels = [{LEVEL.replace('raise', 'clear')}]", "needs raise"),
        (f"[[rule]]\n{FIELDS}levels = [{LEVEL.replace('raise = 1', 'raise = 1, clear = 2')}]", "clear must not lie above"),
        (f"[[rule]]\n{FIELDS}levels = [{LEVEL.replace('raise = 1', 'raise = 2')}, {LEVEL}]", "must go up"),
        (f"[[rule]]\n{FIELDS}levels = [{LEVEL.replace('da', 'no')}]", "no title in da"),
        (f"[[rule]]\n{FIELDS}least_level = 2\nlevels = [{LEVEL}]", "least_level"),
        (f"[[rule]]\n{FIELDS}valid_from = 2026-01-02\nvalid_until = 2026-01-02\nlevels = [{LEVEL}]", "valid_until"),
        (f"[[rule]]\n{FIELDS.replace('threshold', 'no_data')}intervals = 2\nlevels = [{LEVEL}]", "without a limit"),
        (f"[[rule]]\n{FIELDS.replace('threshold', 'mean')}span = 'day'\nallowed = 3\nlevels = [{LEVEL}]", "two levels"),
    ],
)
def test_a_broken_file_names_itself_the_rule_and_what_is_wrong(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(RuleError, match=rf"own\.toml.*{told}"):
        read(file)


def test_an_operators_rule_replaces_the_platforms_and_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        f"[[rule]]\n{FIELDS.replace(chr(34) + 'x' + chr(34), chr(34) + 'no_data' + chr(34), 1)}levels = [{LEVEL}]"
    )
    mine: dict[str, Rule] = {rule.name: rule for rule in alert_rules(str(tmp_path))}
    assert mine["no_data"].kind == "threshold"
    assert mine.keys() == RULES.keys()
    with pytest.raises(RuleError, match="nowhere"):
        alert_rules(str(tmp_path / "nowhere"))
    (tmp_path / "more.toml").write_text((tmp_path / "own.toml").read_text())
    with pytest.raises(RuleError, match="there twice: no_data"):
        msgspec.structs.asdict(alert_rules(f"{tmp_path}/")[0])


def test_rules_that_a_datastream_cannot_have_are_gaps() -> None:
    _, gaps = watches_of(site("no2", "Cel"), RULES.values())
    assert any(gap.missing.startswith("unit ug/m3") for gap in gaps)
    for value in (None, 0, "300", True, 1e400, 10**400):
        _, gaps = watches_of(site("p", interval_s=value), [RULES["no_data"]])
        assert [gap.missing for gap in gaps] == ["interval_s"]
    _, gaps = watches_of(site("water_level", "m", **SURGE | {"mean_water_valid_from": "soon"}), [RULES["storm_surge_baltic"]])
    assert [gap.missing for gap in gaps] == ["mean_water_valid_from as YYYY-MM-DD"]
