"""Rights follow the names' grammar, so no name widens them."""

import pytest

from ingest_mqtt.rights import bridge_rights, device_rights


def test_a_device_gets_literal_topics_below_its_own_name() -> None:
    rights = device_rights("flensburg/air-1")
    assert rights.publish == ("region/1/flensburg/air-1/up/#", "region/1/flensburg/air-1/status")
    assert rights.subscribe == ("region/1/flensburg/air-1/receipt", "v1.1/#", "region/1/+/+/alert")
    assert {acl["acltype"] for acl in rights.acls()} == {"publishClientSend", "publishClientReceive", "subscribePattern"}


@pytest.mark.parametrize("user", ["", "air-1", "a/b/c", "+/x", "x/#", "x/%u", "X/y", "/", "a/" + "b" * 64, "../x"])
def test_what_is_no_device_gets_no_rights(user: str) -> None:
    with pytest.raises(ValueError):
        device_rights(user)


def test_the_bridge_reads_readings_and_hears_itself() -> None:
    rights = bridge_rights("b1")
    assert rights.publish == ("grenzregion/bridge/b1/heartbeat",)
    intake = ("region/1/+/+/up/+", "v1.1/Observations", "v1.1/+/Observations")
    assert rights.subscribe == (*intake, *(f"$share/+/{each}" for each in intake), "grenzregion/bridge/b1/heartbeat")
