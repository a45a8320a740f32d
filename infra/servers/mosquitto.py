"""mosquitto with its dynamic security plugin: accounts and rights change without a restart."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path

from infra.servers.asking import accepts, mqtt_answers
from infra.servers.install import root_dir
from infra.servers.process import Order, User
from infra.servers.server import Server
from infra.servers.set import Account, kept_secret

MAX_PACKET = 262_144 + 4_096  # bytes: the payload that every set takes, and its topic and properties

_INSIDE = "/srv/mqtt"  # the folder as mosquitto sees it (install.MOUNT_POINTS)
_ITERATIONS = 10_000
_EVERYTHING = ("publishClientSend", "publishClientReceive", "subscribePattern", "unsubscribePattern")


class Mosquitto(Server):
    """The MQTT broker of `local`, MQTT 5 and 3.1.1 on one port. `platform` may do everything, and make accounts."""

    name = "mqtt"

    def __init__(self, *, data_dir: Path, port: int = 0, host: str = "127.0.0.1", user: User, auth: bool = True) -> None:
        super().__init__(data_dir=data_dir, port=port, host=host)
        self._user = user
        self._auth = auth

    @property
    def reach(self) -> str:
        """Host under which this machine reaches the broker."""
        return "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104

    @property
    def admin(self) -> Account:
        """Account of the platform's own processes."""
        return Account(user="platform", password=kept_secret(self.data_dir / "mqtt.password"))

    def prepare(self) -> Order:
        """Write the configuration, and the first accounts when there are none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        os.chown(self.folder, self._user.uid, self._user.gid)
        self._write("mosquitto.conf", self._config())
        if not (self.folder / "dynamic-security.json").exists():
            self._write("dynamic-security.json", first_accounts(self.admin))
        return Order(
            argv=["/usr/sbin/mosquitto", "-c", f"{_INSIDE}/mosquitto.conf"],
            user=self._user,
            root=root_dir(),
            binds=[("/dev", "/dev"), (str(self.folder), _INSIDE)],
        )

    def answers(self) -> bool:
        """Ask as the platform's account."""
        return accepts(self.reach, self.port) and mqtt_answers(self.reach, self.port, self.admin.user, self.admin.password)

    def _write(self, name: str, text: str) -> None:
        new = self.folder / f"{name}.part"
        new.touch(mode=0o600)
        new.write_text(text)
        os.chown(new, self._user.uid, self._user.gid)
        new.replace(self.folder / name)

    def _config(self) -> str:
        plugin = next((root_dir() / "usr" / "lib").glob("*/mosquitto_dynamic_security.so"))
        return f"""\
listener {self.port} {self.host}
allow_anonymous {str(not self._auth).lower()}
plugin /{plugin.relative_to(root_dir())}
plugin_opt_config_file {_INSIDE}/dynamic-security.json
persistence true
persistence_location {_INSIDE}/
autosave_interval 30
persistent_client_expiration 30d
# The default drops silently after 1,000 messages; a limit in bytes keeps memory bounded (delivery.md 3).
max_queued_messages 0
max_queued_bytes 268435456
max_inflight_messages 1000
max_packet_size {MAX_PACKET}
set_tcp_nodelay true
connection_messages false
log_dest stderr
log_type error
log_type warning
# The notifier hears on $SYS who subscribes to what (docs/adr/0013-sensorthings-over-mqtt.md).
log_dest topic
log_type subscribe
"""


def first_accounts(admin: Account) -> str:
    """Return the plugin's state with one account that may do everything; nobody else may do anything."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", admin.password.encode(), salt, _ITERATIONS, 64)
    acls = [
        {"acltype": kind, "topic": topic, "priority": 0, "allow": True}
        for kind in _EVERYTHING
        for topic in ("#", "$CONTROL/#", "$SYS/#")
    ]
    state = {
        "defaultACLAccess": {"publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": True},
        "clients": [
            {
                "username": admin.user,
                "textName": "the platform's own processes",
                "password": base64.b64encode(digest).decode(),
                "salt": base64.b64encode(salt).decode(),
                "iterations": _ITERATIONS,
                "roles": [{"rolename": "platform"}],
            }
        ],
        "roles": [{"rolename": "platform", "acls": acls}],
    }
    return json.dumps(state, indent=1)
