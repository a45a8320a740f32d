"""Selections in topics give what `$select` gives over HTTP."""

import json

import pytest

from api.sensorthings.entities.schema import ENTITY_SETS
from api.sensorthings.picking import Picker

THINGS = next(entity for entity in ENTITY_SETS if entity.name == "Things")
WHOLE = {
    "@iot.id": 1,
    "@iot.selfLink": "https://region.example/v1.1/Things(1)",
    "name": "station",
    "properties": {"owner": "region", "place": {"town": "Padborg", "floor": 2}},
    "Datastreams@iot.navigationLink": "https://region.example/v1.1/Things(1)/Datastreams",
}


@pytest.mark.parametrize(
    ("select", "taken"),
    [
        ("name", {"name": "station"}),
        ("NAME, id", {"@iot.id": 1, "name": "station"}),
        ("@iot.id", {"@iot.id": 1}),
        ("@iot.selfLink", {"@iot.selfLink": WHOLE["@iot.selfLink"]}),
        ("Datastreams", {"Datastreams@iot.navigationLink": WHOLE["Datastreams@iot.navigationLink"]}),
        ("properties", {"properties": WHOLE["properties"]}),
        ("properties,properties/owner", {"properties": WHOLE["properties"]}),
        ("properties/owner", {"properties": {"owner": "region"}}),
        ("properties/place/town,properties/owner", {"properties": {"owner": "region", "place": {"town": "Padborg"}}}),
        ("properties/place/street", {}),
        ("properties/owner/street", {}),
        ("description", {}),  # left out where there is none
        ("name/first", {}),
    ],
)
def test_a_selection_takes_members_as_they_stand(select: str, taken: dict[str, object]) -> None:
    picker = Picker()
    for _ in range(2):
        picked = picker.pick(THINGS, select, json.dumps(WHOLE).encode())
        assert picked is not None
        assert json.loads(picked) == taken


@pytest.mark.parametrize("select", ["", "nothing", "name,nothing", "Datastreams/name", "id/x", "name&$top=1"])
def test_a_selection_of_what_is_not_there_is_none(select: str) -> None:
    assert Picker().pick(THINGS, select, json.dumps(WHOLE).encode()) is None


def test_selections_are_remembered_within_bounds() -> None:
    picker = Picker()
    for number in range(1_100):
        assert picker.pick(THINGS, f"name{number}", b"{}") is None


def test_a_property_is_null_where_it_has_no_value() -> None:
    name, description = THINGS.property("name"), THINGS.property("description")
    assert name is not None
    assert description is not None
    assert Picker().property(name, json.dumps(WHOLE).encode()) == b'{"name":"station"}'
    assert Picker().property(description, json.dumps(WHOLE).encode()) == b'{"description":null}'
