"""Alerts over the planning API: what is told to whom, page by page, and how people take note."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from writing import TOKEN, running, settings_for

ALERTS = "http://test/planning/v1/alerts"

FILL = """
    WITH s AS (INSERT INTO sensor (name, description, encoding_type, metadata) VALUES ('s', '', 'text/html', '"x"') RETURNING id),
         p AS (INSERT INTO observed_property (name, definition, description, properties)
               VALUES ('CO2', '', '', '{"key": "co2", "names": {"de": "Kohlendioxid", "da": "Kuldioxid"}}') RETURNING id),
         t AS (INSERT INTO thing (name, description, properties)
               VALUES ('school', '', '{"device": "a", "names": {"de": "Schule", "en": 7}}'),
                      ('secret', '', '{"device": "b", "public": false}') RETURNING id, name)
    INSERT INTO datastream (name, description, observation_type, unit_of_measurement, properties, thing_id, sensor_id,
                            observed_property_id)
    SELECT 'co2', '', '', '{"symbol": "ppm", "definition": "[ppm]"}', '{"channel": "co2", "interval_s": 60}', t.id, s.id, p.id
      FROM t, s, p ORDER BY t.name;
    INSERT INTO alert (rule, rule_version, datastream, begins, ends, state, level, highest, value, number)
    SELECT 'stale_air', 1, d.id, '2026-03-01T12:00:00Z'::timestamptz + n * interval '1 hour',
           CASE WHEN n < 3 THEN '2026-03-01T12:30:00Z'::timestamptz + n * interval '1 hour' END,
           CASE WHEN n < 3 THEN 'cleared' ELSE 'raised' END, 1 + n % 2, 1 + n % 2, 1000 + n, 1
      FROM generate_series(0, 3) AS n, datastream d JOIN thing t ON t.id = d.thing_id WHERE t.name = 'school' OR n = 3
     ORDER BY n, t.name;
    INSERT INTO alert (rule, rule_version, datastream, begins, state, level, highest)
    SELECT 'a_rule_that_is_gone', 1, min(id), '2026-02-01T00:00:00Z', 'withdrawn', 7, 7 FROM datastream;
    INSERT INTO alert_transition (alert, number, kind, event_time, level, value, cause, state, begins, ends)
    SELECT id, 1, 'raised', begins, level, value, 'reading', 'raised', begins, NULL FROM alert;
    INSERT INTO alert_outbox (alert, number, sink, attempts, last_error, given_up_at)
    SELECT max(id), 1, 'webhook:duty', 1, 'answers 410', now() FROM alert;
"""

ANOTHER = """
    INSERT INTO alert (rule, rule_version, datastream, begins, state, level, highest)
    SELECT %s, 1, min(id), now(), 'raised', 1, 1 FROM datastream
"""


@pytest.fixture
def filled(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FILL)
    return database


@pytest.fixture
async def anyone(filled: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings_for(filled, tmp_path)) as client:
        yield client


WRITER = {"Authorization": f"Bearer {TOKEN}"}


async def ids(client: httpx.AsyncClient, query: str = "", **headers: str) -> list[int]:
    answer = await client.get(f"{ALERTS}?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["alerts"]]


async def test_alerts_are_told_newest_first_with_titles_in_the_language_asked_for(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get(ALERTS, headers={"accept-language": "da;q=0.5, de-AT"})
    assert answer.headers["content-language"] == "de"
    first, *rest = answer.json()["alerts"]
    assert [each["begins"] for each in rest] == ["2026-03-01T14:00:00Z", "2026-03-01T13:00:00Z", "2026-03-01T12:00:00Z"]
    assert (first["title"], first["level"], first["level_name"]) == ("Verbrauchte Luft", 2, "hygienisch inakzeptabel")
    assert (first["value"], first["unit"], first["ends"], first["acknowledged"]) == (1003.0, "ppm", None, None)
    assert first["thing"]["names"] == {"de": "Schule"}
    assert first["datastream"]["names"]["da"] == "Kuldioxid"
    unchanged = await anyone.get(ALERTS, headers={"accept-language": "de", "if-none-match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert (await anyone.get(ALERTS, headers={"if-none-match": answer.headers["etag"]})).json()["alerts"][0]["title"] == "Stale air"


async def test_hidden_things_hide_their_alerts_from_all_but_writers(anyone: httpx.AsyncClient) -> None:
    public, whole = await ids(anyone), await ids(anyone, **WRITER)
    (hidden,) = set(whole) - set(public)
    assert (await anyone.get(f"{ALERTS}/{hidden}")).status_code == 404
    assert (await anyone.get(f"{ALERTS}/{hidden}", headers=WRITER)).json()["thing"]["name"] == "secret"
    assert (await anyone.get(ALERTS, headers={"Authorization": "Bearer wrong"})).status_code == 401


FILTERS = {
    "state=raised": 1, "state=cleared": 3, "state=withdrawn": 1, "rule=stale_air": 4, "rule=none": 0, "level=2": 2, "level=3": 0,
    "acknowledged=false": 4, "acknowledged=true": 0, "thing=9007199254740991": 0,
    "since=2026-03-01T13:30:00Z": 3, "since=2026-03-01T13:30:01Z": 2,
    "until=2026-03-01T13:00:00Z": 1, "until=2026-03-01T13:00:01Z": 2,
}  # fmt: skip


async def test_alerts_are_filtered(anyone: httpx.AsyncClient) -> None:
    assert {query: len(await ids(anyone, query)) for query in FILTERS} == FILTERS


async def test_pages_give_each_alert_once_though_others_come_meanwhile(anyone: httpx.AsyncClient, filled: str) -> None:
    expected, seen, after = await ids(anyone, **WRITER), list[int](), ""
    with psycopg.connect(filled, autocommit=True) as connection:
        for page in range(10):
            answer = (await anyone.get(f"{ALERTS}?limit=2{after}", headers=WRITER)).json()
            seen += [each["id"] for each in answer["alerts"]]
            if answer["next"] is None:
                break
            after = f"&after={answer['next']}"
            connection.execute(ANOTHER, (f"r{page}",))
    assert seen == expected


WRONG = (
    "state=open", "level=0", "level=10", "limit=0", "limit=1001", "thing=x", "datastream=0", "since=yesterday",
    "acknowledged=perhaps", "after=1", "after=1.2.3",
)  # fmt: skip
BEYOND = ("since=2026-03-01T12:00:00", "until=0001-01-01T00:00:00Z", f"after={'9' * 18}.1")


async def test_wrong_parameters_name_what_is_wrong(anyone: httpx.AsyncClient) -> None:
    for query in WRONG:
        answer = await anyone.get(f"{ALERTS}?{query}")
        assert (answer.status_code, answer.json()["field"]) == (400, query.partition("=")[0]), query
    for query in BEYOND:
        answer = await anyone.get(f"{ALERTS}?{query}")
        assert (answer.status_code, answer.json()["message"].partition(":")[0]) == (400, query.partition("=")[0]), query


async def test_an_alert_tells_its_history_and_to_writers_who_has_not_been_told(anyone: httpx.AsyncClient) -> None:
    (gone,) = await ids(anyone, "state=withdrawn")
    whole = (await anyone.get(f"{ALERTS}/{gone}")).json()
    assert (whole["title"], whole["level_name"]) == ("a_rule_that_is_gone", "")
    assert [(each["number"], each["kind"], each["cause"]) for each in whole["transitions"]] == [(1, "raised", "reading")]
    assert whole["deliveries"] is None
    (delivery,) = (await anyone.get(f"{ALERTS}/{gone}", headers=WRITER)).json()["deliveries"]
    assert (delivery["sink"], delivery["attempts"], delivery["last_error"]) == ("webhook:duty", 1, "answers 410")
    assert (await anyone.get(f"{ALERTS}/999999")).status_code == 404


async def test_people_take_note_once_and_readers_do_not_learn_who(anyone: httpx.AsyncClient) -> None:
    (number,) = await ids(anyone, "state=raised")

    async def acknowledge(**body: Any) -> httpx.Response:
        return await anyone.post(f"{ALERTS}/{number}/acknowledge", json=body, headers=WRITER)

    assert (await anyone.post(f"{ALERTS}/{number}/acknowledge", json={"by": "me"})).status_code == 401
    both = await asyncio.gather(*(acknowledge(by="Leitstelle", note="Fenster auf") for _ in range(2)))
    assert [answer.status_code for answer in both] == [200, 200]
    again = (await acknowledge(by="Leitstelle")).json()
    assert [each["kind"] for each in again["transitions"]] == ["raised", "acknowledged"]
    assert (again["acknowledged"]["by"], again["acknowledged"]["note"]) == ("Leitstelle", "Fenster auf")
    assert [each["sink"] for each in again["deliveries"] if each["number"] == 2] == ["kafka", "mqtt"]
    (told,) = (await anyone.get(f"{ALERTS}?state=raised&acknowledged=true")).json()["alerts"]
    assert (told["acknowledged"]["by"], told["acknowledged"]["note"]) == (None, None)


WRONG_BODIES: list[tuple[bytes, str | None]] = [
    (b"{}", "by"), (b'{"by": ""}', "by"), (b'{"by": "  "}', "by"), (b'{"by": "a\\u0000b"}', "by"), (b'{"by": 1}', "by"),
    (b'{"by": "%s"}' % (b"x" * 101), "by"), (b'{"by": "me", "note": "%s"}' % (b"x" * 1001), "note"), (b'{"by": "\\ud800"}', "by"),
    (b'{"by": "me", "who": "you"}', "who"), (b'"me"', None),
]  # fmt: skip


async def test_a_wrong_acknowledgement_names_what_is_wrong(anyone: httpx.AsyncClient) -> None:
    for body, field in WRONG_BODIES:
        headers = {**WRITER, "content-type": "application/json"}
        answer = await anyone.post(f"{ALERTS}/1/acknowledge", content=body, headers=headers)
        assert (answer.status_code, answer.json().get("field")) == (400, field), body


async def test_an_alert_that_is_not_there_can_not_be_acknowledged(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.post(f"{ALERTS}/999999/acknowledge", json={"by": "me"}, headers=WRITER)
    assert (answer.status_code, answer.json()["message"]) == (404, "there is no alert 999999")


async def test_rules_tell_their_levels_and_how_much_they_watch(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get("http://test/planning/v1/alert-rules", headers={"accept-language": "da"})
    rules = {each["name"]: each for each in answer.json()["rules"]}
    air = rules["stale_air"]
    assert (air["title"], air["unit"], air["datastreams"]) == ("Dårligt indeklima", "[ppm]", 1)
    assert [(level["level"], level["limit"], level["clear"]) for level in air["levels"]] == [(1, 1000, 900), (2, 2000, 1800)]
    assert rules["no_data"]["datastreams"] == 1
    assert (rules["storm_surge_baltic"]["datastreams"], rules["storm_surge_baltic"]["least_level"]) == (0, 1)
    assert rules["eu2024.pm10_day"]["valid_from"] == "2026-12-12"
