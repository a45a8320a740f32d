"""Thing (18-088, 8.2.1)."""

from __future__ import annotations

from api.sensorthings.entities.model import Backward, EntitySet, Hidden, Kind, Navigation, Property, Through

THING = EntitySet(
    name="Things",
    singular="Thing",
    table="thing",
    properties=(
        Property(name="name", kind=Kind.STRING, columns=("name",), mandatory=True, translations="names"),
        Property(name="description", kind=Kind.STRING, columns=("description",), mandatory=True, translations="descriptions"),
        Property(name="properties", kind=Kind.OBJECT, columns=("properties",)),
    ),
    navigations=(
        Navigation(
            name="Locations",
            target="Locations",
            join=Through(table="thing_location", own="thing_id", other="location_id"),
        ),
        Navigation(name="HistoricalLocations", target="HistoricalLocations", join=Backward(column="thing_id")),
        Navigation(name="Datastreams", target="Datastreams", join=Backward(column="thing_id")),
        Navigation(name="MultiDatastreams", target="MultiDatastreams", join=Backward(column="thing_id")),
    ),
    hidden=Hidden(view="hidden_thing"),
)
