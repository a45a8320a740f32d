"""Texts that mean something to SQL, JSON, formats or shells, in every place where a reading request has text of its sender."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from odata_grammar import NASTY
from reading import fill
from writing import counts, running, settings_for

pytestmark = pytest.mark.integration

DATABASE_WORDS = re.compile(r"psycopg|SQLSTATE|LINE \d|pg_catalog|relation \"|column \"|syntax error at|ERROR:|Traceback")


def string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def token(text: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([text, text, text]).encode()).decode().rstrip("=")


PLACES: dict[str, Callable[[str], str]] = {
    "string": lambda t: f"Things?$filter={quote(f'name eq {string(t)}')}",
    "unclosed string": lambda t: f"Things?$filter={quote(f'name eq {chr(39)}{t}')}",
    "list": lambda t: f"Things?$filter={quote(f'name in ({string(t)},{string(t)})')}",
    "argument": lambda t: f"Things?$filter={quote(f'substringof({string(t)},concat(name,{string(t)}))')}",
    "json value": lambda t: f"Things?$filter={quote(f'properties/owner eq {string(t)}')}",
    "result": lambda t: f"Observations?$count=true&$filter={quote(f'result eq {string(t)}')}",
    "time": lambda t: f"Observations?$filter={quote(f'phenomenonTime gt {string(t)}')}",
    "lambda": lambda t: f"Things?$filter={quote(f'Datastreams/any(d:d/name eq {string(t)})')}",
    "variable": lambda t: f"Things?$filter={quote(f'Datastreams/any({t}:{t}/name eq 1)')}",
    "json path in filter": lambda t: f"Things?$filter={quote(f'properties/{t} eq 1')}",
    "json path in order": lambda t: f"Things?$orderby={quote(f'properties/{t}')}",
    "json path in select": lambda t: f"Things?$select={quote(f'properties/{t}')}",
    "distinct": lambda t: f"Things?$select=distinct:{quote(f'properties/{t}')}",
    "json path in path": lambda t: f"Things(1)/properties/{quote(t, safe='')}",
    "name in filter": lambda t: f"Things?$filter={quote(f'{t} eq 1')}",
    "name in order": lambda t: f"Things?$orderby={quote(t)}",
    "name in select": lambda t: f"Things?$select={quote(t)}",
    "name in expand": lambda t: f"Things?$expand={quote(t)}",
    "nested": lambda t: f"Things?$expand={quote(f'Datastreams($filter=name eq {string(t)})')}",
    "entity set": lambda t: quote(t, safe="") or "Things",
    "id": lambda t: f"Things({quote(t, safe='')})",
    "function": lambda t: f"Things?$filter={quote(f'{t}(name)')}",
    "geometry": lambda t: f"Locations?$filter={quote(f'st_within(location,geography{string(t)})')}",
    "duration": lambda t: f"Observations?$filter={quote(f'phenomenonTime gt now() sub duration{string(t)}')}",
    "number": lambda t: f"Observations?$top={quote(t)}&$skip={quote(t)}",
    "token": lambda t: f"Observations?$skiptoken={token(t)}",
    "raw token": lambda t: f"Observations?$skiptoken={quote(t)}",
    "format": lambda t: f"Observations?$resultFormat={quote(t)}",
    "alias": lambda t: f"Observations?$apply={quote(f'aggregate($count as {t})')}",
    "group": lambda t: f"Observations?$apply={quote(f'groupby((Datastream/{t}),aggregate($count as n))')}",
    "aggregated filter": lambda t: f"Observations?$apply={quote(f'filter(Datastream/name eq {string(t)})/aggregate($count as n)')}",
    "as_of": lambda t: f"Observations?as_of={quote(t)}",
    "option": lambda t: f"Things?{quote('$' + t)}={quote(t)}",
    "custom option": lambda t: f"Things?{quote('x' + t, safe='')}={quote(t)}",
}


@pytest.fixture
async def reader(database: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    fill(database)
    async with running(settings_for(database, tmp_path)) as client:
        yield client


@pytest.fixture
def untouched(database: str, reader: httpx.AsyncClient) -> Iterator[None]:  # noqa: ARG001 -- filled before it counts
    before = counts(database)
    yield
    assert counts(database) == before


@pytest.mark.usefixtures("untouched")
async def test_no_text_becomes_more_than_text(reader: httpx.AsyncClient) -> None:
    for place, url in PLACES.items():
        for text in NASTY:
            answer = await reader.get(url(text))
            about = f"{place}, {text!r}: {answer.status_code} {answer.text[:300]}"
            assert answer.status_code in {200, 204, 400, 404, 501}, about
            if answer.status_code in {400, 501}:
                told: dict[str, Any] = answer.json()
                assert not DATABASE_WORDS.search(told["message"].replace(text, "")), about


async def test_the_same_text_comes_back(reader: httpx.AsyncClient, database: str) -> None:
    for text in NASTY:
        if text == "\\x00":
            continue
        with psycopg.connect(database) as connection:
            connection.execute(
                "UPDATE thing SET name = %s, properties = jsonb_build_object('k', %s::text) WHERE id = 1", (text, text)
            )
        found = (await reader.get(f"Things?$filter={quote(f'name eq {string(text)} and properties/k eq {string(text)}')}")).json()[
            "value"
        ]
        assert [(thing["name"], thing["properties"]) for thing in found] == [(text, {"k": text})]
        table = await reader.get("Things?$resultFormat=CSV&$select=name&$top=1")
        assert table.text == 'name\r\n"' + text.replace('"', '""') + '"\r\n'
