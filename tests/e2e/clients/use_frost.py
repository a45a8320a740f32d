"""What a region does with FROST's Python client: `use_frost.py URL TOKEN CASE`. Fails with an AssertionError."""

import sys

import frost_sta_client as fsc
from frost_sta_client.model.ext.data_array_document import DataArrayDocument
from frost_sta_client.model.ext.data_array_value import DataArrayValue
from geojson import Point

Property = DataArrayValue.Property
CELSIUS = fsc.UnitOfMeasurement(name="degree Celsius", symbol="°C", definition="Cel")
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


class Units(list):
    """The client asks the list for its state, which a list alone has not."""

    def __getstate__(self):
        return [unit.__getstate__() for unit in self]


def made(service, name):
    """A Thing with a Location and a Datastream, made by deep insert."""
    location = fsc.Location(name=name, description="harbour", encoding_type="application/geo+json", location=Point((9.43, 54.79)))
    datastream = fsc.Datastream(
        name="air temperature", description="at 2 m", observation_type=MEASUREMENT, unit_of_measurement=CELSIUS,
        sensor=fsc.Sensor(name="PT100", description="platinum", encoding_type="text/html", metadata="https://example.org/pt100"),
        observed_property=fsc.ObservedProperty(name="air temperature", definition="urn:t", description="of the air"),
    )  # fmt: skip
    thing = fsc.Thing(name=name, description="station", properties={"owner": name}, locations=[location], datastreams=[datastream])
    service.create(thing)
    datastream = next(iter(thing.get_datastreams().query().list()))
    return thing, datastream


def create_and_query(service):
    thing, datastream = made(service, "frost create")
    assert isinstance(thing.id, int)
    found = service.things().find(thing.id)
    assert (found.name, found.properties) == ("frost create", {"owner": "frost create"})
    service.create(fsc.Observation(result=20.5, phenomenon_time="2026-01-01T00:00:00Z", datastream=datastream))
    named = service.things().query().filter("properties/owner eq 'frost create'").expand("Datastreams,Locations").count().list()
    assert named.count == 1
    assert named.get(0).id == thing.id
    assert named.get(0).datastreams.entities[0].unit_of_measurement.symbol == "°C"
    assert named.get(0).locations.entities[0].location["coordinates"] == [9.43, 54.79]
    observation = datastream.get_observations().query().select("result", "phenomenonTime").top(1).list().get(0)
    assert observation.result == 20.5
    assert service.datastreams().find(datastream.id).phenomenon_time.startswith("2026-01-01T00:00:00")


def page_through(service):
    _, datastream = made(service, "frost pages")
    observations = [
        fsc.Observation(
            result=number, phenomenon_time=f"2026-01-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}:00Z"
        )
        for number in range(2_500)
    ]
    document = DataArrayDocument()
    values = DataArrayValue()
    values.datastream = datastream
    values.components = {Property.PHENOMENON_TIME, Property.RESULT}
    for observation in observations:
        values.add_observation(observation)
    document.add_data_array_value(values)
    links = service.observations().create(document)
    assert len(links) == 2_500
    pages = datastream.get_observations().query().orderby("phenomenonTime", "ASC").top(400).count().list()
    assert pages.count == 2_500
    assert [observation.result for observation in pages] == list(range(2_500))
    assert len({observation.id for observation in pages}) == 2_500


def patch_and_delete(service):
    thing, datastream = made(service, "frost change")
    service.patch(
        thing, [{"op": "replace", "path": "/name", "value": "renamed"}, {"op": "add", "path": "/properties/floor", "value": 2}]
    )
    changed = service.things().find(thing.id)
    assert (changed.name, changed.properties) == ("renamed", {"owner": "frost change", "floor": 2})
    changed.description = "replaced"
    service.update(changed)
    assert service.things().find(thing.id).description == "replaced"
    observation = fsc.Observation(result=1, phenomenon_time="2026-01-01T00:00:00Z", datastream=datastream)
    service.create(observation)
    service.patch(observation, [{"op": "replace", "path": "/result", "value": 2}])
    assert service.observations().find(observation.id).result == 2
    service.delete(observation)
    service.delete(changed)
    assert service.things().query().filter(f"id eq {thing.id}").count().list().count == 0
    assert service.datastreams().query().filter(f"id eq {datastream.id}").count().list().count == 0


def data_arrays(service):
    _, datastream = made(service, "frost arrays")
    document, values = DataArrayDocument(), DataArrayValue()
    values.datastream = datastream
    values.components = {Property.PHENOMENON_TIME, Property.RESULT, Property.RESULT_TIME}
    for hour in range(3):
        at = f"2026-01-01T{hour:02}:00:00Z"
        values.add_observation(fsc.Observation(result=hour, phenomenon_time=at, result_time=at))
    document.add_data_array_value(values)
    created = service.observations().create(document)
    assert len(created) == 3
    assert all("/Observations(" in observation.self_link for observation in created)
    assert [o.result for o in datastream.get_observations().query().orderby("phenomenonTime", "ASC").list()] == [0, 1, 2]


def multi_datastream(service):
    thing, _ = made(service, "frost multi")
    stream = fsc.MultiDatastream(
        name="wind", description="speed and direction",
        observation_type="http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation",
        multi_observation_data_types=[MEASUREMENT, MEASUREMENT],
        unit_of_measurements=Units([
            fsc.UnitOfMeasurement(name="metre per second", symbol="m/s", definition="m/s"),
            fsc.UnitOfMeasurement(name="degree", symbol="°", definition="deg"),
        ]),
        thing=thing, sensor=fsc.Sensor(name="ultrasonic", description="wind", encoding_type="text/html", metadata="x"),
        observed_properties=[
            fsc.ObservedProperty(name="wind speed", definition="https://example.org/ws", description="speed"),
            fsc.ObservedProperty(name="wind direction", definition="https://example.org/wd", description="direction"),
        ],
    )  # fmt: skip
    service.create(stream)
    service.create(fsc.Observation(result=[4.5, 270.0], phenomenon_time="2026-01-01T00:00:00Z", multi_datastream=stream))
    # Not by find(): the client can't read the observedArea of a MultiDatastream.
    assert [o.result for o in stream.get_observations().query().list()] == [[4.5, 270.0]]


if __name__ == "__main__":
    url, token, case = sys.argv[1:]
    globals()[case](fsc.SensorThingsService(url, auth_handler=fsc.AuthHandler("region", token)))
