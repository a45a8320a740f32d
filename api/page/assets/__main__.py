"""Make `static/vendor/` and `static/map/` again from the packages of `package.json`.

    cd SOME_EMPTY_FOLDER && cp …/api/page/assets/package*.json . && npm ci --ignore-scripts
    python -m api.page.assets SOME_EMPTY_FOLDER/node_modules

The outline's source has 107 MB, which is why what is needed of it is committed and the rest is not.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

STATIC = Path(__file__).parent.parent / "static"
BOX = (7.2, 53.85, 11.4, 55.75)  # degrees; wider than the map may be moved, so that no edge shows
TOLERANCE_M = 10.0
SMALLEST_M2 = 20_000.0
DECIMALS = 5  # about a metre
# One degree at the region's middle latitude in metres: good enough to make a tolerance the same in both directions.
METRES = (111_320.0 * 0.5764, 111_320.0)
COUNTRIES = {"DEU": "DE", "DNK": "DK"}
ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0"
VENDOR = {
    "maplibre-gl/dist/maplibre-gl.mjs": "maplibre-gl.js",
    "maplibre-gl/dist/maplibre-gl-worker.mjs": "maplibre-gl-worker.js",
    "maplibre-gl/dist/maplibre-gl.css": "maplibre-gl.css",
    "maplibre-gl/LICENSE.txt": "LICENSE.txt",
}


def _in_metres(geometry: BaseGeometry, *, back: bool = False) -> BaseGeometry:
    factor = [1 / METRES[0], 1 / METRES[1]] if back else [*METRES]
    return shapely.transform(geometry, lambda points: points * factor)


def _lands(source: Path) -> dict[str, BaseGeometry]:
    """Land of each country within the box, in metres."""
    box = shapely.box(*BOX)
    features: list[dict[str, Any]] = json.loads(source.read_bytes())["features"]
    wanted = {COUNTRIES[f["properties"]["A3"]]: f["geometry"] for f in features if f["properties"]["A3"] in COUNTRIES}
    return {code: _in_metres(shapely.make_valid(shape(wanted[code])).intersection(box)) for code in sorted(wanted)}


def _without_specks(geometry: BaseGeometry) -> BaseGeometry:
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, shapely.Polygon)]
    return shapely.MultiPolygon([part for part in parts if part.area >= SMALLEST_M2])


def _feature(geometry: BaseGeometry, **properties: str) -> dict[str, Any]:
    degrees = _in_metres(geometry, back=True)
    # Rounded polygons stay valid; lines would only be cut where they touch.
    rounded = shapely.set_precision(degrees, 10**-DECIMALS) if isinstance(degrees, shapely.MultiPolygon) else degrees
    return {"type": "Feature", "properties": properties, "geometry": json.loads(json.dumps(mapping(rounded)), parse_float=_short)}


def _short(text: str) -> float:
    return round(float(text), DECIMALS)


def outline(source: Path) -> dict[str, Any]:
    """GeoJSON of the land of both countries, their coast and the border between them."""
    lands = _lands(source)
    # Both countries at once keep their common line common; the box's own edge is neither coast nor border.
    lands = dict(zip(lands, shapely.coverage_simplify([*lands.values()], TOLERANCE_M / 1.5), strict=True))
    lands = {code: _without_specks(land) for code, land in lands.items()}
    edge = _in_metres(shapely.box(*BOX).boundary).buffer(1.0)
    border = shapely.line_merge(lands["DE"].boundary.intersection(lands["DK"].boundary))
    coast = shapely.line_merge(shapely.union_all([*lands.values()]).boundary.difference(edge))
    features = [_feature(land, kind="land", country=code) for code, land in lands.items()]
    features += [_feature(coast, kind="coast"), _feature(border, kind="border")]
    return {"type": "FeatureCollection", "attribution": ATTRIBUTION, "features": features}


def vendor(modules: Path) -> Path:
    """Copy MapLibre GL into a folder named after its version, which may be cached for ever; returns it."""
    version = json.loads((modules / "maplibre-gl/package.json").read_text())["version"]
    folder = STATIC / "vendor" / f"maplibre-gl-{version}"
    shutil.rmtree(STATIC / "vendor", ignore_errors=True)
    folder.mkdir(parents=True)
    for source, target in VENDOR.items():
        text = (modules / source).read_text()
        lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")]  # the map is not shipped
        (folder / target).write_text("\n".join(lines) + "\n")
    return folder


def main() -> None:
    """Write both; the only argument is the folder `node_modules`."""
    modules = Path(sys.argv[1])
    vendor(modules)
    target = STATIC / "map" / "outline.geojson"
    target.parent.mkdir(parents=True, exist_ok=True)
    made = outline(modules / "@geo-maps/countries-coastline-1m/map.geo.json")
    target.write_text(json.dumps(made, separators=(",", ":"), ensure_ascii=False))


if __name__ == "__main__":
    main()
