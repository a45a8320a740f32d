"""The Observations of a FeatureOfInterest: no index has them, but which Datastreams they are of is known (`datastream_feature`).

So the first rows are the first of the first rows of each of these Datastreams, which an index gives in order of time.
"""

from __future__ import annotations

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import Backward, Navigation
from api.sensorthings.odata.build import column, conjunction, view

OF_FEATURE = Backward(column="feature_id")
_USED = sql.SQL("{} IN (SELECT datastream_id FROM {} WHERE feature_id = {})")
_FIRST = sql.SQL(
    "(SELECT first_rows.* FROM {used} used CROSS JOIN LATERAL (SELECT {inner}.* FROM {rows} {inner}"
    " WHERE {own} = used.datastream_id AND {met} ORDER BY {order} LIMIT {most}) first_rows WHERE used.feature_id = {feature})"
)


def is_of_feature(navigation: Navigation | None) -> bool:
    """Whether a relation leads from a FeatureOfInterest to its Observations."""
    return navigation is not None and navigation.join == OF_FEATURE


def used(alias: str, feature: Composable) -> Composable:
    """Give the condition that an Observation is of one of the Datastreams that have some of this feature."""
    return _USED.format(column(alias, "datastream_id"), view("datastream_feature"), feature)


def first_of_each(
    feature: Composable, rows: Composable, inner: str, conditions: list[Composable], order: Composable, most: Composable
) -> Composable:
    """Give a source of at most `most` rows of each Datastream, among which the first of all are."""
    return _FIRST.format(
        used=view("datastream_feature"),
        inner=sql.Identifier(inner),
        rows=rows,
        own=column(inner, "datastream_id"),
        met=conjunction(conditions),
        order=order,
        most=most,
        feature=feature,
    )
