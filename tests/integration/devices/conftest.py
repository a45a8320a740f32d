from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fake_platform import FakePlatform
from needs import need

from devices.gateway import Gateway, Pace
from infra.servers.embedded import Rumqttd
from infra.servers.mosquitto import Mosquitto
from infra.servers.server import Server, unprivileged_user

QUICK = Pace(resend_after=0.5, settle=0.2, reconnect_after=0.2)


@pytest.fixture(params=["embedded", "local"])
def broker(request, tmp_path) -> Iterator[Server]:
    need(request.param)
    if request.param == "embedded":
        server: Server = Rumqttd(data_dir=tmp_path / "broker")
    else:
        server = Mosquitto(data_dir=tmp_path / "broker", user=unprivileged_user())
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture
def platform(broker) -> Iterator[FakePlatform]:
    made = FakePlatform(broker)
    yield made
    made.close()


@pytest.fixture
def gateway(broker, tmp_path) -> Iterator[Callable[..., Gateway]]:
    """Make gateways on this broker, closed at the test's end; their outbox is `out.db`."""
    with ExitStack() as stack:

        def make(**options: Any) -> Gateway:
            settings = {
                "outbox": tmp_path / "out.db", "device": "a", "pace": QUICK,
                "username": broker.admin.user, "password": broker.admin.password,
            }  # fmt: skip
            return stack.enter_context(Gateway(broker.reach, broker.port, **{**settings, **options}))

        yield make
