"""Figures and revisions over the planning API, from readings that came over SensorThings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from writing import DATASTREAM, OBSERVED_PROPERTY, THING, having

pytestmark = pytest.mark.integration

FIGURES = "http://test/planning/v1/figures"
REVISIONS = "http://test/planning/v1/revisions"
BERLIN = {"country": "DE", "timezone": "Europe/Berlin"}
ALL = "1,2,3,4,9"


async def station(client: httpx.AsyncClient, *, unit: str = "ug/m3", place: dict[str, Any] = BERLIN, **described: Any) -> int:
    """Make a Thing with one Datastream; `described` are properties of the ObservedProperty. Gives the Datastream's id."""
    properties = {"interval_s": described.pop("interval_s", 900), **described.pop("datastream", {})}
    datastream = having(
        DATASTREAM,
        unitOfMeasurement={"name": "", "symbol": unit, "definition": unit},
        properties=properties,
        ObservedProperty=having(OBSERVED_PROPERTY, properties={"key": "k", "fail_span": [-1e6, 1e6], **described}),
    )
    answer = await client.post("Things", json=having(THING, properties=place, Datastreams=[datastream]))
    assert answer.status_code == 201, answer.text
    made = (await client.get(f"{answer.headers['location'].rpartition('/')[2]}/Datastreams")).json()
    return made["value"][0]["@iot.id"]


async def observe(client: httpx.AsyncClient, datastream: int, *readings: tuple[str, Any]) -> list[int]:
    ids: list[int] = []
    for time, result in readings:
        answer = await client.post(f"Datastreams({datastream})/Observations", json={"phenomenonTime": time, "result": result})
        assert answer.status_code == 201, answer.text
        ids.append(int(answer.headers["location"].rpartition("(")[2][:-1]))
    return ids


async def ask(client: httpx.AsyncClient, datastream: int, figure: str, **more: Any) -> dict[str, Any]:
    answer = await client.get(FIGURES, params={"datastream": datastream, "figure": figure, "flags": ALL, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def value(client: httpx.AsyncClient, datastream: int, figure: str, **more: Any) -> Any:
    (bucket,) = (await ask(client, datastream, figure, **more))["buckets"]
    return bucket["value"]


DAY = {"span": "day", "since": "2025-03-30T10:00:00Z", "until": "2025-03-30T22:00:00Z"}  # of 23 hours in Berlin


async def test_a_figure_shows_what_it_rests_on(client: httpx.AsyncClient) -> None:
    datastream = await station(client, datastream={"datum": "DHHN2016"})
    await observe(client, datastream, ("2025-03-29T22:00:00Z", 9), ("2025-03-30T10:00:00Z", 0.1), ("2025-03-30T11:00:00Z", 0.2))
    answer = await ask(client, datastream, "statistics", **DAY)
    assert (answer["span"], answer["timezone"], answer["unit"], answer["datum"]) == ("day", "Europe/Berlin", "ug/m3", "DHHN2016")
    (day,) = answer["buckets"]
    assert day["value"] == {"mean": pytest.approx(0.15), "sum": 0.3, "min": 0.1, "max": 0.2}
    assert (day["start"], day["end"]) == ("2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z")
    assert (day["n"], day["expected"], day["completeness"]) == (2, 92, 2 / 92)
    assert sum(day["flags"].values()) == 2
    assert day["good_share"] == day["flags"].get("1", 0) / 2
    assert len(day["rulesets"]) == 1
    assert day["changed"] is None


async def test_a_bucket_without_readings_is_there_and_empty(client: httpx.AsyncClient) -> None:
    datastream = await station(client)
    await observe(client, datastream, ("2025-03-30T10:00:00Z", 1), ("2025-03-30T12:00:00Z", 1))
    answer = await ask(client, datastream, "percentiles", span="hour", since="2025-03-30T10:00:00Z", until="2025-03-30T12:30:00Z")
    assert [(b["n"], b["expected"], b["completeness"]) for b in answer["buckets"]] == [(1, 4, 0.25), (0, 4, 0), (1, 4, 0.25)]
    assert answer["buckets"][1]["value"] is None
    assert answer["buckets"][1]["good_share"] is None


async def test_months_are_local_and_of_their_own_length(client: httpx.AsyncClient) -> None:
    datastream = await station(client, interval_s=3600)
    await observe(client, datastream, ("2025-02-28T22:59:00Z", 1), ("2025-02-28T23:00:00Z", 2), ("2025-03-31T21:59:59Z", 4))
    answer = await ask(client, datastream, "statistics", span="month", since="2025-03-15T00:00:00Z", until="2025-03-31T22:00:00Z")
    (march,) = answer["buckets"]
    assert (march["value"]["sum"], march["n"]) == (6, 2)
    assert march["expected"] == pytest.approx(31 * 24 - 1)
    year = await ask(client, datastream, "statistics", span="month", since="2025-02-01T00:00:00Z", until="2025-06-01T00:00:00Z")
    assert [bucket["start"] for bucket in year["buckets"]] == [
        "2025-01-31T23:00:00Z", "2025-02-28T23:00:00Z", "2025-03-31T22:00:00Z", "2025-04-30T22:00:00Z", "2025-05-31T22:00:00Z",
    ]  # fmt: skip


async def test_wind_directions_are_averaged_around_the_circle_from_aggregates_and_from_rows(client: httpx.AsyncClient) -> None:
    datastream = await station(client, unit="deg", circular=True)
    await observe(client, datastream, ("2025-03-30T10:00:00Z", 350), ("2025-03-30T11:00:00Z", 20))
    now = await value(client, datastream, "circular_mean", **DAY)
    assert now["direction"] == pytest.approx(5, abs=1e-4)
    assert now == await value(client, datastream, "circular_mean", as_of=datetime.now(UTC).isoformat(), **DAY)


async def test_every_way_to_a_mean_gives_the_same_number(client: httpx.AsyncClient) -> None:
    datastream = await station(client)
    await observe(client, datastream, *((f"2025-03-30T10:{minute:02}:00Z", minute / 7 + 0.1) for minute in range(23)))
    await observe(client, datastream, ("2025-03-30T10:40:00Z", "wet"))
    stored = await ask(client, datastream, "statistics", **DAY)
    counted = await ask(client, datastream, "statistics", as_of=datetime.now(UTC).isoformat(), **DAY)
    assert stored["buckets"] == counted["buckets"]


async def test_a_counters_increase_goes_over_resets_and_bucket_edges(client: httpx.AsyncClient) -> None:
    datastream = await station(client)
    await observe(
        client, datastream, ("2025-03-30T09:50:00Z", 100.1), ("2025-03-30T10:10:00Z", 100.3), ("2025-03-30T10:20:00Z", 5),
        ("2025-03-30T11:00:00Z", 5.5), ("2025-03-30T11:30:00Z", 7),
    )  # fmt: skip
    answer = await ask(client, datastream, "increase", span="hour", since="2025-03-30T10:00:00Z", until="2025-03-30T12:00:00Z")
    assert [bucket["value"] for bucket in answer["buckets"]] == [{"increase": 0.7, "resets": 1}, {"increase": 1.5, "resets": 0}]


@pytest.mark.parametrize(("country", "zone", "lden"), [("DE", "Europe/Berlin", 64.6), ("DK", "Europe/Copenhagen", 66.1)])
async def test_the_country_of_the_site_decides_the_lden(client: httpx.AsyncClient, country: str, zone: str, lden: float) -> None:
    datastream = await station(client, unit="dB", interval_s=3600, place={"country": country, "timezone": zone})
    hours = [(hour, 65 if 6 <= hour < 18 else 57 if 18 <= hour < 22 else 55) for hour in range(24)]
    await observe(client, datastream, *((f"2025-03-03T{hour:02}:00:00+01:00", level) for hour, level in hours))
    found = await value(client, datastream, "lden", span="day", since="2025-03-03T12:00:00Z", until="2025-03-03T23:00:00Z")
    assert round(found["lden"], 1) == lden
    assert found["country"] == country


async def test_a_value_that_no_double_holds_is_null(client: httpx.AsyncClient) -> None:
    datastream = await station(client, unit="dB")
    await observe(
        client, datastream, ("2025-03-30T10:00:00Z", 1e6), ("2025-03-30T10:01:00Z", 1e308), ("2025-03-30T10:02:00Z", 1e308)
    )
    for figure in ("noise_levels", "lden"):
        assert await value(client, datastream, figure, **DAY) is None
    assert (await value(client, datastream, "statistics", **DAY))["sum"] is None


async def test_a_bays_share_leaves_unknown_time_out(client: httpx.AsyncClient) -> None:
    datastream = await station(client)
    await observe(
        client, datastream, ("2025-03-30T10:00:00Z", True), ("2025-03-30T10:30:00Z", False), ("2025-03-30T10:40:00Z", "UNKNOWN")
    )
    hour = {"span": "hour", "since": "2025-03-30T10:00:00Z", "until": "2025-03-30T11:00:00Z"}
    found = await value(client, datastream, "state_shares", **hour)
    assert found == {"shares": {"false": 0.25, "true": 0.75}, "known_share": pytest.approx(2 / 3)}
    assert (await value(client, datastream, "distribution", **hour))["counts"] == {"false": 1, "true": 1}


@pytest.mark.parametrize(
    ("described", "place", "question", "answer"),
    [
        ({"circular": True}, BERLIN, {"figure": "statistics"}, "ask for circular_mean"),
        ({}, BERLIN, {"figure": "circular_mean"}, "ask for statistics"),
        ({"averaged": False}, BERLIN, {"figure": "time_weighted_mean"}, "never averaged: ask for distribution"),
        ({"unit": "dB"}, BERLIN, {"figure": "lden"}, "span is day or month"),
        ({"unit": "dB"}, {"country": "SE"}, {"figure": "lden", "span": "day"}, "not for country SE"),
        ({}, BERLIN, {"figure": "noise_levels"}, "k is no level in dB"),
        ({}, BERLIN, {"since": "1500-01-01T00:00:00Z"}, "more than 1500 buckets"),
        ({}, BERLIN, {"since": "2025-01-01T00:00:00"}, "a time without zone"),
        ({}, BERLIN, {"since": "0001-01-01T00:00:00Z"}, "since: out of range"),
        ({}, BERLIN, {"until": "9999-12-31T23:59:59Z"}, "until: out of range"),
    ],
)
async def test_a_figure_without_meaning_is_refused_and_the_answer_says_what_to_ask(
    client: httpx.AsyncClient, described: dict[str, Any], place: dict[str, Any], question: dict[str, str], answer: str
) -> None:
    datastream = await station(client, place=place, **described)
    refused = await client.get(FIGURES, params={"datastream": datastream, **question})
    assert refused.status_code == 400
    assert answer in refused.text


async def test_figures_of_private_things_are_not_there(client: httpx.AsyncClient) -> None:
    datastream = await station(client, place={"public": False})
    for number in (datastream, datastream + 1000):
        assert (await client.get(FIGURES, params={"datastream": number})).status_code == 404
    await observe(client, datastream, ("2025-03-30T10:00:00Z", 1))
    assert (await client.get(REVISIONS)).json()["revised"] == []


async def test_wrong_parameters_are_named(client: httpx.AsyncClient) -> None:
    for wrong in ({"span": "week"}, {"figure": "median"}, {"flags": "1,5"}, {"datastream": "0"}, {"as_of": "then"}):
        refused = await client.get(FIGURES, params={"datastream": 1, **wrong})
        assert refused.status_code in {400, 422}
        assert next(iter(wrong)) in refused.text


def now_of(database: str) -> str:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return row[0].isoformat()


async def test_the_past_shows_what_was_known_then(client: httpx.AsyncClient, database: str) -> None:
    datastream = await station(client)
    before = now_of(database)
    changed, deleted, moved, _ = await observe(
        client, datastream, ("2025-03-30T10:00:00Z", 1), ("2025-03-30T11:00:00Z", 20), ("2025-03-30T12:00:00Z", 300),
        ("2025-03-30T13:00:00Z", 4000),
    )  # fmt: skip
    known = now_of(database)
    await observe(client, datastream, ("2025-03-30T14:00:00Z", 50_000))
    assert (await client.patch(f"Observations({changed})", json={"result": 2})).status_code == 200
    assert (await client.patch(f"Observations({changed})", json={"result": 3})).status_code == 200
    assert (await client.delete(f"Observations({deleted})")).status_code == 200
    assert (await client.patch(f"Observations({moved})", json={"phenomenonTime": "2025-04-02T10:00:00Z"})).status_code == 200
    assert (await value(client, datastream, "statistics", **DAY))["sum"] == 54_003
    assert (await value(client, datastream, "statistics", as_of=known, **DAY))["sum"] == 4321
    assert (await value(client, datastream, "statistics", as_of=now_of(database), **DAY))["sum"] == 54_003
    assert await value(client, datastream, "statistics", as_of=before, **DAY) is None
    april = {"span": "day", "since": "2025-04-02T10:00:00Z", "until": "2025-04-02T22:00:00Z"}
    assert (await value(client, datastream, "statistics", **april))["sum"] == 300
    assert await value(client, datastream, "statistics", as_of=known, **april) is None


async def test_changed_figures_are_marked_and_listed(client: httpx.AsyncClient, database: str) -> None:
    datastream = await station(client)
    before = now_of(database)
    changed, moved = await observe(client, datastream, ("2025-03-30T10:00:00Z", 1), ("2025-03-30T11:00:00Z", 2))
    assert (await client.get(REVISIONS)).json()["revised"] == []
    await client.patch(f"Observations({changed})", json={"result": 5})
    await client.patch(f"Observations({moved})", json={"phenomenonTime": "2025-04-02T10:00:00Z"})
    span = {"span": "hour", "since": "2025-03-30T09:00:00Z", "until": "2025-03-30T12:00:00Z"}
    marks = [bucket["changed"] is not None for bucket in (await ask(client, datastream, "statistics", **span))["buckets"]]
    assert marks == [False, True, True]
    listed = (await client.get(REVISIONS, params={"since": before, "datastream": datastream})).json()
    assert {(r["bucket"], r["revisions"], *r["causes"]) for r in listed["revised"]} == {
        ("2025-03-29T23:00:00Z", 2, "patched"),
        ("2025-04-01T22:00:00Z", 1, "patched"),
    }
    assert listed["more"] is False
    assert (await client.get(REVISIONS, params={"until": before})).json()["revised"] == []
    assert (await client.get(REVISIONS, params={"datastream": datastream + 1})).json()["revised"] == []


async def test_observations_of_a_computed_datastream_are_refused(client: httpx.AsyncClient) -> None:
    formula = {"expression": "x", "inputs": {"x": {"datastream": 1000}}}
    datastream = await station(client, datastream={"formula": formula})
    refused = await client.post(f"Datastreams({datastream})/Observations", json={"result": 1})
    assert refused.status_code == 400
    assert "computed by its formula" in refused.text
    assert (await client.get(f"Datastreams({datastream})/Observations")).json()["value"] == []


async def test_the_openapi_document_describes_figures(client: httpx.AsyncClient) -> None:
    document = (await client.get("http://test/openapi.json")).json()
    answer = document["paths"]["/planning/v1/figures"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/Figures")
    assert {"completeness", "good_share", "rulesets", "changed"} <= set(document["components"]["schemas"]["Bucket"]["properties"])
