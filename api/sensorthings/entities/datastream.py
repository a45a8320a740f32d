"""Datastream (18-088, 8.2.4)."""

from __future__ import annotations

from api.sensorthings.entities.model import Backward, EntitySet, Forward, Hidden, Kind, Navigation, Property

DATASTREAM = EntitySet(
    name="Datastreams",
    singular="Datastream",
    table="single_datastream",
    properties=(
        Property(name="name", kind=Kind.STRING, columns=("name",), mandatory=True, translations="names"),
        Property(name="description", kind=Kind.STRING, columns=("description",), mandatory=True, translations="descriptions"),
        Property(name="observationType", kind=Kind.STRING, columns=("observation_type",), mandatory=True),
        Property(name="unitOfMeasurement", kind=Kind.OBJECT, columns=("unit_of_measurement",), mandatory=True),
        Property(name="observedArea", kind=Kind.GEOMETRY, columns=("observed_area",)),
        Property(name="phenomenonTime", kind=Kind.INTERVAL, columns=("phenomenon_start", "phenomenon_end"), writable=False),
        Property(name="resultTime", kind=Kind.INTERVAL, columns=("result_start", "result_end"), writable=False),
        Property(name="properties", kind=Kind.OBJECT, columns=("properties",)),
    ),
    navigations=(
        Navigation(name="Thing", target="Things", join=Forward(column="thing_id"), mandatory=True),
        Navigation(name="Sensor", target="Sensors", join=Forward(column="sensor_id"), mandatory=True),
        Navigation(
            name="ObservedProperty",
            target="ObservedProperties",
            join=Forward(column="observed_property_id"),
            mandatory=True,
        ),
        Navigation(name="Observations", target="Observations", join=Backward(column="datastream_id")),
    ),
    hidden=Hidden(view="hidden_datastream"),
)
