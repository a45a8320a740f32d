"""MQTT topics of the region: `region/1/{tenant}/{device}/…` taken apart and put together (architecture.md, "Contract").

Names are strict (decisions.md 6), so a topic that parses is safe in SQL, file names and other topics. Topics of network servers
(`v3/…`, `application/…`, `spBv1.0/…`) and of SensorThings clients (`v1.1/…`) get a class and a branch in `parse` of their own.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from devices.vocabulary import UndecodableError

NAME_PATTERN = r"[a-z0-9][a-z0-9_.-]{0,62}"
FORMATS = ("json", "senml-json", "senml-cbor")
UP_FILTER = "region/1/+/+/up/+"
CREATION_FILTERS = ("v1.1/Observations", "v1.1/+/Observations")  # Observations of SensorThings clients
# SensorThings clients' outboxes get their receipts below this tenant: who may create Observations can't forge a device's receipt.
PARTNER_TENANT = "partner"
# User property of what the platform publishes about stored entities: on the topics on which clients create Observations, so the
# bridge tells one from the other by it (docs/adr/0013-sensorthings-over-mqtt.md).
ECHO = ("grenzregion", "stored")
# Where mosquitto tells of each subscription, and for how long it has been running.
SUBSCRIPTIONS_TOPIC = "$SYS/broker/log/M/subscribe"
UPTIME_TOPIC = "$SYS/broker/uptime"
STATUS_FILTER = "region/1/+/+/status"

_NAME = re.compile(NAME_PATTERN)
_TOPIC = re.compile(rf"region/1/({NAME_PATTERN})/({NAME_PATTERN})/(?:up/([a-z0-9-]+)|(receipt|status))")
_LONGEST_SHOWN = 200


class UpTopic(msgspec.Struct, frozen=True):
    """A device's message to the platform; `format` is one of `FORMATS`."""

    tenant: str
    device: str
    format: str

    @property
    def key(self) -> str:
        """`tenant/device`: the partition key, and the device's MQTT user name (decisions.md 6-7)."""
        return f"{self.tenant}/{self.device}"


class ReceiptTopic(msgspec.Struct, frozen=True):
    """The platform's retained receipt for a device (decisions.md 3)."""

    tenant: str
    device: str


class StatusTopic(msgspec.Struct, frozen=True):
    """A device's retained liveness: `online`, or `offline` as its last will."""

    tenant: str
    device: str


Topic = UpTopic | ReceiptTopic | StatusTopic


def is_name(text: str) -> bool:
    """Whether this may name a tenant, a device or a channel (decisions.md 6)."""
    return _NAME.fullmatch(text) is not None


def check_name(kind: str, text: str) -> str:
    """Return the name, or raise `ValueError` that says which kind of name is wrong and how it has to look."""
    if not is_name(text):
        raise ValueError(f"{kind} {text[:80]!r}: 1 to 63 of a-z 0-9 _ . - beginning with a letter or digit")
    return text


@lru_cache(maxsize=65_536)
def parse(topic: str) -> Topic:
    """Take a topic apart; raises `UndecodableError` with reason `bad_topic` or `unknown_format`."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        raise UndecodableError("bad_topic", f"{topic[:_LONGEST_SHOWN]!r} is not region/1/{{tenant}}/{{device}}/up/{{format}}")
    tenant, device, form, kind = match.groups()
    if kind == "receipt":
        return ReceiptTopic(tenant, device)
    if kind == "status":
        return StatusTopic(tenant, device)
    if form not in FORMATS:
        raise UndecodableError("unknown_format", f"format {form[:_LONGEST_SHOWN]!r}, known are {', '.join(FORMATS)}")
    return UpTopic(tenant, device, form)


def parse_up(topic: str) -> UpTopic:
    """Take the topic of a device's message apart; a receipt's or status topic is a `bad_topic` here."""
    parsed = parse(topic)
    if not isinstance(parsed, UpTopic):
        raise UndecodableError("bad_topic", f"{topic!r} carries no readings")
    return parsed


def device_key(topic: str) -> str:
    """Return `tenant/device` of any topic that names one, else the whole topic: what the partition is chosen by."""
    parts = topic.split("/", 4)
    known = len(parts) == 5 and parts[0] == "region"  # noqa: PLR2004 - region/1/tenant/device/rest
    return f"{parts[2]}/{parts[3]}" if known else topic


def up_topic(tenant: str, device: str, form: str) -> str:
    """Topic on which a device publishes messages of this format."""
    if form not in FORMATS:
        raise ValueError(f"format {form!r}, known are {', '.join(FORMATS)}")
    return f"{_root(tenant, device)}/up/{form}"


def receipt_topic(tenant: str, device: str) -> str:
    """Topic of a device's receipts."""
    return f"{_root(tenant, device)}/receipt"


def status_topic(tenant: str, device: str) -> str:
    """Topic of a device's liveness."""
    return f"{_root(tenant, device)}/status"


def _root(tenant: str, device: str) -> str:
    return f"region/1/{check_name('tenant', tenant)}/{check_name('device', device)}"
