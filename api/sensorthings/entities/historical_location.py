"""HistoricalLocation (18-088, 8.2.3)."""

from __future__ import annotations

from api.sensorthings.entities.model import EntitySet, Forward, Hidden, Kind, Navigation, Property, Through

HISTORICAL_LOCATION = EntitySet(
    name="HistoricalLocations",
    singular="HistoricalLocation",
    table="historical_location",
    properties=(Property(name="time", kind=Kind.INSTANT, columns=("time",), mandatory=True),),
    navigations=(
        Navigation(name="Thing", target="Things", join=Forward(column="thing_id"), mandatory=True),
        Navigation(
            name="Locations",
            target="Locations",
            join=Through(table="historical_location_location", own="historical_location_id", other="location_id"),
            mandatory=True,
        ),
    ),
    hidden=Hidden(view="hidden_thing", column="thing_id"),
)
