"""The benchmark's Things and Datastreams, and the Observations that fill them: one a minute from 2026 on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from benchmarks.api_client import Connection

START = datetime(2026, 1, 1, tzinfo=UTC)
PROPERTIES = 5
KIND = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
CELSIUS = {"name": "degree Celsius", "symbol": "°C", "definition": "Cel"}


@cache
def minute(number: int) -> str:
    """Give the instant of a Datastream's nth Observation; kept, as the reference server's client keeps them."""
    return (START + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def place(number: int) -> dict[str, Any]:
    """Give a Location on a grid of ten by ten, a hundredth of a degree apart."""
    point = {"type": "Point", "coordinates": [8.4 + number % 10 * 0.01, 49.0 + number // 10 % 10 * 0.01]}
    return {"name": f"place {number}", "description": "benchmark", "encodingType": "application/geo+json", "location": point}


@dataclass(slots=True, kw_only=True)
class Region:
    """What was made, and how many Observations each Datastream has got."""

    things: list[int] = field(default_factory=list[int])
    datastreams: list[int] = field(default_factory=list[int])
    minutes: list[int] = field(default_factory=list[int])
    turn: int = 0
    stride: int = 0

    async def make(self, connection: Connection, things: int, per_thing: int) -> None:
        """Make Things of so many Datastreams, and one Observation for each Thing, so that it has its FeatureOfInterest."""
        kinds: list[tuple[int, int]] = []
        for number in range(PROPERTIES):
            sensor = {"name": f"sensor {number}", "description": "benchmark", "encodingType": "text/html", "metadata": "x"}
            observed = {"name": f"property {number}", "description": "benchmark", "definition": f"https://example.org/{number}"}
            made = [await connection.json("POST", "Sensors", sensor), await connection.json("POST", "ObservedProperties", observed)]
            kinds.append((made[0]["@iot.id"], made[1]["@iot.id"]))
        for number in range(things):
            body = {
                "name": f"thing {number}", "description": "benchmark", "properties": {"no": number, "device": f"api-{number}"},
                "Locations": [place(number)],
            }  # fmt: skip
            thing = (await connection.json("POST", "Things", body))["@iot.id"]
            self.things.append(thing)
            for channel in range(per_thing):
                made = await connection.json(
                    "POST", f"Things({thing})/Datastreams", _datastream(channel, *kinds[channel % PROPERTIES])
                )
                self.datastreams.append(made["@iot.id"])
            first = {"phenomenonTime": minute(0), "result": 1.0}
            await connection.json("POST", f"Datastreams({self.datastreams[-per_thing]})/Observations", first)
        self.minutes = [1] * len(self.datastreams)

    def observation(self) -> tuple[int, dict[str, Any]]:
        """Give the next Observation, and its Datastream: one after the other in turn."""
        index = self.turn % len(self.datastreams)
        self.turn += 1
        number = self.minutes[index]
        self.minutes[index] += 1
        return self.datastreams[index], {"phenomenonTime": minute(number), "result": _result(index, number)}

    def arrays(self, rows: int, datastreams: int) -> list[dict[str, Any]]:
        """Give the body of CreateObservations: so many rows spread over so many Datastreams, in turn."""
        each = rows // datastreams
        body: list[dict[str, Any]] = []
        for _ in range(datastreams):
            index = self.stride % len(self.datastreams)
            self.stride += 1
            first = self.minutes[index]
            self.minutes[index] += each
            values = [[minute(number), _result(index, number)] for number in range(first, first + each)]
            body.append(
                {
                    "Datastream": {"@iot.id": self.datastreams[index]}, "components": ["phenomenonTime", "result"],
                    "dataArray@iot.count": each, "dataArray": values,
                }
            )  # fmt: skip
        return body


def _result(index: int, number: int) -> float:
    return (index * 7919 + number * 104729) % 4000 / 100


def _datastream(channel: int, sensor: int, observed: int) -> dict[str, Any]:
    return {
        "name": f"channel {channel}", "description": "benchmark", "observationType": KIND, "unitOfMeasurement": CELSIUS,
        "properties": {"channel": f"c{channel}", "fail_span": [-50, 60], "suspect_span": [-30, 45]},
        "Sensor": {"@iot.id": sensor}, "ObservedProperty": {"@iot.id": observed},
    }  # fmt: skip
