"""Observation (18-088, 8.2.7). Written by `streams.contract.write_observations` alone."""

from __future__ import annotations

from types import MappingProxyType

from api.sensorthings.entities.model import Alternative, EntitySet, Forward, Hidden, Kind, Navigation, Property

OBSERVATION = EntitySet(
    name="Observations",
    singular="Observation",
    table="observation",
    properties=(
        # Mandatory in the standard, but a server fills in its own time where a client gives none.
        Property(name="phenomenonTime", kind=Kind.INTERVAL, columns=("phenomenon_time", "phenomenon_end")),
        Property(name="resultTime", kind=Kind.INSTANT, columns=("result_time",)),
        Property(name="result", kind=Kind.RESULT, columns=("number", "result"), mandatory=True),
        Property(name="resultQuality", kind=Kind.QUALITY, columns=("quality", "flag", "tests", "ruleset")),
        Property(name="validTime", kind=Kind.INTERVAL, columns=("valid_start", "valid_end")),
        Property(
            name="parameters",
            kind=Kind.OBJECT,
            columns=("parameters",),
            members=MappingProxyType({"qc": "flag"}),
        ),
    ),
    navigations=(
        # Either of the two is mandatory; the results of a MultiDatastream are arrays, never numbers.
        Navigation(
            name="Datastream",
            target="Datastreams",
            join=Forward(column="datastream_id"),
            alternative=Alternative(column="number", usual=True),
        ),
        Navigation(
            name="MultiDatastream",
            target="MultiDatastreams",
            join=Forward(column="datastream_id"),
            alternative=Alternative(column="number", usual=False),
        ),
        Navigation(name="FeatureOfInterest", target="FeaturesOfInterest", join=Forward(column="feature_id")),
    ),
    hidden=Hidden(view="hidden_datastream", column="datastream_id"),
    default_order=("phenomenon_time",),
    tie_order=("datastream_id", "discriminator"),
    day_column="phenomenon_time",
    latest="latest_observation",
)
