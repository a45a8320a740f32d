"""What the bridge refuses, on both sides of every boundary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_mqtt.contract import RawMessage, decode_batch, encode_batch
from ingest_mqtt.dead_letters import KEPT_BYTES, REASONS, read_gateway, read_identity, read_topic, shorten

BIGGEST = str(2**63 - 1).encode()


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ([], (None, None, None)),
        ([(b"colour", b"blue"), (b"colour", b"red")], (None, None, None)),
        ([(b"epoch", b"3"), (b"seq", b"0")], (3, 0, None)),
        ([(b"first", b"0"), (b"seq", b"1042"), (b"epoch", b"3")], (3, 1042, 0)),
        ([(b"epoch", BIGGEST), (b"seq", BIGGEST), (b"first", BIGGEST)], (2**63 - 1,) * 3),
    ],
)
def test_an_identity_of_decimal_numbers_is_read(user: list[tuple[bytes, bytes]], identity: tuple[int | None, ...]) -> None:
    assert read_identity(user) == (identity, None)


@pytest.mark.parametrize(
    ("user", "complaint"),
    [
        ([(b"epoch", b"3")], "seq is missing"),
        ([(b"seq", b"3")], "epoch is missing"),
        ([(b"first", b"3")], "first without"),
        ([(b"epoch", b"3"), (b"first", b"3")], "seq is missing"),
        ([(b"epoch", b"3"), (b"seq", b"1"), (b"seq", b"1")], "seq is given twice"),
        *(
            ([(b"epoch", b"3"), (b"seq", bad)], "seq is not a decimal number")
            for bad in (
                b"",
                b"-1",
                b"+1",
                b"1.0",
                b"1e3",
                b" 1",
                b"0x1",
                b"1_0",
                "²".encode(),
                "٣".encode(),
                b"\xff\0",
                b"1" * 5_000,
            )
        ),
        ([(b"epoch", b"3"), (b"seq", str(2**63).encode())], "seq is not a decimal number"),
        ([(b"epoch", b"3"), (b"seq", b"1"), (b"first", b"x")], "first is not a decimal number"),
    ],
)
def test_a_malformed_repeated_or_incomplete_identity_is_refused(user: list[tuple[bytes, bytes]], complaint: str) -> None:
    identity, refused = read_identity(user)
    assert identity == (None, None, None)
    assert refused is not None
    assert refused.startswith("bad_identity: ")
    assert complaint in refused


@given(st.lists(st.tuples(st.sampled_from([b"epoch", b"seq", b"first", b"x"]), st.binary(max_size=25)), max_size=5))
def test_any_user_properties_give_an_identity_or_a_reason_that_every_store_can_hold(user: list[tuple[bytes, bytes]]) -> None:
    identity, refused = read_identity(user)
    assert refused is None or identity == (None, None, None)
    assert "\0" not in (refused or "")
    assert all(number is None or 0 <= number < 2**63 for number in identity)


@pytest.mark.parametrize(
    ("user", "name"),
    [([], None), ([(b"epoch", b"3")], None), ([(b"gateway", b"fjord-1")], "fjord-1"), ([(b"gateway", b"a" * 63)], "a" * 63)],
)
def test_a_gateway_is_read_by_its_name(user: list[tuple[bytes, bytes]], name: str | None) -> None:
    assert read_gateway(user) == (name, None)


@pytest.mark.parametrize(
    ("user", "complaint"),
    [
        ([(b"gateway", b"a"), (b"gateway", b"a")], "given twice"),
        *(([(b"gateway", bad)], "no name") for bad in (b"", b"a/b", b"Fjord", b"+", b"\xff\0", b"a" * 64)),
    ],
)
def test_a_gateway_without_a_usable_name_is_refused(user: list[tuple[bytes, bytes]], complaint: str) -> None:
    name, refused = read_gateway(user)
    assert name is None
    assert refused is not None
    assert refused.startswith("bad_identity: gateway")
    assert complaint in refused
    assert "\0" not in refused


def test_an_up_topic_is_partitioned_by_its_device() -> None:
    assert read_topic(b"region/1/flensburg/air-1/up/json") == ("region/1/flensburg/air-1/up/json", "flensburg/air-1", None)


@pytest.mark.parametrize(
    "topic",
    [
        b"region/1/../x/up/json",
        b"region/1/Flensburg/x/up/json",
        b"region/1/x/'; DROP TABLE thing; --/up/json",
        b"region/1//x/up/json",
        b"region/1/x/" + b"y" * 64 + b"/up/json",
        b"region/1/x/\xff/up/json",
        b"region/1/x/\xed\xa0\x80/up/json",
        b"region/1/x/y\0/up/json",
    ],
)
def test_a_topic_outside_the_grammar_of_names_is_refused_as_text_that_every_store_can_hold(topic: bytes) -> None:
    text, key, refused = read_topic(topic)
    assert refused is not None
    assert refused.startswith("bad_topic: ")
    assert "\0" not in text
    key.encode()
    message = RawMessage(topic=text, payload=b"", received_us=0, refused=refused)
    assert decode_batch(encode_batch([message])) == [message]


def test_a_name_of_63_characters_is_accepted() -> None:
    assert read_topic(b"region/1/x/" + b"y" * 63 + b"/up/json")[2] is None


def test_a_message_too_large_keeps_its_beginning_identity_and_digest() -> None:
    whole = RawMessage(topic="t", payload=b"x" * 2_000_000, received_us=5, epoch=1, seq=2, first=0, gateway="g")
    cut = shorten(whole)
    assert cut.payload == whole.payload[:KEPT_BYTES]
    assert (cut.topic, cut.received_us, cut.epoch, cut.seq, cut.first, cut.gateway) == ("t", 5, 1, 2, 0, "g")
    assert cut.refused is not None
    assert cut.refused.startswith("too_large: 2000000 bytes")
    assert cut.refused.partition(":")[0] in REASONS
