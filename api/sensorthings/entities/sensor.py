"""Sensor (18-088, 8.2.5)."""

from __future__ import annotations

from api.sensorthings.entities.model import Backward, EntitySet, Hidden, Kind, Navigation, Property

SENSOR = EntitySet(
    name="Sensors",
    singular="Sensor",
    table="sensor",
    properties=(
        Property(name="name", kind=Kind.STRING, columns=("name",), mandatory=True, translations="names"),
        Property(name="description", kind=Kind.STRING, columns=("description",), mandatory=True, translations="descriptions"),
        Property(name="encodingType", kind=Kind.STRING, columns=("encoding_type",), mandatory=True),
        Property(name="metadata", kind=Kind.JSON, columns=("metadata",), mandatory=True),
        Property(name="properties", kind=Kind.OBJECT, columns=("properties",)),
    ),
    navigations=(
        Navigation(name="Datastreams", target="Datastreams", join=Backward(column="sensor_id")),
        Navigation(name="MultiDatastreams", target="MultiDatastreams", join=Backward(column="sensor_id")),
    ),
    hidden=Hidden(view="hidden_sensor"),
)
