"""Accounts of partner regions at the broker."""

from __future__ import annotations

import pytest

from grenzregion.accounts import NoDeviceAccountsError, broker_accounts, new_partner_password
from infra.servers.set import ServerSet

pytestmark = pytest.mark.integration


def test_a_partner_gets_an_account_where_the_broker_has_accounts(server_set: ServerSet) -> None:
    places = server_set.places
    if places.mqtt_accounts == "shared":
        with pytest.raises(NoDeviceAccountsError):
            new_partner_password(places, "fyn")
        return
    user, password = new_partner_password(places, "fyn")
    assert user == "partner-fyn"
    assert len(password) > 20
    with broker_accounts(places) as broker:
        assert user in broker.users()
    with pytest.raises(ValueError, match="partner"):
        new_partner_password(places, "#")
