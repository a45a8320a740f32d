"""Webhooks and mails of alerts against a real HTTP server and a real SMTP server, with the schedule in a real table."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from mail_server import mail_server
from pydantic import SecretStr

from infra.servers.server import free_port
from streams.alerts import sending
from streams.alerts.rules import alert_rules
from streams.alerts.sending import AlertSender
from streams.alerts.sinks import Mail, Sinks, Webhook
from streams.sessions import open_pool

pytestmark = pytest.mark.integration

KEY = b"k" * 32
DATASTREAM = """
    WITH s AS (INSERT INTO sensor (name, description, encoding_type, metadata) VALUES ('s', '', 'text/html', '"x"') RETURNING id),
         p AS (INSERT INTO observed_property (name, definition, description, properties)
               VALUES ('CO2', '', '', '{"key": "co2", "names": {"de": "Kohlendioxid"}}') RETURNING id),
         t AS (INSERT INTO thing (name, description, properties) VALUES ('school', '', '{"device": "a", "names": {"da": "Skole"}}')
               RETURNING id)
    INSERT INTO datastream (name, description, observation_type, unit_of_measurement, properties, thing_id, sensor_id,
                            observed_property_id)
    SELECT 'co2', '', '', '{"symbol": "ppm", "definition": "[ppm]"}', '{"channel": "co2"}', t.id, s.id, p.id FROM t, s, p
    RETURNING id
"""
ALERT = """
    INSERT INTO alert (rule, rule_version, datastream, begins, state, level, highest, value, number)
    SELECT 'stale_air', 1, %s, '2026-03-01T12:00:00Z'::timestamptz + count(*) * interval '1 s', 'raised', 2, 2, 2100.5, 1 FROM alert
    RETURNING id
"""
TRANSITION = """
    INSERT INTO alert_transition (alert, number, kind, event_time, level, value, cause, state, begins, at)
    VALUES (%s, %s, 'raised', '2026-03-01T12:00:00Z', 2, 2100.5, 'revision', 'raised', '2026-03-01T12:00:00Z', now() - %s)
"""


class Hooks:
    """An HTTP server that answers each path as told: a list of (status, headers) used up one by one, then 204."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self.released = threading.Event()
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hooks.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
                if self.path == "/slow":
                    hooks.released.wait(30)
                status, headers = (hooks.answers.get(self.path) or [(204, {})]).pop(0)
                self.send_response(status)
                for each in {"content-length": "0", **headers}.items():
                    self.send_header(*each)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def keys(self, path: str) -> list[str]:
        return [headers["idempotency-key"] for asked, headers, _ in self.asked if asked == path]


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    thread = threading.Thread(target=hooks.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hooks
    finally:
        hooks.released.set()
        hooks.server.shutdown()
        hooks.server.server_close()
        thread.join(10)


class Table:
    """The outbox, and alerts to put into it."""

    def __init__(self, url: str, connection: psycopg.Connection[Any]) -> None:
        self.url = url
        self.connection = connection
        self.datastream = self.one(DATASTREAM)

    def one(self, sql: str, *values: Any) -> Any:
        row = self.connection.execute(sql.encode(), values).fetchone()
        assert row
        return row[0]

    def alert(self) -> int:
        return self.one(ALERT, self.datastream)

    def step(self, alert: int, number: int, *sinks: str, age: timedelta = timedelta(0)) -> None:
        self.connection.execute(TRANSITION.encode(), (alert, number, age))
        for sink in sinks:
            self.connection.execute("INSERT INTO alert_outbox (alert, number, sink) VALUES (%s, %s, %s)", (alert, number, sink))

    def left(self, columns: str = "alert, number, sink") -> list[tuple[Any, ...]]:
        return self.connection.execute(f"SELECT {columns} FROM alert_outbox ORDER BY id".encode()).fetchall()

    def make_due(self) -> None:
        self.connection.execute("UPDATE alert_outbox SET next_at = now()")


@pytest.fixture(scope="module")
def url(servers: Any) -> Iterator[str]:
    with servers.database("embedded") as url:
        yield url


@pytest.fixture
def table(url: str) -> Iterator[Table]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield Table(url, connection)
        connection.execute("DELETE FROM datastream")
        connection.execute("DELETE FROM thing")


@asynccontextmanager
async def sender(table: Table, sinks: Sinks, **more: Any) -> AsyncIterator[AlertSender]:
    """A sender that is driven step by step, or runs when asked to."""
    pool = open_pool(table.url, 4, "sinks")
    await pool.open()
    try:
        yield AlertSender(pool, sinks, alert_rules(), give_up=timedelta(days=3), **more)
    finally:
        await pool.close()


async def settled(table: Table, sinks: Sinks, until: Any, **more: Any) -> None:
    """Run a sender until something holds."""
    async with sender(table, sinks, **more) as working:
        task = asyncio.create_task(working.run())
        try:
            async with asyncio.timeout(60):
                while not until():
                    assert not task.done(), task
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "IDLE_S", 0.02)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def hook(hooks: Hooks, path: str, **more: Any) -> Webhook:
    return Webhook(url=SecretStr(hooks.url + path), **more)


async def test_a_webhook_gets_the_message_signed_once_from_two_workers(table: Table, hooks: Hooks) -> None:
    secret = SecretStr("whsec_" + base64.b64encode(KEY).decode())
    sinks = Sinks(webhooks={"webhook:a": hook(hooks, "/a", secret=secret)})
    numbers = [table.alert() for _ in range(10)]
    for alert in numbers:
        table.step(alert, 1, "webhook:a", "kafka")
    told: list[tuple[str, bool]] = []

    def empty() -> bool:
        return {row[2] for row in table.left()} == {"kafka"}

    await asyncio.gather(*(settled(table, sinks, empty, on_attempt=lambda *each: told.append(each)) for _ in range(2)))
    assert sorted(hooks.keys("/a")) == sorted(f"{alert}-1" for alert in numbers)
    assert told == [("webhook:a", True)] * 10
    _, headers, body = hooks.asked[0]
    message = json.loads(body)
    assert (message["rule"], message["value"], message["unit"], message["property"]) == ("stale_air", 2100.5, "ppm", "co2")
    assert headers["idempotency-key"] == headers["webhook-id"] == f"{message['id']}-{message['number']}"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()


async def test_sinks_that_are_slow_or_away_hold_up_no_other(table: Table, hooks: Hooks) -> None:
    away = Webhook(url=SecretStr(f"http://127.0.0.1:{free_port()}/geheim"))
    sinks = Sinks(
        webhooks={"webhook:away": away, "webhook:slow": hook(hooks, "/slow", timeout_s=0.3), "webhook:well": hook(hooks, "/well")}
    )
    for alert in (table.alert(), table.alert()):
        table.step(alert, 1, *sinks.webhooks)
    await settled(table, sinks, lambda: len(table.left()) == 4 and all(row[0] for row in table.left("last_error")))
    assert len(hooks.keys("/well")) == 2
    reasons = dict(table.left("DISTINCT ON (sink, id) sink, last_error"))
    assert reasons["webhook:slow"] == "no answer within 0.3 s"
    assert reasons["webhook:away"].startswith("ConnectError")
    assert "geheim" not in str(reasons)


async def test_what_can_never_be_taken_is_given_up_and_no_redirect_is_followed(table: Table, hooks: Hooks) -> None:
    hooks.answers = {"/moved": [(307, {"location": hooks.url + "/elsewhere"})], "/gone": [(410, {})]}
    sinks = Sinks(webhooks={"webhook:moved": hook(hooks, "/moved"), "webhook:gone": hook(hooks, "/gone")})
    table.step(table.alert(), 1, "webhook:moved", "webhook:gone", "webhook:unknown", "mail:unknown", "mqtt")
    await settled(table, sinks, lambda: len(table.left("given_up_at")) - table.left("given_up_at").count((None,)) == 4)
    assert dict(table.left("sink, last_error")) == {
        "webhook:moved": "answers 307: a redirect, which is not followed",
        "webhook:gone": "answers 410",
        "webhook:unknown": "the settings name no such sink",
        "mail:unknown": "the settings name no such sink",
        "mqtt": None,
    }
    assert [path for path, _, _ in hooks.asked].count("/elsewhere") == 0


async def test_the_schedule_survives_a_restart_and_a_server_may_ask_for_rest(table: Table, hooks: Hooks) -> None:
    hooks.answers = {"/a": [(503, {"retry-after": "7200"}), (429, {})]}
    sinks = Sinks(webhooks={"webhook:a": hook(hooks, "/a")})
    alert = table.alert()
    table.step(alert, 1, "webhook:a")
    await settled(table, sinks, lambda: table.left("last_error") == [("answers 503",)])
    ((due, attempts),) = table.left("next_at, attempts")
    assert attempts == 1
    assert timedelta(seconds=7100) < due - datetime.now(UTC) <= timedelta(seconds=7200)
    async with sender(table, sinks) as restarted:
        assert await restarted._due() == []
    table.make_due()
    await settled(table, sinks, lambda: table.left("last_error, attempts") == [("answers 429", 2)])
    ((due,),) = table.left("next_at")
    assert timedelta(0) < due - datetime.now(UTC) <= timedelta(seconds=10)
    table.make_due()
    await settled(table, sinks, lambda: table.left() == [])
    assert hooks.keys("/a") == [f"{alert}-1"] * 3


async def test_an_alert_is_told_in_order_while_others_go_ahead(table: Table, hooks: Hooks) -> None:
    hooks.answers = {"/a": [(500, {})]}
    sinks = Sinks(webhooks={"webhook:a": hook(hooks, "/a")})
    held, other = table.alert(), table.alert()
    for number in (1, 2):
        table.step(held, number, "webhook:a")
    table.step(other, 1, "webhook:a")
    await settled(table, sinks, lambda: table.left() == [(held, 1, "webhook:a"), (held, 2, "webhook:a")])
    assert hooks.keys("/a") == [f"{held}-1", f"{other}-1"]
    table.make_due()
    await settled(table, sinks, lambda: table.left() == [])
    assert hooks.keys("/a")[2:] == [f"{held}-1", f"{held}-2"]


async def test_a_server_that_stays_away_is_given_up_after_its_time_but_not_at_once_when_asked_again(
    table: Table, hooks: Hooks
) -> None:
    sinks = Sinks(webhooks={"webhook:a": hook(hooks, "/a")})
    table.step(table.alert(), 1, "webhook:a", age=timedelta(days=4))
    table.step(table.alert(), 1, "webhook:a")
    for attempts, given_up in ((sending.FEWEST_TRIES - 2, [False, False]), (sending.FEWEST_TRIES - 1, [True, False])):
        table.connection.execute("UPDATE alert_outbox SET next_at = now(), attempts = %s, last_error = NULL", (attempts,))
        hooks.answers["/a"] = [(500, {})] * 2
        await settled(table, sinks, lambda: table.left("last_error") == [("answers 500",)] * 2)
        assert [row[0] is not None for row in table.left("given_up_at")] == given_up


async def test_a_lease_that_ran_out_is_taken_by_another_and_the_late_one_changes_nothing(table: Table, hooks: Hooks) -> None:
    sinks = Sinks(webhooks={"webhook:slow": hook(hooks, "/slow", timeout_s=30)})
    table.step(table.alert(), 1, "webhook:slow")
    async with sender(table, sinks) as first, sending.webhook.open_client() as client:
        task = asyncio.create_task(first._send_one("webhook:slow", client))
        async with asyncio.timeout(30):
            while not hooks.asked:  # noqa: ASYNC110 - another thread's list
                await asyncio.sleep(0.02)
        assert await first._due() == []
        table.connection.execute(
            "UPDATE alert_outbox SET attempts = attempts + 1, last_error = 'of another'"
        )  # as another worker does
        hooks.answers["/slow"] = [(500, {})]
        hooks.released.set()
        assert await task
    assert table.left("last_error, attempts") == [("of another", 2)]


async def test_mails_come_in_the_readers_languages_and_refusals_are_kept_apart(table: Table) -> None:
    with mail_server() as (letters, port):
        common: dict[str, Any] = {"server": "127.0.0.1", "port": port, "sender": "region@example.org", "security": "none"}
        letters.refusals = {"no@example.org": "550 no such user", "later@example.org": "451 come back"}
        sinks = Sinks(
            mails={
                "mail:both": Mail(
                    **common, to=("a@example.org", "no@example.org"), languages=("da", "de"), page="https://region.example/"
                ),
                "mail:never": Mail(**common, to=("no@example.org",)),
                "mail:later": Mail(**common, to=("later@example.org",)),
                "mail:tls": Mail(
                    **(common | {"security": "starttls"}), to=("a@example.org",), user="u", password=SecretStr("geheim")
                ),
            }
        )
        alert = table.alert()
        table.step(alert, 1, *sinks.mails)
        await settled(table, sinks, lambda: len(table.left()) == 3 and all(row[0] for row in table.left("last_error")))
    ((readers, mail),) = letters.taken
    assert readers == ["a@example.org"]
    assert mail["Subject"] == "Varsel: Dårligt indeklima, uacceptabelt (niveau 2) – Skole"
    assert (mail["Message-ID"], mail["References"]) == (f"<alert-{alert}-1@example.org>", f"<alert-{alert}@example.org>")
    text = mail.get_content()
    for said in (
        "Yderste værdi: 2100,5 ppm",
        "Begyndt: 01.03.2026 13:00 CET",
        "Station: school",
        "Messgröße: Kohlendioxid",
        "Årsagen er en rettelse af målingerne.",
        "https://region.example/?lang=de#station-",
        "keine amtliche Warnung",
    ):
        assert said in text
    kept = {sink: (reason, given_up is not None) for sink, reason, given_up in table.left("sink, last_error, given_up_at")}
    assert kept["mail:never"] == ("answers 550: no reader is accepted", True)
    assert kept["mail:later"] == ("answers 451: no reader is accepted", False)
    assert "STARTTLS" in kept["mail:tls"][0]
    assert not kept["mail:tls"][1]
    assert "geheim" not in str(kept)
