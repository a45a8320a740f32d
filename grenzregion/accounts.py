"""Which MQTT account each process uses, by how the broker lets anybody in (`Places.mqtt_accounts`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devices.topics import check_name
from infra.accounts import BrokerAccount, BrokerAccounts
from infra.servers.set import Account, Places, kept_secret
from infra.settings import BridgeSettings
from ingest_mqtt.rights import NOTIFIER, PARTNER, PUBLISHER, WORKER, bridge_rights, device_rights


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessAccounts:
    """Accounts of the platform's processes; `publisher` stands for the simulator's and the replay's devices."""

    bridge: Account
    worker: Account
    notifier: Account
    publisher: Account


def process_accounts(places: Places, data_dir: Path, *, auth: bool) -> ProcessAccounts:
    """Make the accounts where the broker keeps them, or take the given ones; raises `infra.accounts.AccountsError`.

    Without `auth`, whoever comes without a name may publish and read receipts.
    """
    if places.mqtt_accounts != "dynamic":
        return ProcessAccounts(
            bridge=places.mqtt_admin,
            worker=places.mqtt_admin,
            notifier=places.mqtt_admin,
            publisher=places.mqtt_device or places.mqtt_admin,
        )
    rights = {
        "bridge": bridge_rights(BridgeSettings.model_fields["mqtt_client_id"].default),
        "worker": WORKER,
        "notifier": NOTIFIER,
        "publisher": PUBLISHER,
    }
    made = {
        name: BrokerAccount(user=f"grenzregion-{name}", rights=right, password=kept_secret(data_dir / "accounts" / name))
        for name, right in rights.items()
    }
    with broker_accounts(places) as broker:
        broker.put(made.values())
        if not auth:
            broker.open_to_anonymous(PUBLISHER)
    return ProcessAccounts(**{name: Account(user=account.user, password=account.password) for name, account in made.items()})


def broker_accounts(places: Places) -> BrokerAccounts:
    """Connect as the broker's administrator."""
    admin = places.mqtt_admin
    return BrokerAccounts(host=places.mqtt_host, port=places.mqtt_port, user=admin.user, password=admin.password)


class NoDeviceAccountsError(RuntimeError):
    """The broker has no accounts of single devices; the message is one line."""


def new_device_password(places: Places, device: str) -> str:
    """Give the device `tenant/device` an account with a new password and return it.

    Raises `ValueError` for a bad name, `NoDeviceAccountsError`, and `infra.accounts.AccountsError`.
    """
    if places.mqtt_accounts == "shared":
        raise NoDeviceAccountsError(
            "the embedded broker has one account for all devices, its password stands in DATA_DIR/mqtt/device.password"
        )
    return _put(places, BrokerAccount(user=device, rights=device_rights(device)))


def new_partner_password(places: Places, partner: str) -> tuple[str, str]:
    """Give a partner region an account that creates Observations and hears of entities; returns user and new password.

    Raises as `new_device_password` does.
    """
    if places.mqtt_accounts == "shared":
        raise NoDeviceAccountsError(
            "the embedded broker has one account for all, its password stands in DATA_DIR/mqtt/device.password"
        )
    # A device's user name has a slash: this one can't be a device's.
    account = BrokerAccount(user=f"partner-{check_name('partner', partner)}", rights=PARTNER)
    return account.user, _put(places, account)


def _put(places: Places, account: BrokerAccount) -> str:
    with broker_accounts(places) as broker:
        broker.put([account])
    return account.password
