// Wires the page: values from the source go to the list, the map and the panel; choices go back.

import { AlertList } from "./alerts.js";
import { make, setText } from "./dom.js";
import { StationList } from "./list.js";
import { canDraw, StationMap } from "./map.js";
import { Panel } from "./panel.js";
import { refreshAges, valueText } from "./reading.js";
import { THEMES, themeOf, themeSign } from "./signs.js";
import { Source } from "./source.js";
import { clock, currentLanguage, fillWords, nameOf, preferredLanguage, useLanguage, word } from "./words.js";

const AGES_MS = 5_000;
const MAP_MS = 1_000;
const ANNOUNCE_MS = 30_000;
const WIDE = matchMedia("(min-width: 900px)");

const $ = (id) => document.getElementById(id);

const state = { stations: new Map(), streams: new Map(), loaded: 0, connection: "starting", themes: new Set(), search: "", selected: null };
let map = null;
let mapTimer = 0;
let announced = 0; // when a new value of the open panel was read out last: not each second
let heard = "";

const list = new StationList($("stations"), (id) => open(id));
const alerts = new AlertList($("alerts-button"), $("alerts"), (id) => open(id), (id) => state.streams.get(id)?.stream);
const panel = new Panel($("panel"), () => close(), (thing) => alerts.notes(thing));

function visible() {
  const asked = state.search.trim().toLocaleLowerCase();
  return [...state.stations.values()].filter((station) => {
    if (state.themes.size && !state.themes.has(themeOf(station))) return false;
    if (!asked) return true;
    return [nameOf(station), station.municipality, word(`theme.${themeOf(station)}`)].some((text) => text?.toLocaleLowerCase().includes(asked));
  });
}

function drawStations() {
  const shown = visible();
  list.draw(shown, { selected: state.selected, any: state.stations.size > 0, onClear: clearFilter });
  const all = state.stations.size;
  setText($("count"), !state.loaded ? "" : word(shown.length === all ? "count" : "countOf", { n: shown.length, all }));
  map?.show(shown);
}

function drawThemes() {
  const counts = new Map();
  for (const station of state.stations.values()) counts.set(themeOf(station), (counts.get(themeOf(station)) ?? 0) + 1);
  const boxes = Object.keys(THEMES)
    .filter((theme) => counts.has(theme))
    .map((theme) => {
      const box = make("input", { type: "checkbox", value: theme, checked: state.themes.has(theme) });
      box.addEventListener("change", () => {
        if (box.checked) state.themes.add(theme);
        else state.themes.delete(theme);
        drawStations();
      });
      return make("label", { class: "theme" }, box, make("span", {}, themeSign(theme), word(`theme.${theme}`), make("small", {}, String(counts.get(theme)))));
    });
  $("themes").replaceChildren($("themes").querySelector("legend"), ...boxes);
}

function clearFilter() {
  state.themes.clear();
  state.search = "";
  $("search").value = "";
  drawThemes();
  drawStations();
}

function open(id, { focus = true, move = true } = {}) {
  const station = state.stations.get(id);
  if (!station) return;
  state.selected = id;
  panel.open(station, focus);
  document.body.classList.add("with-panel");
  list.select(id);
  list.reveal(id);
  map?.select(station, { move, panel: WIDE.matches ? $("panel").offsetWidth : 0 });
  history.replaceState(null, "", `#station-${id}`);
}

function close() {
  const id = state.selected;
  state.selected = null;
  panel.close();
  document.body.classList.remove("with-panel");
  map?.select(null);
  list.select(null);
  list.focus(id);
  history.replaceState(null, "", location.pathname + location.search);
}

function takeStations(answer) {
  const before = new Set(state.stations.keys());
  const sameThemes = themeKey();
  state.stations = new Map(answer.stations.map((station) => [station.id, station]));
  state.streams = new Map();
  for (const station of answer.stations) {
    for (const stream of station.datastreams) state.streams.set(stream.id, { station, stream });
  }
  const first = !state.loaded;
  state.loaded = Date.now();
  if (first || themeKey() !== sameThemes) drawThemes();
  if (first || before.size !== state.stations.size || [...before].some((id) => !state.stations.has(id))) drawStations();
  else {
    for (const station of answer.stations) list.update(station);
    map?.show(visible());
  }
  if (first) openFromAddress();
  else if (state.selected !== null) renewSelected();
}

function themeKey() {
  return [...state.stations.values()].map(themeOf).sort().join();
}

function renewSelected() {
  const station = state.stations.get(state.selected);
  if (!station) return close();
  for (const stream of station.datastreams) if (stream.time) takeIntoPanel(stream);
  map?.follow(station);
}

function openFromAddress() {
  const asked = location.hash.match(/^#station-(\d+)$/);
  if (asked) open(Number(asked[1]), { focus: false });
}

/** New latest values: [{id, time, value, flag}]; an older one than is shown is ignored. */
function takeLatest(changes) {
  const touched = new Set();
  for (const { id, time, value, flag } of changes) {
    const known = state.streams.get(id);
    if (!known || (known.stream.time && Date.parse(time) < Date.parse(known.stream.time))) continue;
    Object.assign(known.stream, { time, value, flag });
    touched.add(known.station);
    if (known.station.id === state.selected) takeIntoPanel(known.stream);
  }
  for (const station of touched) list.update(station);
  if (touched.size && map) {
    mapTimer ||= setTimeout(() => {
      mapTimer = 0;
      map.show(visible());
    }, MAP_MS);
  }
}

function takeIntoPanel(stream) {
  const shown = panel.station?.datastreams.find((one) => one.id === stream.id);
  if (!shown) return;
  Object.assign(shown, { time: stream.time, value: stream.value, flag: stream.flag });
  panel.update(shown);
  if (panel.stream?.id === stream.id && heard !== stream.time && Date.now() - announced > ANNOUNCE_MS) {
    announced = Date.now();
    heard = stream.time;
    setText($("announcer"), word("announce", { name: nameOf(stream), value: valueText(stream), flag: word(`flag.${stream.flag}`) }));
  }
}

/** Open alerts as they are now; a new one is read out. */
function takeAlerts(answer) {
  const [worst] = alerts.take(answer);
  map?.alarm(alerts.levels());
  if (panel.station) panel.drawAlerts();
  if (worst) setText($("announcer"), word("alerts.announce", { title: worst.title, name: nameOf(worst.thing) }));
}

function showConnection(connection) {
  state.connection = connection;
  $("pulse").dataset.state = connection;
  setText($("pulse-text"), word(`pulse.${connection}`));
  const away = connection === "away";
  $("banner").hidden = !away;
  if (away) setText($("banner-text"), state.loaded ? word("awayStale", { time: clock(state.loaded, undefined, true) }) : word("away"));
}

async function chooseLanguage(code, keep) {
  await useLanguage(code, keep);
  fillWords();
  for (const button of $("languages").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.language === currentLanguage()));
  showConnection(state.connection);
  drawThemes();
  if (state.loaded) drawStations();
  alerts.draw();
  if (panel.station) panel.draw();
  map?.relabel();
  if (!$("map-notice").hidden) setText($("map-notice"), word("noMap"));
}

async function startMap() {
  try {
    if (!canDraw()) throw new Error("no WebGL 2");
    map = await StationMap.create($("map"), (id) => open(id, { move: false }));
    map.relabel();
    map.show(visible());
    map.alarm(alerts.levels());
    if (state.selected !== null) map.select(state.stations.get(state.selected));
    map.idle().then(() => document.documentElement.setAttribute("data-map", "ready"));
  } catch (error) {
    console.warn(`map: ${error.message}`);
    map = null;
    $("map-notice").hidden = false;
    setText($("map-notice"), word("noMap"));
    document.body.classList.add("without-map");
  }
}

async function start() {
  await chooseLanguage(preferredLanguage(), false);
  const source = new Source({ onStations: takeStations, onLatest: takeLatest, onAlerts: takeAlerts, onState: showConnection });
  for (const button of $("languages").querySelectorAll("button")) button.addEventListener("click", () => chooseLanguage(button.dataset.language, true).then(() => source.refreshAlerts()));
  $("retry").addEventListener("click", () => source.refresh());
  $("search").addEventListener("input", () => {
    state.search = $("search").value;
    drawStations();
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    list.focus(state.selected);
  });
  addEventListener("hashchange", openFromAddress);
  setInterval(() => refreshAges(document), AGES_MS);
  await Promise.all([source.start(), startMap()]);
}

start();
