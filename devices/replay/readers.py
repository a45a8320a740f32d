"""One reader per source of recordings: what its rows say, the traps of stamps and units turned right (docs/data-sources.md).

A reader takes a recording's folder and yields (device, Reading) per file in event time; it never mends a value.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devices.replay.clocks import instants
from devices.vocabulary import Reading

Event = tuple[str, Reading]

_FIVE_MINUTES = timedelta(minutes=5)
_QUARTER = timedelta(minutes=15)
_HOUR = timedelta(hours=1)


def _rows(path: Path, *, delimiter: str = ",", columns: tuple[str, ...] | None = None) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, fieldnames=columns, delimiter=delimiter)


def _number(text: str) -> float | int | None:
    """Give the number that was written, None for an empty cell."""
    if text in ("", "NA", "NaN"):
        return None
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _at(time: datetime, name: str, value: Any, unit: str | None, end: datetime | None = None, **more: Any) -> Reading:
    return Reading(index=0, time=time, end=end, property=name, value=value, unit=unit, **more)


# ---------------------------------------------------------------- Aarhus


def aarhus_traffic(folder: Path, section: str) -> Iterator[Event]:
    """Road section, a count every five minutes, stamped at its end.

    The source gives no zone. The rush hours stand at 05-06 and 13-14 o'clock, so the stamps are UTC. A block of 18 to 24 August
    follows a week late: rows are sorted. A stamp that is there twice says the same twice: once.
    """
    columns = ("vehicleCount", "avgSpeed", "avgMeasuredTime")
    path = folder / f"aarhus_traffic_{section}.csv.gz"
    rows = {row["TIMESTAMP"]: tuple(row[column] for column in columns) for row in _rows(path)}
    device = f"aarhus-traffic-{section}"
    for stamp, (count, speed, travel_time) in sorted(rows.items()):
        end = datetime.fromisoformat(stamp).replace(tzinfo=UTC)
        start = end - _FIVE_MINUTES
        yield device, _at(start, "vehicle_count", _number(count), "{vehicle}", end)
        yield device, _at(start, "speed", _number(speed), "km/h", end)
        yield device, _at(start, "travel_time", _number(travel_time), "s", end)


def aarhus_parking(folder: Path, garage: str) -> Iterator[Event]:
    """Car park: local time without zone. `_id` gives the true order, which tells the doubled hour of 26 October apart.

    `streamtime` is when the row was fetched and says nothing. Occupied may be above the capacity: that is what was reported.
    """
    rows = sorted(_rows(folder / f"aarhus_parking_{garage}.csv.gz"), key=lambda row: int(row["_id"]))
    stamps = (datetime.fromisoformat(row["updatetime"]) for row in rows)
    device = f"aarhus-carpark-{garage.lower()}"
    for row, time in zip(rows, instants(stamps, "Europe/Copenhagen"), strict=True):
        yield device, _at(time, "occupied_spaces", _number(row["vehiclecount"]), "{space}")
        yield device, _at(time, "capacity", _number(row["totalspaces"]), "{space}")


def aarhus_weather(folder: Path, _part: str) -> Iterator[Event]:
    """Weather: local time (warmest at 15-16 o'clock in August, coldest at sunrise), wind in km/h; empty cells are nulls."""
    rows = list(_rows(folder / "aarhus_weather.csv.gz"))
    stamps = (datetime.fromisoformat(row["TIMESTAMP"]) for row in rows)
    for row, time in zip(rows, instants(stamps, "Europe/Copenhagen"), strict=True):
        yield "aarhus-weather", _at(time, "air_temperature", _number(row["tempm"]), "Cel")
        yield "aarhus-weather", _at(time, "relative_humidity", _number(row["hum"]), "%")
        yield "aarhus-weather", _at(time, "wind_speed", _number(row["wspdm"]), "km/h")


# ---------------------------------------------------------------- Münster


def muenster(folder: Path, part: str) -> Iterator[Event]:
    """Cycle counter: quarters of an hour, local time without offset, stamped at their start.

    26 March 2023 has 92 rows. On 29 October 2023 the doubled hour was lost at the source: its one copy is taken as the first
    occurrence, the other stays a gap. Where a direction that counts in this file is empty, the sum is marked as incomplete.
    """
    site = part.partition("_")[0]
    rows = list(_rows(folder / f"muenster_{part}.csv.gz"))
    total, *directions = [name for name in rows[0] if name != "Datetime" and not name.endswith("-status")]
    counting = [name for name in directions if any(row[name] for row in rows)]
    stamps = (datetime.fromisoformat(row["Datetime"]) for row in rows)
    for row, time in zip(rows, instants(stamps, "Europe/Berlin"), strict=True):
        silent = [name for name in counting if not row[name]]
        more: dict[str, Any] = {"parameters": {"incomplete": [name.partition(" ")[0] for name in silent]}} if silent else {}
        yield f"muenster-cycles-{site}", _at(time, "cycle_count", _number(row[total]), "{bicycle}", time + _QUARTER, **more)


# ---------------------------------------------------------------- Sensor.Community


def sensor_community(folder: Path, sensor: str) -> Iterator[Event]:
    """SDS011, about every two and a half minutes, UTC: P1 is PM10, P2 is PM2.5. New Year's 353 ug/m3 are fireworks and stay."""
    for row in _rows(folder / f"sensor_community_{sensor}.csv.gz", delimiter=";"):
        time = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
        yield f"sensor-community-{sensor}", _at(time, "pm10", _number(row["P1"]), "ug/m3")
        yield f"sensor-community-{sensor}", _at(time, "pm2.5", _number(row["P2"]), "ug/m3")


# ---------------------------------------------------------------- energy


def smard(folder: Path, part: str) -> Iterator[Event]:
    """Luxembourg's quarters of an hour in MWh: semicolons, decimal commas, local time.

    31 March 2024 has 92 rows, 27 October 100 with 02:00 to 02:45 twice: told apart by their order. `part` is the year and month in
    which the block of weeks begins.
    """
    first = datetime.fromisoformat(f"{part}-01")
    rows = [row for row in _rows(folder / "smard_luxembourg.csv.gz", delimiter=";") if _in_block(row["DateTime"], first)]
    stamps = (datetime.fromisoformat(row["DateTime"]) for row in rows)
    columns = {
        "Wind Onshore [MWh]": "wind_generation",
        "Photovoltaik [MWh]": "pv_generation",
        "Gesamtverbrauch (Netzlast) [MWh]": "grid_load",
    }
    for row, time in zip(rows, instants(stamps, "Europe/Luxembourg"), strict=True):
        for column, name in columns.items():
            value = None if row[column] in ("", "-") else float(row[column].replace(".", "").replace(",", "."))
            yield "smard-luxembourg", _at(time, name, value, "MW.h", time + _QUARTER)


def _in_block(stamp: str, first: datetime) -> bool:
    return first <= datetime.fromisoformat(stamp) < first + timedelta(days=60)


def sonderborg(folder: Path, _part: str) -> Iterator[Event]:
    """Heat load and weather of Sønderborg, UTC: the stamp is the END of the hour, and the load, documented as W, is plainly kW."""
    columns = {
        "heatload_house": ("heat_power", "kW"),
        "heatload_mean16": ("heat_power_mean16", "kW"),
        "air_temp_obs_degC": ("air_temperature", "Cel"),
        "global_radiation_obs_Wm2": ("global_radiation", "W/m2"),
    }
    for row in _rows(folder / "sonderborg_heat.csv.gz"):
        end = datetime.fromisoformat(row["time_utc_end_of_hour"])
        for column, (name, unit) in columns.items():
            yield "sonderborg-heat", _at(end - _HOUR, name, _number(row[column]), unit, end)


# ---------------------------------------------------------------- water


def vlissingen(folder: Path, _part: str) -> Iterator[Event]:
    """Water level every ten minutes in m above NAP, GMT (NOOS format)."""
    with gzip.open(folder / "vlissingen.noos.gz", "rt", encoding="ascii") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                stamp, value = line.split()
                time = datetime.strptime(stamp, "%Y%m%d%H%M").replace(tzinfo=UTC)
                yield "vlissingen", _at(time, "water_level", float(value), "m")


def ioos(folder: Path, _part: str) -> Iterator[Event]:
    """Hourly water level with known faults, UTC; its place is not stated, so it is for quality control, not for the map."""
    for row in _rows(folder / "ioos_water_level.csv.gz"):
        value = _number(row["sea_surface_height_above_sea_level"])
        yield "ioos-water-level", _at(datetime.fromisoformat(row["time"]), "water_level", value, "m")


# ---------------------------------------------------------------- vehicles

HFP_COLUMNS = (
    "acc", "desi", "dir", "direction_id", "dl", "dr_type", "drst", "event_type", "geohash_level", "hdg", "headsign",
    "is_ongoing", "journey_start_time", "journey_type", "jrn", "lat", "line", "loc", "long", "mode", "next_stop_id", "occu",
    "oday", "odo", "oper", "owner_operator_id", "received_at", "route_id", "route", "seq", "spd", "start", "stop",
    "topic_latitude", "topic_longitude", "topic_prefix", "topic_version", "tsi", "tst", "unique_vehicle_id", "uuid", "veh",
    "vehicle_number", "version",
)  # fmt: skip
_TRUTH: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}


def hsl(folder: Path, _part: str) -> Iterator[Event]:
    """Two vehicles of Helsinki, once a second, event time `tst` in ms UTC.

    103 messages are there twice: once. `dl` is negative when the vehicle is late: our delay is its opposite. A missing position
    leaves its readings without one; what a message does not say is no reading.
    """
    needed = ("lat", "long", "spd", "hdg", "dl", "odo", "drst")
    rows = {
        (row["unique_vehicle_id"], int(row["tst"])): {name: row[name] for name in needed}
        for row in _rows(folder / "hsl_vehicles.csv.gz", columns=HFP_COLUMNS)
    }
    for (vehicle, stamp), row in sorted(rows.items(), key=lambda item: item[0][1]):
        time = datetime.fromtimestamp(stamp / 1000, UTC)
        device = f"hsl-{vehicle.replace('/', '-')}"
        more: dict[str, Any] = {"position": (float(row["long"]), float(row["lat"]))} if row["lat"] and row["long"] else {}
        yield from ((device, _at(time, *said, **more)) for said in _said(row))


def _said(row: dict[str, str]) -> Iterable[tuple[str, Any, str | None]]:
    if row["spd"]:
        yield "speed", float(row["spd"]), "m/s"
    if row["hdg"]:
        yield "heading", _number(row["hdg"]), "deg"
    if row["dl"]:
        yield "delay", -int(row["dl"]), "s"
    if row["odo"]:
        yield "odometer", float(row["odo"]), "m"
    if row["drst"] in _TRUTH:
        yield "door_open", _TRUTH[row["drst"]], None
