"""Location (18-088, 8.2.2)."""

from __future__ import annotations

from api.sensorthings.entities.model import EntitySet, Hidden, Kind, Navigation, Property, Through

LOCATION = EntitySet(
    name="Locations",
    singular="Location",
    table="location",
    properties=(
        Property(name="name", kind=Kind.STRING, columns=("name",), mandatory=True, translations="names"),
        Property(name="description", kind=Kind.STRING, columns=("description",), mandatory=True, translations="descriptions"),
        Property(name="encodingType", kind=Kind.STRING, columns=("encoding_type",), mandatory=True),
        Property(name="location", kind=Kind.GEOMETRY, columns=("location",), mandatory=True, shape="shape"),
        Property(name="properties", kind=Kind.OBJECT, columns=("properties",)),
    ),
    navigations=(
        Navigation(
            name="Things",
            target="Things",
            join=Through(table="thing_location", own="location_id", other="thing_id"),
        ),
        Navigation(
            name="HistoricalLocations",
            target="HistoricalLocations",
            join=Through(table="historical_location_location", own="location_id", other="historical_location_id"),
        ),
    ),
    hidden=Hidden(view="hidden_location"),
)
