"""The figures on the board are right: worked out by hand for a few readings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from grafana.catalogue import rendered
from grafana.macros import One, Raw, TimeRange, Value, expand
from tests.integration.grafana.conftest import insert_observed_properties, insert_thing

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)  # in the past, so that every reading of the range was due
HOUR = TimeRange(start=START, end=START + timedelta(minutes=59))
EVERYTHING: dict[str, Value] = {
    "area": One(text="region"),
    "municipality": Raw(text="'*'"),
    "theme": Raw(text="'*'"),
    "only_good": One(text="0"),
}
ENGLISH = next(board.model for board in rendered() if board.language == "en")


def answers(conninfo: str, title: str, ref_id: str = "A", span: TimeRange = HOUR, **variables: Value) -> list[dict[str, Any]]:
    panel = next(panel for panel in ENGLISH["panels"] if panel["title"] == title and panel["type"] != "row")
    sql = next(target["rawSql"] for target in panel["targets"] if target["refId"] == ref_id)
    with psycopg.connect(conninfo, row_factory=psycopg.rows.dict_row, options="-c role=grenzregion_reader") as connection:
        return connection.execute(expand(sql, span, EVERYTHING | variables, timescaledb=False).encode()).fetchall()


def thing(
    name: str, streams: dict[str, dict[str, Any]], *, place: tuple[float, float] = (9.43, 54.78), **properties: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "description": name,
        "properties": {"device": name, "theme": "parking", "municipality": "Flensburg"} | properties,
        "Locations": [
            {
                "name": name,
                "description": name,
                "encodingType": "application/geo+json",
                "location": {"type": "Point", "coordinates": place},
            }
        ],
        "Datastreams": [
            {
                "name": f"{name} {channel}",
                "description": channel,
                "observationType": "Measurement",
                "unitOfMeasurement": {"name": None, "symbol": None, "definition": stream.get("unit")},
                "properties": {"channel": channel, "interval_s": 300} | stream.get("properties", {}),
                "ObservedProperty": {"$ref": stream.get("key", channel)},
            }
            for channel, stream in streams.items()
        ],
    }


class Registry:
    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        with psycopg.connect(conninfo) as connection:
            self.observed = insert_observed_properties(connection)

    def add(self, entity: dict[str, Any]) -> None:
        with psycopg.connect(self.conninfo) as connection:
            insert_thing(connection, entity, self.observed)

    def read(self, device: str, channel: str, values: list[float], *, flag: int = 1, minute: int = 0) -> None:
        """Put readings into the quarter hour that begins at `minute`."""
        bucket = START + timedelta(minutes=minute)
        with psycopg.connect(self.conninfo) as connection:
            row = connection.execute(
                "SELECT d.id FROM datastream d JOIN thing t ON t.id = thing_id WHERE device = %s AND channel = %s",
                (device, channel),
            ).fetchone()
            assert row
            connection.execute(
                "INSERT INTO aggregate VALUES (%s, 'quarter_hour', %s, %s, %s, %s, %s, 0, 0, 0, %s, 0, %s, 0)",
                (row[0], bucket, flag, len(values), len(values), sum(values), bucket, bucket),
            )
            connection.execute(
                "INSERT INTO datastream_summary VALUES (%s, 1, %s, %s, %s, 1, 0, 5, NULL, 1, NULL, NULL, %s)"
                " ON CONFLICT DO NOTHING",
                (row[0], START, bucket, bucket, bucket),
            )

    def alert(self, device: str, rule: str, begins: int, ends: int | None, state: str) -> None:
        """Have an event from one minute to another, counted from the range's start."""
        times = [None if minute is None else START + timedelta(minutes=minute) for minute in (begins, ends)]
        with psycopg.connect(self.conninfo) as connection:
            connection.execute(
                "INSERT INTO alert (rule, rule_version, datastream, begins, ends, state, level, highest)"
                " SELECT %s, 1, d.id, %s, %s, %s, 1, 2 FROM datastream d JOIN thing t ON t.id = thing_id WHERE device = %s",
                (rule, *times, state, device),
            )


@pytest.fixture
def registry(database: str) -> Iterator[Registry]:
    return Registry(database)


def test_completeness_is_what_came_of_what_was_due_and_good_the_share_of_flag_1(registry: Registry) -> None:
    registry.add(thing("wind", {"wind_power": {"unit": "kW"}}))
    registry.read("wind", "wind_power", [10, 20])  # three were due
    registry.read("wind", "wind_power", [60], flag=4)
    registry.read("wind", "wind_power", [30], minute=30)
    rows = answers(registry.conninfo, "Wind power", "Q")
    assert [(row["time"].minute, row["completeness"], row["good"]) for row in rows] == [
        (0, 1.0, pytest.approx(2 / 3)),
        (15, 0.0, None),
        (30, pytest.approx(1 / 3), 1.0),
        (45, 0.0, None),
    ]
    (overall,) = answers(registry.conninfo, "Quality over the range")
    assert overall == {"completeness": pytest.approx(4 / 12), "good": pytest.approx(3 / 4)}
    (theme,) = answers(registry.conninfo, "Themes")
    assert (theme["readings"], theme["completeness"]) == (4, pytest.approx(4 / 12))


def test_one_that_sends_too_much_does_not_hide_anothers_gap(registry: Registry) -> None:
    registry.add(thing("a", {"wind_power": {"unit": "kW"}}))
    registry.add(thing("b", {"wind_power": {"unit": "kW"}}))
    for minute in (0, 15, 30, 45):
        registry.read("a", "wind_power", [1] * 6, minute=minute)
    registry.read("b", "wind_power", [1] * 3)
    (overall,) = answers(registry.conninfo, "Quality over the range")
    assert overall["completeness"] == pytest.approx((12 + 3) / 24)


def test_only_good_values_count_unless_all_are_asked_for(registry: Registry) -> None:
    registry.add(thing("wind", {"wind_power": {"unit": "kW"}}))
    registry.read("wind", "wind_power", [10, 20])
    registry.read("wind", "wind_power", [60], flag=4)
    assert [row["value"] for row in answers(registry.conninfo, "Wind power")] == [30.0]
    assert [row["value"] for row in answers(registry.conninfo, "Wind power", only_good=One(text="1"))] == [15.0]


def test_counts_are_shown_per_hour(registry: Registry) -> None:
    registry.add(thing("loop", {"cycle_count": {"unit": "{bicycle}", "properties": {"interval_s": 900}}}))
    registry.read("loop", "cycle_count", [25])
    assert [row["value"] for row in answers(registry.conninfo, "Bicycles")] == [100.0]


def test_occupancy_is_occupied_of_occupied_and_free_else_of_the_capacity(registry: Registry) -> None:
    spaces = {"unit": "{space}"}
    registry.add(thing("both", {"occupied_spaces": spaces, "free_spaces": spaces, "capacity": spaces}))
    registry.read("both", "occupied_spaces", [30])
    registry.read("both", "free_spaces", [10])
    registry.add(thing("free", {"free_spaces": spaces, "capacity": spaces}))
    registry.read("free", "free_spaces", [4])
    registry.read("free", "capacity", [5])  # the summary's latest value is 5
    registry.add(thing("unknown", {"free_spaces": spaces}))
    registry.read("unknown", "free_spaces", [4])
    shown = {row["metric"]: row["value"] for row in answers(registry.conninfo, "Parking occupancy")}
    assert shown == {"both": 0.75, "free": pytest.approx(0.2)}


def test_a_water_level_carries_its_datum_and_a_direction_its_name(registry: Registry) -> None:
    registry.add(thing("gauge", {"water_level": {"unit": "m", "properties": {"datum": "DVR90"}}}))
    registry.read("gauge", "water_level", [0.5])
    count = {"key": "border_crossings", "unit": "{vehicle}"}
    registry.add(thing("border", {way: count | {"properties": {"names": {"en": way.title()}}} for way in ("north", "south")}))
    for way in ("north", "south"):
        registry.read("border", way, [1])
    assert [row["metric"] for row in answers(registry.conninfo, "Water level at both coasts")] == ["gauge (DVR90)"]
    assert [row["metric"] for row in answers(registry.conninfo, "Border crossings by direction")] == [
        "border · North",
        "border · South",
    ]


def test_hidden_distant_and_wrongly_measured_stations_do_not_mix_in(registry: Registry) -> None:
    registry.add(thing("hidden", {"wind_power": {"unit": "kW"}}, public=False))
    registry.add(thing("aarhus", {"wind_power": {"unit": "kW"}}, place=(10.2, 56.15)))
    registry.add(thing("watt", {"wind_power": {"unit": "W"}}))
    for device in ("hidden", "aarhus", "watt"):
        registry.read(device, "wind_power", [1])
    assert answers(registry.conninfo, "Wind power") == []
    assert [row["metric"] for row in answers(registry.conninfo, "Wind power", area=One(text="elsewhere"))] == ["aarhus"]
    assert {row["station"] for row in answers(registry.conninfo, "Map of stations")} == {"watt"}


@pytest.mark.parametrize("interval", ["often", -5, 0, None, [], 1e300])
def test_an_interval_that_is_none_leaves_the_board_whole(registry: Registry, interval: object) -> None:
    registry.add(thing("odd", {"wind_power": {"unit": "kW", "properties": {"interval_s": interval}}}))
    registry.read("odd", "wind_power", [7])
    assert [row["value"] for row in answers(registry.conninfo, "Wind power")] == [7.0]
    (overall,) = answers(registry.conninfo, "Quality over the range")
    assert overall == {"completeness": None, "good": 1.0}


def test_a_limit_is_drawn_only_while_it_holds(registry: Registry) -> None:
    def drawn(year: int) -> set[str]:
        span = TimeRange(start=datetime(year, 1, 1, tzinfo=UTC), end=datetime(year, 2, 1, tzinfo=UTC))
        return {row["metric"].partition(" µg")[0] for row in answers(registry.conninfo, "PM10", "L", span)}

    assert drawn(2004) == set()
    assert drawn(2010) == {"EU day mean 50"}
    assert drawn(2026) == {"EU day mean 50", "WHO day mean 45"}
    assert drawn(2027) == {"EU day mean 45", "WHO day mean 45"}


def test_alerts_of_the_range_are_listed_those_that_last_first(registry: Registry) -> None:
    registry.add(thing("wind", {"wind_power": {"unit": "kW"}}))
    registry.add(thing("hidden", {"wind_power": {"unit": "kW"}}, public=False))
    registry.alert("wind", "before", -60, -1, "cleared")
    registry.alert("wind", "within", -60, 10, "cleared")
    registry.alert("wind", "lasts", -90, None, "raised")
    registry.alert("wind", "mistaken", 5, None, "withdrawn")
    registry.alert("wind", "later", 90, None, "raised")
    registry.alert("hidden", "lasts", 0, None, "raised")
    rows = answers(registry.conninfo, "Alerts")
    assert [(row["alert"], row["station"], row["ends"] is None) for row in rows] == [
        ("lasts:2", "wind", True),
        ("within:2", "wind", False),
    ]
