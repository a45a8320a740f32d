"""FeatureOfInterest (18-088, 8.2.8)."""

from __future__ import annotations

from api.sensorthings.entities.model import Backward, EntitySet, Hidden, Kind, Navigation, Property

FEATURE_OF_INTEREST = EntitySet(
    name="FeaturesOfInterest",
    singular="FeatureOfInterest",
    table="feature_of_interest",
    properties=(
        Property(name="name", kind=Kind.STRING, columns=("name",), mandatory=True, translations="names"),
        Property(name="description", kind=Kind.STRING, columns=("description",), mandatory=True, translations="descriptions"),
        Property(name="encodingType", kind=Kind.STRING, columns=("encoding_type",), mandatory=True),
        Property(name="feature", kind=Kind.GEOMETRY, columns=("feature",), mandatory=True, shape="shape"),
        Property(name="properties", kind=Kind.OBJECT, columns=("properties",)),
    ),
    navigations=(Navigation(name="Observations", target="Observations", join=Backward(column="feature_id")),),
    hidden=Hidden(view="hidden_feature"),
)
