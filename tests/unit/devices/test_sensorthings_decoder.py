from __future__ import annotations

import pytest

from devices.decoders.limits import MAX_PAYLOAD
from devices.decoders.sensorthings import decode
from devices.vocabulary import UndecodableError

TOPIC = "v1.1/Datastreams(1)/Observations"


@pytest.mark.parametrize("size", [MAX_PAYLOAD, MAX_PAYLOAD + 1])
def test_a_create_may_be_as_large_as_any_message_and_no_larger(size: int) -> None:
    body = b'{"result":1}' + b" " * (size - 12)
    if size <= MAX_PAYLOAD:
        assert decode(TOPIC, body).result == 1
    else:
        with pytest.raises(UndecodableError, match="too_large"):
            decode(TOPIC, body)


@pytest.mark.parametrize(("end", "accepted"), [("10:00:00Z", True), ("09:59:59Z", False)])
def test_an_interval_does_not_end_before_it_starts(end: str, accepted: bool) -> None:
    body = f'{{"result":1,"phenomenonTime":"2026-01-01T10:00:00Z/2026-01-01T{end}"}}'.encode()
    if accepted:
        assert decode(TOPIC, body).result == 1
    else:
        with pytest.raises(UndecodableError, match="ends before it starts"):
            decode(TOPIC, body)
