"""Every entry of the inventory is valid, and the entities made of it are what SensorThings and the registry ask for."""

from __future__ import annotations

import json
import shutil
from zoneinfo import ZoneInfo

import pytest

from devices import topics
from devices.catalogue import CatalogueError
from devices.inventory import DATA, RECORDED, SIMULATED, as_sensorthings, load_inventory
from devices.places import MUNICIPALITIES, distance_m, heading_deg, in_region

INVENTORY = load_inventory()
STATIONS = {station.device: station for station in INVENTORY.stations}
REGION = [station for station in INVENTORY.stations if station.source == SIMULATED]


@pytest.mark.parametrize("station", INVENTORY.stations, ids=STATIONS)
def test_a_station_is_valid(station):
    assert topics.is_name(station.device)
    assert all(topics.is_name(channel.name) for channel in station.channels)
    channels = (*station.channels, *station.virtual)
    assert len({channel.name for channel in channels}) == len(channels) > 0
    assert ZoneInfo(station.timezone)
    assert all(channel.property.key in INVENTORY.catalogue for channel in station.channels)
    assert -180 <= station.lon <= 180
    assert -90 <= station.lat <= 90


def test_devices_are_unique():
    assert len(STATIONS) == len(INVENTORY.stations)


def test_simulated_stations_lie_in_the_region_and_recorded_ones_say_where_they_come_from():
    assert all(in_region(station.lon, station.lat) and station.municipality in MUNICIPALITIES for station in REGION)
    for station in INVENTORY.stations:
        if station.source == RECORDED:
            assert {"provider", "licence", "attribution", "recording"} <= set(station.stated)


def test_both_countries_and_all_administrations_have_stations():
    assert {station.municipality for station in REGION} == set(MUNICIPALITIES)
    assert len(REGION) >= 60


def test_every_theme_has_stations_in_the_region():
    assert {station.theme for station in REGION} == {entry.theme for entry in INVENTORY.catalogue.values()}


def test_a_water_level_always_names_its_datum():
    for station in INVENTORY.stations:
        for channel in station.channels:
            if channel.property.key == "water_level":
                assert channel.properties["datum"] in ("DHHN2016", "DVR90", "NAP")
                assert channel.properties["datum_epsg"] in (7837, 5799, 5709)


def test_the_border_screenline_is_counted_in_both_directions():
    crossings = [station for station in REGION if station.kind == "border_crossing"]
    assert {"border-krusaa", "border-froslev-ellund", "border-harrislee"} <= {station.device for station in crossings}
    assert all({channel.name for channel in station.channels} == {"northbound", "southbound"} for station in crossings)


def test_computed_channels_name_channels_that_are_measured():
    measured = {(station.device, channel.name) for station in INVENTORY.stations for channel in station.channels}
    computed = [(station, channel) for station in INVENTORY.stations for channel in station.virtual]
    assert len(computed) == 4 + 3 + 2
    for station, channel in computed:
        for needed in channel.formula["inputs"].values():
            assert (needed.get("device", station.device), needed["channel"]) in measured
        assert "{" not in channel.formula["expression"]
    park = INVENTORY.station("wind-ellhoeft").virtual[0]
    assert park.formula["expression"] == "100 * power / 19000"


def test_a_formula_that_needs_what_the_station_does_not_state_is_refused(tmp_path):
    shutil.copytree(DATA, tmp_path / "data")
    stations = tmp_path / "data" / "stations.toml"
    stations.write_text(stations.read_text().replace("rated_kw = 19000, ", ""))
    with pytest.raises(CatalogueError, match="rated_kw"):
        load_inventory(tmp_path / "data")


def test_things_refer_only_to_sensors_and_observed_properties_that_are_there():
    sensors, properties = dict(INVENTORY.sensors()), dict(INVENTORY.observed_properties())
    used = set()
    for thing in INVENTORY.things():
        for datastream in thing["Datastreams"]:
            assert datastream["ObservedProperty"]["$ref"] in properties
            used.add(datastream["Sensor"]["$ref"])
    assert used == set(sensors)


def test_a_deep_insertable_thing_is_whole():
    things = list(as_sensorthings(INVENTORY))
    assert len(things) == len(INVENTORY.stations)
    for thing in things:
        json.dumps(thing, allow_nan=False)
        assert {"name", "description", "properties", "Locations", "Datastreams"} == set(thing)
        assert thing["Locations"][0]["location"]["type"] == "Point"
        for datastream in thing["Datastreams"]:
            assert {"name", "description", "definition"} <= set(datastream["ObservedProperty"])
            assert {"name", "description", "encodingType", "metadata"} <= set(datastream["Sensor"])
            assert set(datastream["unitOfMeasurement"]) == {"name", "symbol", "definition"}
            assert datastream["properties"]["channel"]


def test_a_thing_carries_what_the_platform_reads():
    thing = next(t for t in INVENTORY.things() if t["properties"]["device"] == "bus-flensburg-1")
    assert (
        thing["properties"] | {"moving": True, "source": "simulated", "country": "DE", "theme": "mobility"} == thing["properties"]
    )
    assert "tenant" not in thing["properties"]


def test_unknown_station_and_channel_are_key_errors():
    with pytest.raises(KeyError, match="nowhere"):
        INVENTORY.station("nowhere")
    with pytest.raises(KeyError, match="nothing"):
        INVENTORY.station("water-list").channel("nothing")
    assert INVENTORY.station("water-list").channel("water_level").interval_s == 300


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("stations.toml", 'device = "stop-flensburg-bahnhof"', 'device = "stop-flensburg-zob"', "twice"),
        ("stations.toml", "[[bus_stop]]", "[[tea_stop]]", "kind"),
        ("stations.toml", 'municipality = "Flensburg"', 'municipality = "Bergen"', "municipality"),
        ("kinds.toml", 'property = "delay"', 'property = "mood"', "property"),
        ("kinds.toml", 'sensor = "departure-board"', 'sensor = "crystal-ball"', "sensor"),
    ],
)
def test_a_contradiction_is_named(tmp_path, file, old, new, reason):
    shutil.copytree(DATA, tmp_path / "data")
    path = tmp_path / "data" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1) if "bus_stop" not in old else text.replace(old, new))
    with pytest.raises(CatalogueError, match=reason):
        load_inventory(tmp_path / "data")


def test_distances_and_headings_are_those_of_the_sphere():
    assert distance_m(9.0, 54.0, 9.0, 55.0) == pytest.approx(111_195, rel=1e-3)
    assert distance_m(9.0, 54.0, 9.0, 54.0) == 0
    assert heading_deg(9.0, 54.0, 9.0, 55.0) == pytest.approx(0)
    assert heading_deg(9.0, 54.0, 9.1, 54.0) == pytest.approx(90, abs=0.1)
    assert heading_deg(9.0, 54.0, 8.9, 54.0) == pytest.approx(270, abs=0.1)


def test_the_region_box_includes_its_edges():
    assert in_region(8.2, 54.25)
    assert in_region(10.2, 55.25)
    assert not in_region(8.19, 54.5)
    assert not in_region(9.0, 55.26)
