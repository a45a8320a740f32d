"""The entity sets together, in the order of the standard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from api.sensorthings.entities.datastream import DATASTREAM
from api.sensorthings.entities.feature_of_interest import FEATURE_OF_INTEREST
from api.sensorthings.entities.historical_location import HISTORICAL_LOCATION
from api.sensorthings.entities.location import LOCATION
from api.sensorthings.entities.model import EntitySet, Navigation, Ranked
from api.sensorthings.entities.multi_datastream import MULTI_DATASTREAM
from api.sensorthings.entities.observation import OBSERVATION
from api.sensorthings.entities.observed_property import OBSERVED_PROPERTY
from api.sensorthings.entities.sensor import SENSOR
from api.sensorthings.entities.thing import THING

ENTITY_SETS: tuple[EntitySet, ...] = (
    THING,
    LOCATION,
    HISTORICAL_LOCATION,
    DATASTREAM,
    MULTI_DATASTREAM,
    SENSOR,
    OBSERVED_PROPERTY,
    OBSERVATION,
    FEATURE_OF_INTEREST,
)

_BY_NAME: Mapping[str, EntitySet] = MappingProxyType({s.name.lower(): s for s in ENTITY_SETS})


def entity_set(name: str) -> EntitySet | None:
    """Find an entity set by its name in any case."""
    return _BY_NAME.get(name.lower())


def target_of(navigation: Navigation) -> EntitySet:
    """Give the entity set that a relation leads to."""
    target = _BY_NAME[navigation.target.lower()]
    if isinstance(navigation.join, Ranked):
        return replace(target, table=navigation.join.view, default_order=("rank",))
    return target
