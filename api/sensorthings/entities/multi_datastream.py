"""MultiDatastream (18-088, 8.3): one result with a part for each of its ObservedProperties, in their order."""

from __future__ import annotations

from api.sensorthings.entities.model import Backward, EntitySet, Forward, Hidden, Kind, Navigation, Property, Ranked

COMPLEX_OBSERVATION = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"

MULTI_DATASTREAM = EntitySet(
    name="MultiDatastreams",
    singular="MultiDatastream",
    table="multi_datastream",
    properties=(
        Property(name="name", kind=Kind.STRING, columns=("name",), mandatory=True, translations="names"),
        Property(name="description", kind=Kind.STRING, columns=("description",), mandatory=True, translations="descriptions"),
        # Mandatory in the standard, which knows one value: a client need not say it.
        Property(
            name="observationType", kind=Kind.STRING, columns=("observation_type",), mandatory=True, default=COMPLEX_OBSERVATION
        ),
        Property(
            name="multiObservationDataTypes",
            kind=Kind.JSON,
            columns=("multi_observation_data_types",),
            mandatory=True,
        ),
        Property(name="unitOfMeasurements", kind=Kind.JSON, columns=("unit_of_measurements",), mandatory=True),
        Property(name="observedArea", kind=Kind.GEOMETRY, columns=("observed_area",)),
        Property(name="phenomenonTime", kind=Kind.INTERVAL, columns=("phenomenon_start", "phenomenon_end"), writable=False),
        Property(name="resultTime", kind=Kind.INTERVAL, columns=("result_start", "result_end"), writable=False),
        Property(name="properties", kind=Kind.OBJECT, columns=("properties",)),
    ),
    navigations=(
        Navigation(name="Thing", target="Things", join=Forward(column="thing_id"), mandatory=True),
        Navigation(name="Sensor", target="Sensors", join=Forward(column="sensor_id"), mandatory=True),
        Navigation(
            name="ObservedProperties",
            target="ObservedProperties",
            join=Ranked(
                table="multi_datastream_observed_property",
                own="multi_datastream_id",
                other="observed_property_id",
                view="ranked_observed_property",
            ),
            mandatory=True,
        ),
        Navigation(name="Observations", target="Observations", join=Backward(column="datastream_id")),
    ),
    hidden=Hidden(view="hidden_datastream"),
)
