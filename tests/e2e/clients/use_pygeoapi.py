"""What a region does with pygeoapi's provider of features: `use_pygeoapi.py URL TOKEN CASE`. Fails with an AssertionError."""

import sys

import requests
from pygeoapi.provider.sensorthings import SensorThingsProvider

PLACES = [("Flensburg", 9.43, 54.79), ("Padborg", 9.36, 54.82), ("Sonderborg", 9.79, 54.91)]
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
BORDER = [9.0, 54.7, 9.5, 54.85]  # has the first two


def made(url, token, owner):
    """Three Things with a Location, a Datastream and two Observations each."""
    ids = []
    for name, lon, lat in PLACES:
        point = {"type": "Point", "coordinates": [lon, lat]}
        thing = {
            "name": f"{owner} {name}", "description": "station", "properties": {"owner": owner},
            "Locations": [{"name": name, "description": "place", "encodingType": "application/geo+json", "location": point}],
            "Datastreams": [{
                "name": f"{owner} {name}", "description": "at 2 m", "observationType": MEASUREMENT,
                "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "Cel"},
                "Sensor": {"name": "PT100", "description": "p", "encodingType": "text/html", "metadata": "https://example.org/pt100"},
                "ObservedProperty": {"name": owner, "description": "of the air", "definition": "https://example.org/t"},
                "Observations": [
                    {"phenomenonTime": f"2026-01-01T0{hour}:00:00Z", "result": lat + hour}
                    for hour in range(2)
                ],
            }],
        }  # fmt: skip
        answer = requests.post(f"{url}/Things", json=thing, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["@iot.id"])
    return ids


def provider(url, entity, **more):
    definition = {"name": "SensorThings", "type": "feature", "data": url, "entity": entity, "time_field": "phenomenonTime", **more}
    return SensorThingsProvider(definition)


def things(url, token):
    ids = made(url, token, "pygeoapi things")
    found = provider(url, "Things")
    assert found.fields["name"] == {"type": "string"}
    mine = [("properties/owner", "'pygeoapi things'")]
    assert found.query(resulttype="hits", properties=mine)["numberMatched"] == 3
    features = found.query(properties=mine, sortby=[{"property": "name", "order": "-"}])["features"]
    assert [feature["properties"]["name"].split()[-1] for feature in features] == ["Sonderborg", "Padborg", "Flensburg"]
    assert features[0]["geometry"] == {"type": "Point", "coordinates": [9.79, 54.91]}
    one = found.get(ids[0])
    assert one["properties"]["name"] == "pygeoapi things Flensburg"
    assert one["properties"]["owner"] == "pygeoapi things"
    second = found.query(offset=1, limit=1, properties=mine, sortby=[{"property": "name", "order": "+"}])["features"]
    assert [feature["properties"]["name"] for feature in second] == ["pygeoapi things Padborg"]


def datastreams(url, token):
    made(url, token, "pygeoapi datastreams")
    found = provider(url, "Datastreams")
    mine = [("ObservedProperty/name", "'pygeoapi datastreams'")]
    features = found.query(properties=mine)["features"]
    assert len(features) == 3
    # Its geometry is that of the newest Observation's FeatureOfInterest, for which it expands a relation twice.
    assert {tuple(feature["geometry"]["coordinates"]) for feature in features} == {(lon, lat) for _, lon, lat in PLACES}
    assert all(len(feature["properties"]["Observations"]) == 2 for feature in features)
    assert {feature["properties"]["ObservedProperty"]["name"] for feature in features} == {"pygeoapi datastreams"}


def observations(url, token):
    made(url, token, "pygeoapi observations")
    found = provider(url, "Observations")
    mine = [("Datastream/ObservedProperty/name", "'pygeoapi observations'")]
    assert found.query(resulttype="hits", properties=mine)["numberMatched"] == 6
    late = found.query(properties=mine, datetime_="2026-01-01T00:30:00Z/..")["features"]
    assert len(late) == 3
    assert {feature["properties"]["phenomenonTime"] for feature in late} == {"2026-01-01T01:00:00Z"}
    assert len(found.query(properties=mine, datetime_="2026-01-01T00:00:00Z")["features"]) == 3
    assert (
        found.query(properties=mine, sortby=[{"property": "result", "order": "-"}], limit=1)["features"][0]["properties"]["result"]
        == 55.91
    )


def properties(url, token):
    made(url, token, "pygeoapi properties")
    features = provider(url, "ObservedProperties").query(properties=[("name", "'pygeoapi properties'")])["features"]
    assert {tuple(feature["geometry"]["coordinates"]) for feature in features} <= {(lon, lat) for _, lon, lat in PLACES}
    assert features


def pages(url, token):
    """More than a page: it follows the links, with its options once more behind them."""
    ids = made(url, token, "pygeoapi pages")
    stream = requests.get(f"{url}/Things({ids[0]})/Datastreams?$select=id", timeout=30).json()["value"][0]["@iot.id"]
    rows = [[f"2026-02-01T{n // 60:02}:{n % 60:02}:00Z", n] for n in range(250)]
    array = [{"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result"], "dataArray": rows}]
    answer = requests.post(f"{url}/CreateObservations", json=array, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 201, answer.text
    found = provider(url, "Observations")
    features = found.query(limit=252, properties=[("Datastream/id", str(stream))])["features"]
    assert len({feature["id"] for feature in features}) == 252
    asked = {"$top": 100, "$filter": f"Datastream/id eq {stream}", "$orderby": "result desc"}
    seen, answer = [], found._get_response(f"{url}/Observations", asked)
    while True:
        seen += [observation["result"] for observation in answer["value"]]
        if "@iot.nextLink" not in answer:
            break
        answer = found._get_response(answer["@iot.nextLink"])
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 252


def boxes(url, token):
    made(url, token, "pygeoapi boxes")
    for entity, name, count in (
        ("Things", "properties/owner", 2),
        ("Datastreams", "ObservedProperty/name", 2),
        ("Observations", "Datastream/ObservedProperty/name", 4),
    ):
        features = provider(url, entity).query(bbox=BORDER, properties=[(name, "'pygeoapi boxes'")])["features"]
        assert len(features) == count, entity
        assert all(feature["geometry"]["coordinates"][0] < 9.5 for feature in features)


if __name__ == "__main__":
    root, key, case = sys.argv[1:]
    globals()[case](root, key)
