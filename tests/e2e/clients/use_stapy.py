"""What a region does with stapy: `use_stapy.py URL TOKEN CASE`. Fails with an AssertionError. Runs where it may leave a file."""

import sys

import requests
import stapy
from stapy import Delete, Entity, Patch, Post, Query
from stapy.sta.query import Expand

PLACE = {"type": "Point", "coordinates": [9.43, 54.79]}
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


def made():
    thing = Post.thing("stapy station", "at the fjord", {"owner": "stapy"})
    Post.location("stapy place", "harbour", "application/geo+json", PLACE, thing_id=thing)
    sensor = Post.sensor("PT100", "platinum", "text/html", "https://example.org/pt100")
    observed = Post.observed_property("air temperature", "of the air", "https://example.org/t")
    unit = {"name": "degree Celsius", "symbol": "°C", "definition": "Cel"}
    datastream = Post.datastream("air temperature", "at 2 m", unit, MEASUREMENT, thing, observed, sensor)
    return thing, datastream


def create_and_query():
    thing, datastream = made()
    feature = Post.feature_of_interest("fjord", "the air there", "application/geo+json", PLACE)
    for hour, result in enumerate((3.5, 1.5, 2.5)):
        at = f"2026-01-01T{hour:02}:00:00Z"
        Post.observation(at, result, datastream_id=datastream, feature_of_interest_id=feature)
    query = Query(Entity.Datastream).entity_id(datastream).sub_entity(Entity.Observation)
    results, times = query.select("result", "phenomenonTime").order("result").get_data_sets()
    assert results == [1.5, 2.5, 3.5]
    assert times[0].startswith("2026-01-01T01:00:00")
    names = Query(Entity.Thing).select("name", "properties.owner").filter(f"id eq {thing}").get_data_sets()
    assert tuple(names) == ("stapy station", "stapy")
    expanded = (
        Query(Entity.Thing)
        .entity_id(thing)
        .select("Datastreams")
        .expand(Expand(Entity.Datastream).select(["name"]).limit(1).order("name").get_expand())
    )
    assert expanded.get_data_sets()[0]["name"] == "air temperature"


def page_through():
    _, datastream = made()
    for number in range(25):
        Post.observation(f"2026-01-01T00:{number:02}:00Z", number, datastream_id=datastream)
    query = Query(Entity.Datastream).entity_id(datastream).sub_entity(Entity.Observation)
    assert query.select("result").order("phenomenonTime").limit(10).get_data_sets() == list(range(25))


def data_arrays():
    _, datastream = made()
    results = list(range(25))
    Post.observations(results, [f"2026-01-01T00:{number:02}:00Z" for number in results], datastream)
    query = Query(Entity.Datastream).entity_id(datastream).sub_entity(Entity.Observation)
    assert query.select("result").order("phenomenonTime").get_data_sets() == results


def patch_and_delete():
    thing, _ = made()
    Patch.thing(thing, name="stapy renamed")
    assert Query(Entity.Thing).entity_id(thing).select("name").get_data_sets() == "stapy renamed"
    Delete.entity(Entity.Thing, thing)
    left = requests.get(Query(Entity.Thing).filter(f"id eq {thing}").get_query(), timeout=60)
    assert left.json()["value"] == []


if __name__ == "__main__":
    url, token, case = sys.argv[1:]
    stapy.set_sta_url(url)
    stapy.set_credentials("region", token)
    globals()[case]()
