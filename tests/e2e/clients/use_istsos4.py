"""What a region does with istSOS4's client: `use_istsos4.py URL TOKEN CASE`. It finds the token in the file that NETRC names."""

import sys
from datetime import UTC, datetime, timedelta

from istsos4_client import (
    Client,
    Datastream,
    Location,
    Observation,
    ObservedProperty,
    Sensor,
    Thing,
    TimeInterval,
    UnitOfMeasurement,
)

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
START = datetime(2026, 1, 1, tzinfo=UTC)


def made(client):
    location = Location(
        name="place", description="harbour", encoding_type="application/geo+json",
        location={"type": "Point", "coordinates": [9.43, 54.79]},
    )  # fmt: skip
    thing = client.post(Thing(name="istsos station", description="fjord", properties={"owner": "istsos"}, locations=[location]))
    datastream = Datastream(
        name="air temperature", description="at 2 m", observation_type=MEASUREMENT, thing=thing,
        unit_of_measurement=UnitOfMeasurement(name="degree Celsius", symbol="°C", definition="Cel"),
        sensor=Sensor(name="PT100", description="platinum", encoding_type="text/html", metadata="x"),
        observed_property=ObservedProperty(name="air temperature", description="of the air", definition="https://example.org/t"),
    )  # fmt: skip
    return thing, client.post(datastream)


def create_and_query(client):
    thing, datastream = made(client)
    hour = TimeInterval(start=START, end=START + timedelta(hours=1))
    client.post(Observation(phenomenon_time=hour, result=20.1, datastream=datastream))
    client.post(Observation(phenomenon_time=START + timedelta(hours=2), result=21.5, datastream=datastream.iot_id))
    found = client.list(
        Observation, filter=f"Datastream/id eq {datastream.iot_id}", orderby="phenomenonTime asc", expand="Datastream"
    )
    assert [observation.result for observation in found] == [20.1, 21.5]
    assert found[0].phenomenon_time == hour
    assert found[0].datastream.name == "air temperature"
    stream = client.get(Datastream, datastream.iot_id, expand="Thing,ObservedProperty")
    assert stream.thing.iot_id == thing.iot_id
    assert stream.phenomenon_time.start == START
    assert stream.phenomenon_time.end == START + timedelta(hours=2)


def page_through(client):
    _, datastream = made(client)
    for number in range(25):
        client.post(Observation(phenomenon_time=START + timedelta(minutes=number), result=number, datastream=datastream))
    pages = client.iter_list(Observation, filter=f"Datastream/id eq {datastream.iot_id}", orderby="phenomenonTime asc", top=10)
    assert [observation.result for observation in pages] == list(range(25))


def patch_and_delete(client):
    thing, datastream = made(client)
    client.patch(Thing(iot_id=thing.iot_id, name="renamed", description="fjord"))
    assert client.get(Thing, thing.iot_id).name == "renamed"
    observation = client.post(Observation(phenomenon_time=START, result=1.0, datastream=datastream))
    client.patch(Observation(iot_id=observation.iot_id, result=1.5))
    assert client.get(Observation, observation.iot_id).result == 1.5
    client.delete(Observation, observation.iot_id)
    client.delete(Thing, thing.iot_id)
    assert client.list(Thing, filter=f"id eq {thing.iot_id}") == []


if __name__ == "__main__":
    url, _, case = sys.argv[1:]
    with Client(url, max_retries=0) as one:
        globals()[case](one)
