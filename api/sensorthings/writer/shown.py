"""What a client sees of an Observation that was just written, made by the statement that writes it: no second question is asked."""

from __future__ import annotations

from api.sensorthings.entities.schema import entity_set
from api.sensorthings.wire.model import Row
from api.sensorthings.wire.v1_1 import WireV11


def shown_observation(root: str) -> bytes:
    """Give the SQL expression, over a row `shown` of a Datastream, of the text that a reader below the service root `root` gets."""
    described = entity_set("Observations")
    assert described is not None
    return WireV11(root).entity(described, Row("shown", owner="Datastreams"), None, []).as_bytes()
