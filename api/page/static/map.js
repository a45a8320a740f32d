// The map: outline of the region from this server, stations with their latest value, all labels drawn with the reader's own fonts.

import { make } from "./dom.js";
import { ageMark, flagMark, hasReading, isStale, mainStream, valueText } from "./reading.js";
import { alertPicture, flagPicture, THEMES, themeOf, themePicture } from "./signs.js";
import { TOWNS } from "./towns.js";
import { nameOf, word } from "./words.js";

const VENDOR = new URL("vendor/maplibre-gl-6.17.0/", import.meta.url);
const REGION = [[8.15, 54.25], [10.35, 55.22]];
const LIMITS = [[7.25, 53.9], [11.35, 55.7]];
const STATION_ZOOM = 11;
const MOST_NAMED = 4;
const FONT = ["Segoe UI", "Roboto", "Noto Sans", "Helvetica Neue", "Arial", "sans-serif"];

const DARK = matchMedia("(prefers-color-scheme: dark)");
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const PALETTES = {
  light: { sea: "#d5e5ea", land: "#f6f4ee", coast: "#9fb9c1", border: "#8a6d9b", town: "#56616b", halo: "#fbfaf6", text: "#1c2a33", rim: "#ffffff", bunch: "#24404d", bunchText: "#ffffff", chosen: "#0f4c5c" },
  dark: { sea: "#0f1b22", land: "#1d2930", coast: "#3c525d", border: "#9f86b0", town: "#9fb0ba", halo: "#17222a", text: "#e8eef1", rim: "#101a20", bunch: "#cfdde3", bunchText: "#14222a", chosen: "#7fd1c7" },
};
const palette = () => PALETTES[DARK.matches ? "dark" : "light"];

/** Whether this browser can draw the map at all. */
export function canDraw() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl2"));
  } catch {
    return false;
  }
}

const inLimits = ([lon, lat]) => lon >= LIMITS[0][0] && lon <= LIMITS[1][0] && lat >= LIMITS[0][1] && lat <= LIMITS[1][1];
export const onMap = (station) => Boolean(station.position) && inLimits(station.position);

export class StationMap {
  #map;
  #lib;
  #popup;
  #onOpen;
  #stations = [];
  #levels = new Map();
  #ready = false;
  #selected = -1;
  #buttons;

  /** Load the library and draw; rejects where the map can't be drawn. */
  static async create(box, onOpen) {
    const lib = await import(new URL("maplibre-gl.js", VENDOR));
    lib.setWorkerUrl(new URL("maplibre-gl-worker.js", VENDOR).href);
    return new StationMap(lib, box, onOpen);
  }

  constructor(lib, box, onOpen) {
    this.#lib = lib;
    this.#onOpen = onOpen;
    this.#map = new lib.Map({
      container: box,
      style: style(),
      bounds: REGION,
      fitBoundsOptions: { padding: 24 },
      maxBounds: LIMITS,
      maxZoom: 16,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      attributionControl: false,
      fadeDuration: 120,
    });
    this.#map.touchZoomRotate.disableRotation();
    this.#map.keyboard.disableRotation();
    this.#map.addControl(new lib.AttributionControl({ compact: false, customAttribution: '<a href="https://www.openstreetmap.org/copyright" rel="noreferrer">© OpenStreetMap contributors</a>, ODbL' }), "bottom-right");
    this.#map.addControl(new lib.NavigationControl({ showCompass: false }), "top-right");
    this.#map.addControl(this.#home(), "top-right");
    this.#map.addControl(new lib.ScaleControl({ maxWidth: 90 }), "bottom-left");
    this.#popup = new lib.Popup({ closeButton: false, closeOnClick: false, offset: 18, maxWidth: "280px", className: "hover" });
    this.#map.on("load", () => this.#start());
    this.#map.on("error", (event) => console.warn("map:", event.error?.message ?? event));
    DARK.addEventListener("change", () => this.#repaint());
  }

  /** Resolves once the first picture is complete. */
  idle() {
    return new Promise((resolve) => this.#map.once("idle", resolve));
  }

  /** Show these stations; those without a place on the map are left out. */
  show(stations) {
    this.#stations = stations.filter(onMap);
    if (this.#ready) this.#map.getSource("stations").setData(collection(this.#stations, this.#levels));
  }

  /** Mark stations with open alerts: highest level by station. */
  alarm(levels) {
    this.#levels = levels;
    this.show(this.#stations);
  }

  /** Ring the chosen station and bring it into view; null rings none. */
  select(station, { move = true, panel = 0 } = {}) {
    this.#selected = station?.id ?? -1;
    this.#popup.remove();
    if (!this.#ready) return;
    this.#map.getSource("chosen").setData(collection(station && onMap(station) ? [station] : []));
    if (!station || !onMap(station) || !move) return;
    const zoom = Math.max(this.#map.getZoom(), STATION_ZOOM);
    const offset = [-panel / 2, 0];
    this.#map.easeTo({ center: station.position, zoom, offset, duration: 700, animate: !CALM.matches });
  }

  /** Follow a station that moved, or its new value. */
  follow(station) {
    if (this.#ready && station.id === this.#selected && onMap(station)) this.#map.getSource("chosen").setData(collection([station]));
  }

  /** Words on the map's own buttons. */
  relabel() {
    const canvas = this.#map.getCanvas();
    canvas.setAttribute("aria-label", word("map"));
    const box = this.#map.getContainer();
    for (const [selector, key] of [[".maplibregl-ctrl-zoom-in", "zoomIn"], [".maplibregl-ctrl-zoom-out", "zoomOut"], [".home", "home"]]) {
      const button = box.querySelector(selector);
      button?.setAttribute("aria-label", word(key));
      button?.setAttribute("title", word(key));
    }
    this.show(this.#stations);
  }

  #home() {
    return {
      onAdd: (map) => {
        const button = make("button", { type: "button", class: "home", onclick: () => map.fitBounds(REGION, { padding: 24, animate: !CALM.matches }) });
        button.innerHTML = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3 7.500V3h4.500M12.500 3H17v4.500M17 12.500V17h-4.500M7.500 17H3v-4.500"/></svg>';
        this.#buttons = make("div", { class: "maplibregl-ctrl maplibregl-ctrl-group" }, button);
        return this.#buttons;
      },
      onRemove: () => this.#buttons.remove(),
    };
  }

  async #start() {
    await this.#pictures();
    const map = this.#map;
    map.addSource("chosen", { type: "geojson", data: collection([]) });
    map.addSource("stations", { type: "geojson", data: collection(this.#stations, this.#levels), cluster: true, clusterRadius: 24, clusterMaxZoom: 13, clusterProperties: { level: ["max", ["get", "level"]] } });
    for (const layer of stationLayers()) map.addLayer(layer);
    this.#ready = true;
    this.select(this.#stations.find((one) => one.id === this.#selected) ?? null);
    for (const layer of ["station", "bunch"]) {
      map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
      map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; this.#popup.remove(); });
    }
    map.on("mousemove", "station", (event) => this.#hover(event.features[0].properties.id));
    map.on("click", "station", (event) => this.#onOpen(event.features[0].properties.id));
    map.on("click", "bunch", (event) => this.#into(event.features[0]));
    this.relabel();
  }

  async #into(feature) {
    const zoom = await this.#map.getSource("stations").getClusterExpansionZoom(feature.properties.cluster_id);
    this.#map.easeTo({ center: feature.geometry.coordinates, zoom: Math.min(zoom + 0.3, 15.5), animate: !CALM.matches });
  }

  #hover(id) {
    const station = this.#stations.find((one) => one.id === id);
    if (!station) return;
    const streams = station.datastreams.filter(hasReading);
    const lines = streams.slice(0, MOST_NAMED).map((stream) =>
      make("li", {}, make("span", { class: "what" }, nameOf(stream)), make("b", {}, valueText(stream)), flagMark(stream.flag), ageMark(stream)),
    );
    const rest = streams.length - lines.length;
    const content = make(
      "div",
      {},
      make("h4", {}, nameOf(station)),
      lines.length ? make("ul", {}, lines) : make("p", {}, word("noReading")),
      rest > 0 ? make("p", {}, word("more", { n: rest })) : null,
      station.source in { simulated: 1, recorded: 1 } ? make("p", {}, word(`source.${station.source}`)) : null,
    );
    this.#popup.setLngLat(station.position).setDOMContent(content);
    if (!this.#popup.isOpen()) this.#popup.addTo(this.#map);
  }

  async #pictures() {
    const { rim } = palette();
    const jobs = Object.keys(THEMES).map(async (theme) => [`theme-${theme}`, await themePicture(theme, rim)]);
    jobs.push(...[3, 4, 9].map(async (flag) => [`flag-${flag}`, await flagPicture(flag, rim)]));
    jobs.push(...[1, 2, 3, 4].map(async (level) => [`alert-${level}`, await alertPicture(level, rim)]));
    for (const [name, image] of await Promise.all(jobs)) {
      if (this.#map.hasImage(name)) this.#map.updateImage(name, image);
      else this.#map.addImage(name, image, { pixelRatio: 3 });
    }
  }

  async #repaint() {
    if (this.#ready) await this.#pictures();
    for (const layer of [...style().layers, ...(this.#ready ? stationLayers() : [])]) {
      for (const [key, value] of Object.entries(layer.paint ?? {})) this.#map.setPaintProperty(layer.id, key, value);
    }
  }
}

function collection(stations, levels = new Map()) {
  return { type: "FeatureCollection", features: stations.map((station) => feature(station, levels.get(station.id) ?? 0)) };
}

function feature(station, level) {
  const stream = mainStream(station);
  const known = hasReading(stream);
  const worst = Math.max(0, ...station.datastreams.filter(hasReading).map((one) => one.flag));
  const properties = {
    id: station.id,
    icon: `theme-${themeOf(station)}`,
    label: known ? valueText(stream) : "",
    badge: worst >= 3 ? `flag-${[3, 4, 9].includes(worst) ? worst : 4}` : "",
    pale: !known || isStale(stream),
    level,
  };
  return { type: "Feature", id: station.id, properties, geometry: { type: "Point", coordinates: station.position } };
}

function style() {
  const colours = palette();
  const towns = TOWNS.map(([name, lon, lat, from]) => ({ type: "Feature", properties: { name, from }, geometry: { type: "Point", coordinates: [lon, lat] } }));
  return {
    version: 8,
    sources: {
      outline: { type: "geojson", data: new URL("map/outline.geojson", import.meta.url).href, tolerance: 0.2 },
      towns: { type: "geojson", data: { type: "FeatureCollection", features: towns } },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": colours.sea } },
      { id: "land", type: "fill", source: "outline", filter: ["==", ["get", "kind"], "land"], paint: { "fill-color": colours.land, "fill-antialias": false } },
      { id: "coast", type: "line", source: "outline", filter: ["==", ["get", "kind"], "coast"], paint: { "line-color": colours.coast, "line-width": 0.9 } },
      { id: "border", type: "line", source: "outline", filter: ["==", ["get", "kind"], "border"], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": colours.border, "line-width": ["interpolate", ["linear"], ["zoom"], 7, 1.3, 12, 2.4], "line-dasharray": [3, 2.5] } },
      {
        id: "town",
        type: "symbol",
        source: "towns",
        filter: ["<=", ["get", "from"], ["+", ["zoom"], 0.5]],
        layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": ["interpolate", ["linear"], ["zoom"], 7, ["case", ["<=", ["get", "from"], 6], 12.5, 11], 12, 15], "text-variable-anchor": ["top", "bottom", "left", "right"], "text-radial-offset": 1.25, "symbol-sort-key": ["get", "from"], "text-padding": 4 },
        paint: { "text-color": colours.town, "text-halo-color": colours.halo, "text-halo-width": 1.4 },
      },
    ],
  };
}

function stationLayers() {
  const colours = palette();
  const single = ["!", ["has", "point_count"]];
  const size = ["interpolate", ["linear"], ["zoom"], 7, 0.66, 11, 0.8, 14, 0.95];
  const text = { "text-color": colours.text, "text-halo-color": colours.halo, "text-halo-width": 1.8 };
  return [
    { id: "bunch", type: "circle", source: "stations", filter: ["has", "point_count"], paint: { "circle-color": colours.bunch, "circle-radius": ["interpolate", ["linear"], ["get", "point_count"], 2, 12, 20, 18], "circle-stroke-color": colours.rim, "circle-stroke-width": 2 } },
    { id: "value", type: "symbol", source: "stations", minzoom: 8.2, filter: single, layout: { "text-field": ["get", "label"], "text-font": FONT, "text-size": 11.5, "text-variable-anchor": ["top", "bottom", "right", "left"], "text-radial-offset": 1.85, "text-justify": "auto" }, paint: text },
    { id: "station", type: "symbol", source: "stations", filter: single, layout: { "icon-image": ["get", "icon"], "icon-size": size, "icon-allow-overlap": true }, paint: { "icon-opacity": ["case", ["get", "pale"], 0.55, 1] } },
    { id: "bunch-count", type: "symbol", source: "stations", filter: ["has", "point_count"], layout: { "text-field": ["to-string", ["get", "point_count"]], "text-font": FONT, "text-size": 12.5, "text-allow-overlap": true, "text-padding": 5 }, paint: { "text-color": colours.bunchText } },
    { id: "chosen-ring", type: "circle", source: "chosen", paint: { "circle-radius": 17, "circle-color": colours.chosen, "circle-opacity": 0.16, "circle-stroke-color": colours.chosen, "circle-stroke-width": 2.5 } },
    { id: "chosen-icon", type: "symbol", source: "chosen", layout: { "icon-image": ["get", "icon"], "icon-size": size, "icon-allow-overlap": true } },
    { id: "badge", type: "symbol", source: "stations", filter: ["all", single, ["!=", ["get", "badge"], ""]], layout: { "icon-image": ["get", "badge"], "icon-size": 0.42, "icon-offset": [24, -24], "icon-allow-overlap": true, "icon-ignore-placement": true } },
    // A bunch shows the highest level in it.
    { id: "alarm", type: "symbol", source: "stations", filter: [">", ["get", "level"], 0], layout: { "icon-image": ["concat", "alert-", ["to-string", ["min", ["get", "level"], 4]]], "icon-size": 0.62, "icon-offset": [-17, -17], "icon-allow-overlap": true, "icon-ignore-placement": true } },
  ];
}
