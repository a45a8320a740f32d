"""ObservedProperty (18-088, 8.2.6)."""

from __future__ import annotations

from api.sensorthings.entities.model import Backward, EntitySet, Kind, Navigation, Property, Through

OBSERVED_PROPERTY = EntitySet(
    name="ObservedProperties",
    singular="ObservedProperty",
    table="observed_property",
    properties=(
        Property(name="name", kind=Kind.STRING, columns=("name",), mandatory=True, translations="names"),
        Property(name="definition", kind=Kind.STRING, columns=("definition",), mandatory=True),
        Property(name="description", kind=Kind.STRING, columns=("description",), mandatory=True, translations="descriptions"),
        Property(name="properties", kind=Kind.OBJECT, columns=("properties",)),
    ),
    navigations=(
        Navigation(name="Datastreams", target="Datastreams", join=Backward(column="observed_property_id")),
        Navigation(
            name="MultiDatastreams",
            target="MultiDatastreams",
            join=Through(table="multi_datastream_observed_property", own="observed_property_id", other="multi_datastream_id"),
        ),
    ),
)
