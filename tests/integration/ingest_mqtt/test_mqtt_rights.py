"""Rights at a real mosquitto: a device reaches only its own topics (decisions.md 6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from infra.accounts import AccountsError, BrokerAccount, BrokerAccounts
from infra.servers.set import Account
from ingest_mqtt.rights import NOTIFIER, PARTNER, PUBLISHER, WORKER, bridge_rights, device_rights
from tests.integration.ingest_mqtt.conftest import Device, Pair, RawReader

pytestmark = pytest.mark.integration
ONE, TWO = "flensburg/air-1", "flensburg/air-2"


@pytest.fixture
def mosquitto(pair: Pair) -> Pair:
    if pair.name == "embedded":
        pytest.skip("rumqttd knows no rights (docs/adr/0003-mqtt-ack-point.md)")
    return pair


@contextmanager
def administrator(pair: Pair) -> Iterator[BrokerAccounts]:
    admin = pair.mqtt.admin
    with BrokerAccounts(host="127.0.0.1", port=pair.mqtt.port, user=admin.user, password=admin.password) as accounts:
        yield accounts


class Client:
    """A client that asks the broker and waits for its verdict."""

    def __init__(self, pair: Pair, account: BrokerAccount | Account, client_id: str = "") -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._reasons: list[object] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        self.client.username_pw_set(account.user, account.password)
        self.client.on_connect = lambda _c, _d, _f, reason, _p: self._reasons.append(reason)
        self.client.on_publish = lambda _c, _d, _m, reason, _p: self._reasons.append(reason)
        self.client.on_subscribe = lambda _c, _d, _m, reasons, _p: self._reasons.append(reasons[0])
        self.client.on_message = lambda _c, _d, message: self.heard.append((message.topic, message.payload))
        self.client.connect("127.0.0.1", pair.mqtt.port)
        self.admitted = self._verdict()

    def publish(self, topic: str, payload: bytes = b"{}") -> bool:
        self.client.publish(topic, payload, qos=1)
        return self._verdict()

    def subscribe(self, topic: str) -> bool:
        self.client.subscribe(topic, options=SubscribeOptions(qos=1))
        return self._verdict()

    def pump(self) -> None:
        """Hear what the broker has sent before it answers the next question."""
        self.subscribe("region/1/+/+/nothing")

    def _verdict(self) -> bool:
        while not self._reasons:
            state = self.client.loop(5.0)
            if not self._reasons and state != 0:
                return False  # refused by closing the connection
        return not self._reasons.pop(0).is_failure


def may_not_publish(pair: Pair, account: BrokerAccount, topic: str) -> bool:
    """Whether the broker refuses; it may close the connection then, so each question has its own."""
    return not Client(pair, account).publish(topic)


@pytest.fixture
def accounts(mosquitto: Pair) -> dict[str, BrokerAccount]:
    made = {user: BrokerAccount(user=user, rights=device_rights(user)) for user in (ONE, TWO)}
    made["partner"] = BrokerAccount(user="partner", rights=PARTNER)
    made["worker"] = BrokerAccount(user="worker", rights=WORKER)
    made["notifier"] = BrokerAccount(user="notifier", rights=NOTIFIER)
    made["publisher"] = BrokerAccount(user="publisher", rights=PUBLISHER)
    made["bridge"] = BrokerAccount(user="bridge", rights=bridge_rights("grenzregion-bridge"))
    with administrator(mosquitto) as admin:
        admin.put(made.values())
    return made


def test_a_device_publishes_its_own_readings_and_status_and_nobody_elses(
    mosquitto: Pair, accounts: dict[str, BrokerAccount]
) -> None:
    device = Client(mosquitto, accounts[ONE], client_id="flensburg/air-2")  # the client id gives no rights
    assert device.publish("region/1/flensburg/air-1/up/json")
    assert device.publish("region/1/flensburg/air-1/up/senml-cbor")
    assert device.publish("region/1/flensburg/air-1/status")
    for forbidden in (
        "region/1/flensburg/air-2/up/json",
        "region/1/flensburg/air-11/up/json",
        "region/1/flensburg/air-1/receipt",
        "v1.1/Datastreams(1)/Observations",
        "$CONTROL/dynamic-security/v1",
        "grenzregion/bridge/grenzregion-bridge/heartbeat",
    ):
        assert may_not_publish(mosquitto, accounts[ONE], forbidden), forbidden


def test_a_device_reads_its_own_receipts_and_nothing_else(mosquitto: Pair, accounts: dict[str, BrokerAccount]) -> None:
    device, worker = Client(mosquitto, accounts[ONE]), Client(mosquitto, accounts["worker"])
    assert device.subscribe("region/1/flensburg/air-1/receipt")
    for forbidden in (
        "region/1/flensburg/air-2/receipt",
        "region/1/+/+/receipt",
        "#",
        "region/1/+/+/up/+",
        "$share/x/region/1/+/+/up/+",
        "$SYS/#",
    ):
        assert not device.subscribe(forbidden), forbidden
    assert worker.publish("region/1/flensburg/air-1/receipt", b"mine")
    assert worker.publish("region/1/flensburg/air-2/receipt", b"not mine")
    device.pump()
    assert device.heard == [("region/1/flensburg/air-1/receipt", b"mine")]


def test_a_partner_creates_observations_and_everybody_hears_of_entities(
    mosquitto: Pair, accounts: dict[str, BrokerAccount]
) -> None:
    topic = "v1.1/Datastreams(1)/Observations"
    partner, device, notifier = (Client(mosquitto, accounts[name]) for name in ("partner", ONE, "notifier"))
    assert device.subscribe(topic)
    assert device.subscribe("v1.1/Datastreams(1)/Observations?$select=result")
    assert partner.subscribe("v1.1/#")
    assert partner.publish("v1.1/Observations")
    assert partner.publish(topic, b"new")
    assert notifier.publish(topic, b"stored")
    device.pump()
    assert device.heard == [(topic, b"new"), (topic, b"stored")]
    for forbidden in ("v1.1/Things(1)", "v1.1/Datastreams(1)/Observations?$select=result", "region/1/flensburg/air-1/up/json"):
        assert may_not_publish(mosquitto, accounts["partner"], forbidden), forbidden


def test_each_process_has_only_its_part(mosquitto: Pair, accounts: dict[str, BrokerAccount]) -> None:
    bridge, worker, publisher = (Client(mosquitto, accounts[name]) for name in ("bridge", "worker", "publisher"))
    assert bridge.subscribe("region/1/+/+/up/+")
    assert bridge.subscribe("$share/bridges/region/1/+/+/up/+")
    assert bridge.subscribe("v1.1/+/Observations")
    assert bridge.subscribe("$share/bridges/v1.1/Observations")
    assert worker.publish("region/1/flensburg/air-1/receipt")
    assert not worker.subscribe("region/1/+/+/up/+")
    assert publisher.publish("region/1/flensburg/air-1/up/json")
    assert publisher.subscribe("region/1/+/+/receipt")
    for name, forbidden in (
        ("bridge", "region/1/flensburg/air-1/up/json"),
        ("worker", "region/1/flensburg/air-1/up/json"),
        ("publisher", "region/1/flensburg/air-1/receipt"),
    ):
        assert may_not_publish(mosquitto, accounts[name], forbidden), name


def test_the_bridge_runs_with_its_own_account_and_not_with_a_devices(
    mosquitto: Pair, accounts: dict[str, BrokerAccount], device: Device, reader: RawReader
) -> None:
    own = mosquitto.bridge(Account(user="bridge", password=accounts["bridge"].password))
    own.said("subscribed at the MQTT broker")
    device.publish(10)
    reader.until(reader.has(set(range(10))))
    assert own.terminate() == 0
    wrong = mosquitto.bridge(Account(user=ONE, password=accounts[ONE].password))
    assert wrong.wait() == 1
    assert f"refuses user '{ONE}' the subscription to" in wrong.log
    assert "Traceback" not in wrong.log


def test_a_reset_password_replaces_the_old_one_and_a_removed_account_is_gone(mosquitto: Pair) -> None:
    user = "flensburg/air-9"
    old, new = (BrokerAccount(user=user, rights=device_rights(user)) for _ in range(2))
    with administrator(mosquitto) as admin:
        admin.put([old])
        assert Client(mosquitto, old).admitted
        admin.put([new])
        assert not Client(mosquitto, old).admitted
        assert Client(mosquitto, new).admitted
        assert user in admin.users()
        admin.remove(user)
        admin.remove(user)
        assert user not in admin.users()
    assert not Client(mosquitto, new).admitted


def test_hundreds_of_devices_get_their_accounts_at_once(mosquitto: Pair) -> None:
    made = [BrokerAccount(user=f"many/d-{n}", rights=device_rights(f"many/d-{n}")) for n in range(120)]
    with administrator(mosquitto) as admin:
        admin.put(made)
        assert {account.user for account in made} <= set(admin.users())
    assert Client(mosquitto, made[-1]).publish("region/1/many/d-119/up/json")


def test_only_an_administrator_changes_accounts(mosquitto: Pair, accounts: dict[str, BrokerAccount]) -> None:
    device = accounts[ONE]
    with pytest.raises(AccountsError, match="no administrator"):
        BrokerAccounts(host="127.0.0.1", port=mosquitto.mqtt.port, user=ONE, password=device.password).__enter__()
    with pytest.raises(AccountsError, match="Not authorized"):
        BrokerAccounts(host="127.0.0.1", port=mosquitto.mqtt.port, user=ONE, password="wrong").__enter__()


def test_a_broker_without_the_plugin_or_without_anybody_is_told(pair: Pair) -> None:
    if pair.name == "embedded":
        admin = pair.mqtt.admin
        with (
            pytest.raises(AccountsError, match="the dynamic security plugin"),
            BrokerAccounts(host="127.0.0.1", port=pair.mqtt.port, user=admin.user, password=admin.password, patience_s=1.0) as made,
        ):
            made.users()
    with pytest.raises(AccountsError, match="can't be reached"):
        BrokerAccounts(host="127.0.0.1", port=1, user="a", password="b").__enter__()
