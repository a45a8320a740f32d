from __future__ import annotations

import json
from typing import Any

import pytest

from devices.decoders.limits import MAX_PAYLOAD
from devices.decoders.sensorthings import Creation, Related, decode
from devices.vocabulary import UndecodableError

TOPIC = "v1.1/Datastreams(1)/Observations"


@pytest.mark.parametrize("size", [MAX_PAYLOAD, MAX_PAYLOAD + 1])
def test_a_create_may_be_as_large_as_any_message_and_no_larger(size: int) -> None:
    body = b'{"result":1}' + b" " * (size - 12)
    if size <= MAX_PAYLOAD:
        assert isinstance(decode(TOPIC, body), Creation)
    else:
        with pytest.raises(UndecodableError, match="too_large"):
            decode(TOPIC, body)


@pytest.mark.parametrize(("end", "accepted"), [("10:00:00Z", True), ("09:59:59Z", False)])
def test_an_interval_does_not_end_before_it_starts(end: str, accepted: bool) -> None:
    body = f'{{"result":1,"phenomenonTime":"2026-01-01T10:00:00Z/2026-01-01T{end}"}}'.encode()
    if accepted:
        assert isinstance(decode(TOPIC, body), Creation)
    else:
        with pytest.raises(UndecodableError, match="ends before it starts"):
            decode(TOPIC, body)


@pytest.mark.parametrize(
    ("entities", "related"),
    [
        ({"FeatureOfInterest": {"@iot.id": 1, "name": "as it was read"}}, False),
        ({"FeatureOfInterest": {"name": "new"}}, True),
        ({"FeatureOfInterest": {"@iot.id": 1}, "Datastream": {}}, True),
        ({"MultiDatastream": {"name": "new"}}, True),
    ],
)
def test_an_entity_without_an_id_comes_along(entities: dict[str, Any], related: bool) -> None:
    decoded = decode(TOPIC, json.dumps({"result": 1, "phenomenonTime": "2026-01-01T00:00:00Z", **entities}).encode())
    assert decoded == Related(timed=True) if related else isinstance(decoded, Creation)


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "1", None, 2**53])
def test_an_id_is_a_whole_number_above_0(number: Any) -> None:
    with pytest.raises(UndecodableError, match="is no id"):
        decode(TOPIC, json.dumps({"result": 1, "FeatureOfInterest": {"@iot.id": number}}).encode())
