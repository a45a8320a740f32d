"""Who may do what at the MQTT broker: a device only what is its own, each process only its part (decisions.md 6)."""

from __future__ import annotations

import re

from devices.topics import (
    CREATION_FILTERS,
    PARTNER_TENANT,
    STATUS_FILTER,
    SUBSCRIPTIONS_TOPIC,
    UP_FILTER,
    UPTIME_TOPIC,
    check_name,
    receipt_topic,
    status_topic,
)
from infra.accounts import Rights

# What the bridge takes in: devices' messages, and Observations that SensorThings clients create.
INTAKE_FILTERS = (UP_FILTER, *CREATION_FILTERS)
ENTITY_FILTER = "v1.1/#"

RECEIPT_FILTER = "region/1/+/+/receipt"
ALERT_FILTER = "region/1/+/+/alert"  # of public Things alone: every account may read it

WORKER = Rights(publish=(RECEIPT_FILTER, ALERT_FILTER), subscribe=(RECEIPT_FILTER, STATUS_FILTER))
NOTIFIER = Rights(publish=(ENTITY_FILTER,), subscribe=(SUBSCRIPTIONS_TOPIC, UPTIME_TOPIC))
# A partner region's client: it creates Observations, reads receipts of partners' outboxes, and hears of every public entity.
PARTNER = Rights(publish=CREATION_FILTERS, subscribe=(ENTITY_FILTER, ALERT_FILTER, f"region/1/{PARTNER_TENANT}/+/receipt"))
# Simulator and replay stand for many devices with one account.
PUBLISHER = Rights(publish=("region/1/+/+/up/+", STATUS_FILTER), subscribe=(RECEIPT_FILTER, ALERT_FILTER))

_DEVICE_USER = re.compile(r"([^/]*)/([^/]*)")


def heartbeat_topic(client_id: str) -> str:
    """Topic on which the bridge hears itself (docs/adr/0003-mqtt-ack-point.md)."""
    return f"grenzregion/bridge/{client_id}/heartbeat"


def bridge_rights(client_id: str) -> Rights:
    """Rights of the bridge with this client id."""
    beat = heartbeat_topic(client_id)
    shared = (f"$share/+/{each}" for each in INTAKE_FILTERS)
    return Rights(publish=(beat,), subscribe=(*INTAKE_FILTERS, *shared, beat))


def device_rights(user: str) -> Rights:
    """Rights of the device `tenant/device`, which is its user name. Raises `ValueError` for what is no such name."""
    match = _DEVICE_USER.fullmatch(user)
    if match is None:
        raise ValueError(f"{user[:130]!r} is not TENANT/DEVICE")
    tenant, device = check_name("tenant", match[1]), check_name("device", match[2])
    return Rights(
        publish=(f"region/1/{tenant}/{device}/up/#", status_topic(tenant, device)),
        subscribe=(receipt_topic(tenant, device), ENTITY_FILTER, ALERT_FILTER),
    )
