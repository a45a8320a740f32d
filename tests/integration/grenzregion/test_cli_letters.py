"""Dead letters, quarantine and pauses from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from grenzregion.cli import app
from tests.integration.streams.conftest import REGISTER

LETTER = """
    INSERT INTO dead_letter (received, topic, payload, tenant, device, epoch, seq, reason, detail, refused, readings)
    VALUES ('2026-03-01T12:00:00Z', 'region/1/default/' || %(device)s || '/up/json', %(payload)s, 'default', %(device)s, 1, %(seq)s,
            %(reason)s, 'because', NULL, 1)
    RETURNING id
"""


class Desk:
    """The command line on a database."""

    def __init__(self, url: str, connection: psycopg.Connection[Any]) -> None:
        self.url = url
        self.connection = connection

    def run(self, *words: str, **more: Any) -> Result:
        return CliRunner().invoke(app, [*words, "--database-url", self.url], **more)

    def letter(self, seq: int, *, device: str = "dev-1", reason: str = "unknown_device", value: object = 7) -> int:
        reading = {"time": f"2026-03-01T11:{seq:02}:00Z", "property": "t", "value": value}
        values = {"device": device, "payload": json.dumps({"readings": [reading]}).encode(), "seq": seq, "reason": reason}
        row = self.connection.execute(LETTER, values).fetchone()
        assert row is not None
        return row[0]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.encode()).fetchall()


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield Desk(database, connection)


def test_letters_are_listed_shown_and_filtered(desk: Desk) -> None:
    first, second = desk.letter(1), desk.letter(2, device="dev-2", reason="wrong_unit")
    listed = desk.run("letters", "list")
    assert [line.split("\t")[:4] for line in listed.stdout.splitlines()] == [
        [str(second), "2026-03-01T12:00:00Z", "default/dev-2 epoch 1 seq 2", "wrong_unit"],
        [str(first), "2026-03-01T12:00:00Z", "default/dev-1 epoch 1 seq 1", "unknown_device"],
    ]
    rows = desk.run("letters", "list", "--json", "--device", "default/dev-1", "--since", "2026-03-01T12:00:00").stdout.splitlines()
    assert [json.loads(row)["id"] for row in rows] == [first]
    assert desk.run("letters", "list", "--until", "2026-03-01T12:00:00Z").stdout == ""
    assert f"--before {second}" in desk.run("letters", "list", "--limit", "1").output
    shown = json.loads(desk.run("letters", "show", str(first)).stdout)
    assert (shown["seq"], json.loads(shown["payload_text"])["readings"][0]["value"]) == (1, 7)
    assert desk.run("letters", "show", str(first), "--raw").stdout_bytes.startswith(b'{"readings"')
    missing = desk.run("letters", "show", "999")
    assert (missing.exit_code, missing.stderr) == (1, "error: there is no dead letter 999\n")


def test_replaying_says_what_became_of_the_letters(desk: Desk) -> None:
    desk.letter(1)
    stays = desk.letter(2, device="dev-2")
    desk.connection.execute(REGISTER, {"device": "dev-1", "channels": ["t"]})
    done = desk.run("letters", "replay", "--all")
    assert (done.exit_code, done.stdout) == (1, "1 readings stored, 1 letters gone, 1 stay\n")
    assert f"{stays} stays: unknown_device" in done.stderr
    assert desk.rows("SELECT number FROM observation") == [(7.0,)]
    again = desk.run("letters", "replay", "--device", "default/dev-1")
    assert (again.exit_code, again.stdout) == (0, "0 readings stored, 0 letters gone, 0 stay\n")


def test_dropping_wants_to_be_confirmed_and_says_who_did_it(desk: Desk) -> None:
    kept, gone = desk.letter(1), desk.letter(2)
    refused = desk.run("letters", "drop", str(gone))
    assert (refused.exit_code, refused.stderr) == (2, "error: 1 dead letters would be dropped for good: --yes does it\n")
    assert desk.run("letters", "drop", str(gone), "--yes", "--who", "Ada").stdout == "1 letters dropped\n"
    assert desk.rows("SELECT id FROM dead_letter") == [(kept,)]
    assert desk.rows("SELECT who, what, device, readings FROM intervention") == [("Ada", "drop", "dev-1", 1)]
    assert desk.run("letters", "drop", str(gone), "--yes").exit_code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay"], "which letters?"),
        (["drop", "--yes"], "which letters?"),
        (["list", "--device", "dev-1"], "is not TENANT/DEVICE"),
        (["list", "--since", "yesterday"], "is no time of ISO 8601"),
    ],
)
def test_what_is_not_meant_is_refused_in_one_line(desk: Desk, words: list[str], said: str) -> None:
    result = desk.run("letters", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_a_database_there_is_one_line(desk: Desk) -> None:
    desk.url = "postgresql://nobody@127.0.0.1:1/none"
    result = desk.run("letters", "list")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: no database: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_device_is_released_and_a_worker_resumed_once(desk: Desk) -> None:
    desk.connection.execute(
        "INSERT INTO device_state (tenant, device, refused_run, quarantined) VALUES ('default', 'dev-1', 100, true)"
    )
    desk.connection.execute(
        "INSERT INTO worker_pause (worker, failures, messages, devices, example) VALUES ('worker-1', 501, 501, 10, '')"
    )
    assert desk.run("device", "release", "default/dev-1", "--who", "Ada").stdout == "default/dev-1 is released\n"
    assert desk.run("device", "release", "default/dev-1").stderr == "error: default/dev-1 is not quarantined\n"
    assert desk.run("resume", "--who", "Ada").stdout == "worker-1 goes on\n"
    assert desk.run("resume").stderr == "error: no worker is paused\n"
    assert desk.rows("SELECT who, what FROM intervention ORDER BY id") == [("Ada", "release"), ("Ada", "resume")]
