"""A change set of `$batch` is done as a whole or not at all, whatever its requests do."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from writing import DATASTREAM, FEATURE, LOCATION, POINT, SENSOR, THING, counts, having

pytestmark = pytest.mark.integration

WRONG = {"method": "post", "url": "Things", "body": {"name": "no description"}}


async def made(client: httpx.AsyncClient, path: str, body: Any) -> int:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["@iot.id"]


class Scene:
    """A Thing with two Datastreams and Observations in both."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def set_up(self) -> Scene:
        self.thing = await made(self.client, "Things", having(THING, Datastreams=[DATASTREAM, having(DATASTREAM, name="other")]))
        found = (await self.client.get(f"Things({self.thing})/Datastreams?$orderby=id")).json()["value"]
        self.one, self.other = (entity["@iot.id"] for entity in found)
        self.first = await made(
            self.client, f"Datastreams({self.one})/Observations", {"result": 1, "phenomenonTime": "2026-03-01T10:00:00Z"}
        )
        self.second = await made(
            self.client, f"Datastreams({self.one})/Observations", {"result": 2, "phenomenonTime": "2026-03-01T10:01:00Z"}
        )
        self.third = await made(self.client, f"Datastreams({self.other})/Observations", {"result": 3})
        return self

    def requests(self) -> list[dict[str, Any]]:
        """One of each kind."""
        return [
            {"method": "patch", "url": f"Things({self.thing})", "body": {"name": "changed"}},
            {"method": "put", "url": f"Datastreams({self.other})/Sensor/$ref", "body": {"@iot.id": "$sensor"}},
            {"method": "patch", "url": f"Observations({self.first})", "body": {"result": 10}},
            {"method": "patch", "url": f"Observations({self.second})", "body": {"Datastream": {"@iot.id": self.other}}},
            {"method": "delete", "url": f"Observations({self.third})"},
            {"id": "new", "method": "post", "url": f"Datastreams({self.one})/Observations",
             "body": {"result": 4, "FeatureOfInterest": FEATURE}},
            {"method": "patch", "url": "$new", "body": {"result": 5}},
            {"method": "post", "url": "CreateObservations", "body": [
                {"Datastream": {"@iot.id": self.one}, "components": ["result"], "dataArray": [[6], [7]]}]},
            {"method": "post", "url": f"Things({self.thing})/Locations", "body": having(LOCATION, name="moved")},
            {"method": "delete", "url": "Observations?$filter=result eq 6"},
            {"method": "post", "url": f"Things({self.thing})/Datastreams",
             "body": having(DATASTREAM, name="third", Observations=[{"result": 8}])},
            {"method": "get", "url": f"Datastreams({self.one})/Observations?$orderby=result&$select=result"},
        ]  # fmt: skip

    async def seen(self) -> list[Any]:
        paths = (
            "Things?$expand=Locations,HistoricalLocations,Datastreams($expand=Sensor,Observations)", "Observations?$orderby=id",
            "FeaturesOfInterest?$orderby=id", "Observations?$count=true&$top=0", "Sensors?$orderby=id",
        )  # fmt: skip
        return [(await self.client.get(path)).json() for path in paths]

    async def run(self, requests: list[dict[str, Any]], form: str) -> list[int]:
        sensor = {"id": "sensor", "method": "post", "url": "Sensors", "body": having(SENSOR, name="of the batch")}
        inner = [{"id": str(place), **request} for place, request in enumerate([sensor, *requests])]
        if form == "json":
            grouped = [{**request, "atomicityGroup": "g"} for request in inner]
            answer = await self.client.post("$batch", json={"requests": grouped})
            return [response["status"] for response in answer.json()["responses"]]
        parts = "".join(f"--i\r\n{_part(request)}\r\n" for request in inner) + "--i--\r\n"
        body = f"--o\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n{parts}\r\n--o--\r\n"
        answer = await self.client.post("$batch", content=body, headers={"Content-Type": "multipart/mixed; boundary=o"})
        return [int(line.split()[1]) for line in answer.text.split("\r\n") if line.startswith("HTTP/1.1")]


def _part(request: dict[str, Any]) -> str:
    body = json.dumps(request["body"]) if "body" in request else ""
    line = f"{request['method'].upper()} {request['url']} HTTP/1.1"
    head = f"Content-Type: application/http\r\nContent-ID: {request['id']}\r\n\r\n"
    return f"{head}{line}\r\nContent-Type: application/json\r\n\r\n{body}"


@pytest.fixture
async def scene(client: httpx.AsyncClient) -> Scene:
    return await Scene(client).set_up()


@pytest.mark.parametrize("form", ["json", "multipart"])
async def test_all_requests_of_a_change_set_are_done(scene: Scene, form: str) -> None:
    statuses = await scene.run(scene.requests(), form)
    assert statuses == [201, 200, 200, 200, 200, 200, 201, 200, 201, 201, 200, 201, 200]
    things, observations, features, counted, _ = await scene.seen()
    assert things["value"][0]["name"] == "changed"
    assert [location["name"] for location in things["value"][0]["Locations"]] == ["moved"]
    assert sorted(entity["result"] for entity in observations["value"]) == [2, 5, 7, 8, 10]
    assert counted["@iot.count"] == 5
    assert FEATURE["name"] in [feature["name"] for feature in features["value"]]
    of_other = (await scene.client.get(f"Datastreams({scene.other})?$expand=Observations,Sensor")).json()
    assert ([o["result"] for o in of_other["Observations"]], of_other["Sensor"]["name"]) == ([2], "of the batch")


@pytest.mark.parametrize("form", ["json", "multipart"])
async def test_a_change_set_with_an_error_changes_nothing(scene: Scene, database: str, form: str) -> None:
    before, rows = await scene.seen(), counts(database)
    requests = scene.requests()
    for place in (1, len(requests) // 2, len(requests)):
        statuses = await scene.run([*requests[:place], WRONG, *requests[place:]], form)
        assert statuses == [*[424] * (place + 1), 400, *[424] * (len(requests) - place)]
        assert await scene.seen() == before
        assert counts(database) == rows


async def test_what_is_seen_within_a_change_set_is_not_seen_outside(scene: Scene) -> None:
    inside = [*scene.requests()[:6], {"id": "see", "method": "get", "url": "Observations?$count=true&$top=0"}, WRONG]
    statuses = await scene.run(inside, "json")
    assert statuses[-1] == 400
    assert (await scene.client.get("Observations?$count=true&$top=0")).json()["@iot.count"] == 3


async def test_a_name_from_a_change_set_that_failed_means_nothing_afterwards(scene: Scene) -> None:
    requests = [
        {"id": "s", "method": "post", "url": "Sensors", "body": SENSOR, "atomicityGroup": "g"},
        {"id": "x", **WRONG, "atomicityGroup": "g"},
        {"id": "after", "method": "patch", "url": "$s", "body": {"name": "x"}},
    ]
    answer = await scene.client.post("$batch", json={"requests": requests})
    assert [response["status"] for response in answer.json()["responses"]] == [424, 400, 400]


async def test_members_of_a_group_stand_together(scene: Scene) -> None:
    requests = [
        {"id": "1", "method": "get", "url": "Things", "atomicityGroup": "g"},
        {"id": "2", "method": "get", "url": "Things"},
        {"id": "3", "method": "get", "url": "Things", "atomicityGroup": "g"},
    ]
    answer = await scene.client.post("$batch", json={"requests": requests})
    assert (answer.status_code, "stand together" in answer.text) == (400, True)


async def test_change_sets_over_the_same_entities_in_opposite_orders_all_get_through(scene: Scene) -> None:
    there = {"method": "patch", "url": f"Observations({scene.first})", "body": {"result": 1}}
    back = {"method": "patch", "url": f"Observations({scene.third})", "body": {"result": 3}}
    runs = [scene.run([there, back] if number % 2 else [back, there], "json") for number in range(6)]
    assert await asyncio.gather(*runs) == [[201, 200, 200]] * 6


async def test_moves_between_two_datastreams_in_both_directions_all_get_through(scene: Scene) -> None:
    async def move(observation: int, datastream: int) -> int:
        return (await scene.client.patch(f"Observations({observation})", json={"Datastream": {"@iot.id": datastream}})).status_code

    for _ in range(4):
        moves = [
            move(scene.first, scene.other), move(scene.third, scene.one), move(scene.second, scene.other),
            move(scene.first, scene.one), move(scene.third, scene.other), move(scene.second, scene.one),
        ]  # fmt: skip
        assert await asyncio.gather(*moves) == [200] * 6
    total = [(await scene.client.get(f"Datastreams({d})/Observations?$count=true")).json() for d in (scene.one, scene.other)]
    assert sum(found["@iot.count"] for found in total) == sum(len(found["value"]) for found in total) == 3


async def test_a_deep_insert_whose_observation_is_refused_leaves_nothing(client: httpx.AsyncClient, database: str) -> None:
    before = counts(database)
    body = having(
        THING, Datastreams=[having(DATASTREAM, Observations=[{"result": 1}, {"result": 2, "FeatureOfInterest": {"@iot.id": 99}}])]
    )
    assert (await client.post("Things", json=body)).status_code == 400
    placeless = having(THING, Locations=None, Datastreams=[having(DATASTREAM, Observations=[{"result": 1}])])
    assert (await client.post("Things", json=placeless)).status_code == 400
    assert counts(database) == before
    whole = having(THING, Datastreams=[having(DATASTREAM, Observations=[{"result": 1}, {"result": 2}])])
    assert (await client.post("Things", json=whole)).status_code == 201
    assert counts(database)["observation"] == 2
    assert POINT in [f["feature"] for f in (await client.get("FeaturesOfInterest")).json()["value"]]
