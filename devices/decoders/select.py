"""The one door to the decoders: which one reads a message stands in its topic."""

from __future__ import annotations

from devices import topics
from devices.decoders import native, senml, senml_pack
from devices.decoders.limits import MAX_PAYLOAD
from devices.vocabulary import Decoded, UndecodableError


def decode(topic: str, payload: bytes, *, received_us: int, identified: bool = False) -> Decoded:
    """Take a message apart (decisions.md 1-4); raises `UndecodableError` and nothing else, whatever the bytes.

    `received_us` is Unix time in microseconds of the first sight of the message: what a relative time counts from. `identified`
    says that the message carries identity as user properties; then relative times are refused (decisions.md 2).
    """
    form = topics.parse_up(topic).format
    if len(payload) > MAX_PAYLOAD:
        raise UndecodableError("too_large", f"{len(payload)} bytes, the limit is {MAX_PAYLOAD}")
    if form == "json":
        return native.decode(payload)
    records = senml_pack.from_json(payload) if form == "senml-json" else senml_pack.from_cbor(payload)
    return senml.decode(records, received_us=received_us, identified=identified)
