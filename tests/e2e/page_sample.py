"""A handful of Things for the tests of the page: all themes, both countries, every flag, one private, one from elsewhere."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

# name, theme, municipality, country, source, lon, lat, [(channel, names, symbol, UCUM, decimals, mean, swing)]
TEMPERATURE = ("air_temperature", ("Lufttemperatur", "Lufttemperatur", "Air temperature"), "°C", "Cel", 1, 7.0, 3.0)
HUMIDITY = ("humidity", ("Relative Feuchte", "Relativ fugtighed", "Relative humidity"), "%", "%", 0, 78.0, 12.0)
PM25 = ("pm2.5", ("Feinstaub PM2,5", "Partikler PM2,5", "Particulate matter PM2.5"), "µg/m³", "ug/m3", 1, 11.0, 6.0)
NO2 = ("no2", ("Stickstoffdioxid", "Kvælstofdioxid", "Nitrogen dioxide"), "µg/m³", "ug/m3", 1, 21.0, 11.0)
LEVEL = ("water_level", ("Wasserstand", "Vandstand", "Water level"), "m", "m", 2, 0.1, 0.9)
NOISE = ("laeq", ("Schallpegel LAeq", "Lydniveau LAeq", "Sound level LAeq"), "dB", "dB", 1, 55.0, 8.0)
BIKES = ("bikes", ("Radverkehr", "Cykeltrafik", "Cycle traffic"), "Räder/h", "{bicycle}/h", 0, 60.0, 55.0)
CARS = ("vehicles", ("Kraftfahrzeuge", "Motorkøretøjer", "Motor vehicles"), "Kfz/h", "{vehicle}/h", 0, 420.0, 380.0)
FREE = ("free", ("Freie Plätze", "Ledige pladser", "Free spaces"), "", "1", 0, 120.0, 90.0)
POWER = ("power", ("Leistung", "Effekt", "Power"), "MW", "MW", 2, 11.0, 8.0)
CO2 = ("co2", ("Kohlendioxid", "Kuldioxid", "Carbon dioxide"), "ppm", "[ppm]", 0, 760.0, 300.0)
FLOW = ("flow_temperature", ("Vorlauftemperatur", "Fremløbstemperatur", "Flow temperature"), "°C", "Cel", 1, 82.0, 4.0)
STATUS = ("status", ("Ladezustand", "Ladestatus", "Charging state"), "", "1", None, None, None)

THINGS: list[tuple[str, str, str, str, str, float, float, list[Any]]] = [
    ("Wetterstation Campus", "weather", "Flensburg", "DE", "simulated", 9.4547, 54.7757, [TEMPERATURE, HUMIDITY]),
    ("Luft Bahnhofstraße", "air", "Flensburg", "DE", "simulated", 9.4355, 54.7757, [PM25, NO2, TEMPERATURE]),
    ("Lärm Neumarkt", "noise", "Flensburg", "DE", "simulated", 9.4349, 54.7822, [NOISE]),
    ("Parkhaus Am Hafen", "parking", "Flensburg", "DE", "simulated", 9.4337, 54.7905, [FREE]),
    ("Ladesäule Exe", "energy", "Flensburg", "DE", "simulated", 9.4262, 54.7826, [STATUS, POWER]),
    ("Pegel Flensburg", "water", "Flensburg", "DE", "simulated", 9.4333, 54.7953, [LEVEL]),
    ("Fernwärme Nord", "heat", "Flensburg", "DE", "simulated", 9.4289, 54.8063, [FLOW]),
    ("Radzähler Hafenspitze", "mobility", "Flensburg", "DE", "simulated", 9.4356, 54.7876, [BIKES]),
    ("Pegel Husum", "water", "Husum", "DE", "simulated", 9.0251, 54.4722, [LEVEL]),
    ("Windpark Reußenköge", "energy", "Reußenköge", "DE", "simulated", 8.9015, 54.6193, [POWER]),
    ("Schule Niebüll, Raum 12", "indoor", "Niebüll", "DE", "simulated", 8.8288, 54.7866, [CO2, TEMPERATURE]),
    ("Grænse Kruså", "border", "Aabenraa", "DK", "simulated", 9.4025, 54.8411, [CARS]),
    ("Cykeltæller Sønderborg", "mobility", "Sønderborg", "DK", "simulated", 9.7922, 54.9110, [BIKES]),
    ("Vejrstation Tønder", "weather", "Tønder", "DK", "simulated", 8.8640, 54.9370, [TEMPERATURE, HUMIDITY]),
    ("Luft Aabenraa", "air", "Aabenraa", "DK", "simulated", 9.4200, 55.0440, [PM25]),
    ("Sensor ohne Messwerte", "air", "Tønder", "DK", "", 8.8700, 54.9300, []),
    ("Vejrstation Aarhus", "weather", "Aarhus", "DK", "recorded", 10.2039, 56.1629, [TEMPERATURE]),
]
PRIVATE = ("Geheimer Sensor", "indoor", "Flensburg", "DE", "simulated", 9.44, 54.78, [CO2])


def fill(url: str, *, now: datetime | None = None, step: timedelta = timedelta(minutes=15)) -> dict[str, int]:
    """Insert all Things with 24 h of readings; returns the Datastreams' ids by `thing/channel`."""
    ids: dict[str, int] = {}
    moment = now or datetime.now(UTC)
    with psycopg.connect(url) as connection:
        sensor = _one(
            connection,
            "INSERT INTO sensor (name, description, encoding_type, metadata) VALUES ('s', '', 'text/html', '\"\"') RETURNING id",
        )
        for thing in [*THINGS, PRIVATE]:
            _thing(connection, thing, sensor=sensor, now=moment, step=step, ids=ids)
    return ids


def _one(connection: psycopg.Connection[Any], statement: str, *values: Any) -> int:
    row = connection.execute(statement, values).fetchone()
    assert row
    return row[0]


def _thing(
    connection: psycopg.Connection[Any], thing: Any, *, sensor: int, now: datetime, step: timedelta, ids: dict[str, int]
) -> None:
    name, theme, municipality, country, source, lon, lat, channels = thing
    properties = {"theme": theme, "municipality": municipality, "country": country, "source": source}
    if thing is PRIVATE:
        properties["public"] = False
    key = _one(
        connection,
        "INSERT INTO thing (name, description, properties) VALUES (%s, '', %s) RETURNING id",
        name,
        json.dumps(properties),
    )
    place = json.dumps({"type": "Point", "coordinates": [lon, lat]})
    location = _one(
        connection,
        "INSERT INTO location (name, description, encoding_type, location) VALUES (%s, '', 'application/geo+json', %s) "
        "RETURNING id",
        name,
        place,
    )
    connection.execute("INSERT INTO thing_location VALUES (%s, %s)", (key, location))
    for channel in channels:
        stream = _datastream(connection, key, sensor, channel)
        ids[f"{name}/{channel[0]}"] = stream
        _readings(connection, stream, channel, now=now, step=step)


def _datastream(connection: psycopg.Connection[Any], thing: int, sensor: int, channel: Any) -> int:
    code, (de, da, en), symbol, ucum, decimals, *_ = channel
    names = json.dumps({"names": {"de": de, "da": da, "en": en}})
    observed = _one(
        connection,
        "INSERT INTO observed_property (name, definition, description, properties) VALUES (%s, '', '', %s) RETURNING id",
        en,
        names,
    )
    properties = {"channel": code, "interval_s": 900} | ({} if decimals is None else {"decimals": decimals})
    return _one(
        connection,
        "INSERT INTO datastream (name, description, observation_type, unit_of_measurement, properties, thing_id, "
        "sensor_id, observed_property_id) "
        "VALUES (%s, '', 'm', %s, %s, %s, %s, %s) RETURNING id",
        en,
        json.dumps({"name": symbol, "symbol": symbol, "definition": ucum}),
        json.dumps(properties),
        thing,
        sensor,
        observed,
    )


def _readings(connection: psycopg.Connection[Any], stream: int, channel: Any, *, now: datetime, step: timedelta) -> None:
    code, *_, mean, swing = channel
    chance = random.Random(code)
    rows: list[tuple[datetime, float | None, str | None, int]] = []
    for index in range(int(timedelta(hours=24) / step)):
        at = now - timedelta(hours=24) + step * (index + 1) - timedelta(seconds=20)
        if mean is None:
            rows.append((at, None, json.dumps(["AVAILABLE", "CHARGING", "CHARGING", "BLOCKED"][index // 9 % 4]), 1))
            continue
        hours = at.hour + at.minute / 60
        value: float | None = max(mean + swing * math.sin((hours - 9) / 24 * 2 * math.pi) + chance.gauss(0, swing / 12), -50)
        flag = 1
        if code in {"pm2.5", "laeq"} and index in {30, 31, 62}:
            value, flag = mean + swing * 2.4, 3
        if code in {"pm2.5", "co2"} and index == 48:
            value, flag = 4_000.0, 4
        if code == "humidity" and 50 <= index < 56:
            value, flag = None, 9
        rows.append((at, value, None, flag))
    if code == "co2":
        rows[-1] = (rows[-1][0], 2_350.0, None, 3)
    write(connection, stream, rows)


def write(connection: psycopg.Connection[Any], stream: int, rows: list[tuple[datetime, float | None, str | None, int]]) -> None:
    """Store readings as the store would: rows and the summary."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO observation (id, datastream_id, phenomenon_time, received, number, result, flag, tests, ruleset) "
            "VALUES (observation_id(%s), %s, %s, now(), %s, %s, %s, 0, 1)",
            [(at, stream, at, number, result, flag) for at, number, result, flag in rows],
        )
    at, number, result, flag = rows[-1]
    connection.execute(
        "INSERT INTO datastream_summary (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator, "
        "latest_number, latest_result, latest_flag, changed) VALUES (%s, %s, %s, %s, %s, 1, 0, %s, %s, %s, clock_timestamp()) "
        "ON CONFLICT (datastream_id) DO UPDATE SET n = datastream_summary.n + excluded.n, last_time = excluded.last_time, "
        "end_time = excluded.end_time, latest_number = excluded.latest_number, latest_result = excluded.latest_result, "
        "latest_flag = excluded.latest_flag, changed = excluded.changed",
        (stream, len(rows), rows[0][0], at, at, number, result, flag),
    )
