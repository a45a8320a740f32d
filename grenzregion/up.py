"""`grenzregion up`: the servers, then the platform's processes, in the order in which each finds what it needs."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal
from urllib.parse import urlsplit

from api.access import check_auth, ensure_token
from devices.replay.recordings import recording
from grenzregion import platform
from grenzregion.accounts import ProcessAccounts, process_accounts
from grenzregion.inventory import import_inventory
from grenzregion.processes import Child
from grenzregion.supervisor import Supervisor
from infra.log import ensure_topic
from infra.migrate import migrate
from infra.servers.embedded import embedded_set
from infra.servers.external import external_set
from infra.servers.local import local_set
from infra.servers.server import PortTakenError, ServerError, free_port, is_free
from infra.servers.set import Account, Places, ServerSet
from infra.settings import ApiSettings, NotifierSettings, Settings, WorkerSettings
from ingest_mqtt.contract import ALERTS_TOPIC, RAW_TOPIC, STORED_TOPIC
from streams.contract import RuleError, SinksError, alert_rules, sinks_of

Say = Callable[[str], None]

READY_TIMEOUT_S = 120.0
SWITCHES = ("on", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `up` was asked for."""

    servers: Literal["embedded", "local", "external"]
    data_dir: Path
    host: str
    http_port: int
    mqtt_port: int
    auth: bool
    simulator: bool
    replay: str  # on, off, or the name of a recording
    speed: float
    workers: int
    public_url: str
    settings: Settings

    @property
    def url(self) -> str:
        """Where the API listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.http_port}/"


def up(plan: Plan, say: Say) -> None:
    """Run the platform until SIGINT or SIGTERM; raises `ServerError` and its kind, and then nothing is left running."""
    check_auth(auth=plan.auth, host=plan.host)
    _check_alerts(WorkerSettings())
    if plan.replay not in SWITCHES:
        recording(plan.replay)
    if not is_free(plan.host, plan.http_port):
        raise PortTakenError(f"port {plan.http_port} for the API is taken by another program: give another --http-port")
    stop = threading.Event()
    _stop_on_signals(stop)
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(_start_servers(plan, say))
        places = servers.places
        _prepare(plan, places, say)
        platform.remember(plan.data_dir, places)
        stack.callback(platform.forget, plan.data_dir)
        children = _children(plan, places, process_accounts(places, plan.data_dir, auth=plan.auth))
        for child in children:
            stack.callback(child.stop)
        for child in children:
            child.start()
        supervisor = Supervisor(ready=servers.servers, starting=children, say=say)
        supervisor.wait_ready(stop, READY_TIMEOUT_S)
        if not stop.is_set():
            say("")
            sys.stdout.write(f"READY {plan.url}\n")
            sys.stdout.flush()
        supervisor.watch(stop)
        say("stopping")


def _check_alerts(settings: WorkerSettings) -> None:
    """Tell of files that can't be used now, not by a worker that dies again and again; raises `ServerError`."""
    try:
        alert_rules(settings.alert_rules)
        sinks_of(settings)
    except (RuleError, SinksError) as error:
        raise ServerError(str(error)) from error


def _stop_on_signals(stop: threading.Event) -> None:
    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)


def _start_servers(plan: Plan, say: Say) -> ServerSet:
    if plan.servers == "external":
        return external_set(plan.settings, progress=say)
    start = embedded_set if plan.servers == "embedded" else local_set
    return start(plan.data_dir, mqtt_port=plan.mqtt_port, mqtt_host=plan.host, auth=plan.auth, progress=say)


def _prepare(plan: Plan, places: Places, say: Say) -> None:
    say("bringing the database up to date")
    migrate(places.database_url)
    for topic in (RAW_TOPIC, STORED_TOPIC, ALERTS_TOPIC):
        ensure_topic(places.kafka, topic, plan.settings.partitions)
    token, is_new = ensure_token(plan.data_dir)
    if is_new and plan.auth:
        say(f"token for writing (kept in {plan.data_dir / 'token'}): {token}")
    say("importing the region's inventory")
    import_inventory(places.database_url)


def _children(plan: Plan, places: Places, accounts: ProcessAccounts) -> list[Child]:
    """Give the processes in the order of their start; they stop in the reverse one."""
    token, _ = ensure_token(plan.data_dir)
    common = {
        "GRENZREGION_DATABASE_URL": places.database_url,
        "GRENZREGION_KAFKA": places.kafka,
        "GRENZREGION_PARTITIONS": str(plan.settings.partitions),
        "GRENZREGION_MQTT_HOST": places.mqtt_host,
        "GRENZREGION_MQTT_PORT": str(places.mqtt_port),
        "GRENZREGION_DATA_DIR": str(plan.data_dir.absolute()),
        "GRENZREGION_LOG_LEVEL": plan.settings.log_level,
    }

    def child(name: str, command: list[str], account: Account | None, more: Mapping[str, str], *, port: int = 0) -> Child:
        port = port or free_port()
        mqtt = {"GRENZREGION_MQTT_USER": account.user, "GRENZREGION_MQTT_PASSWORD": account.password} if account else {}
        environment = {**common, **mqtt, "GRENZREGION_METRICS_PORT": str(port), **more}
        return Child(name, data_dir=plan.data_dir, command=command, environment=environment, port=port, asked=name not in SOURCES)

    api = {
        "GRENZREGION_HOST": plan.host,
        "GRENZREGION_HTTP_PORT": str(plan.http_port),
        "GRENZREGION_AUTH": str(plan.auth).lower(),
        "GRENZREGION_TOKEN": token,
        "GRENZREGION_PUBLIC_URL": plan.public_url,
        "GRENZREGION_MQTT_ENDPOINTS": ApiSettings().mqtt_endpoints or _endpoints(plan, places),
    }
    # tansu lets a worker wait for half its session timeout before it joins, and forgets everything at its end
    in_memory = plan.servers == "embedded"
    log = {"GRENZREGION_LOG_IN_MEMORY": "true", "GRENZREGION_SESSION_TIMEOUT_S": "4"} if in_memory else {}
    children = [child("api", ["api"], None, api, port=plan.http_port)]
    for number in range(1, plan.workers + 1):
        name = f"worker-{number}"
        children.append(child(name, ["worker"], accounts.worker, {"GRENZREGION_WORKER_ID": name, **log}))
    children.append(child("bridge", ["bridge"], accounts.bridge, {}))
    if NotifierSettings().notifier:
        address = {name: api[name] for name in ("GRENZREGION_HOST", "GRENZREGION_HTTP_PORT", "GRENZREGION_PUBLIC_URL")}
        children.append(child("notifier", ["notifier"], accounts.notifier, address))
    if plan.replay != "off":
        names = [] if plan.replay == "on" else ["--name", plan.replay]
        children.append(child("replay", ["replay", "--speed", str(plan.speed), *names], accounts.publisher, {}))
    if plan.simulator:
        children.append(child("simulator", ["simulator", "--speed", str(plan.speed)], accounts.publisher, {}))
    return children


def _endpoints(plan: Plan, places: Places) -> str:
    """Name the broker as clients reach it, under the API's host unless it is a server of somebody else's."""
    host = places.mqtt_host if plan.servers == "external" else urlsplit(plan.public_url or plan.url).hostname
    return f"mqtt://{host}:{places.mqtt_port}"


SOURCES = ("replay", "simulator")  # publish and serve nothing
