// One station: its latest readings, and the last 24 hours of the chosen one as a chart and as a table.

import { Chart } from "./chart.js";
import { deviceBox } from "./device.js";
import { make, setText } from "./dom.js";
import { ageMark, flagMark, hasReading, mainStream, timeOf, valueText } from "./reading.js";
import { loadSeries } from "./source.js";
import { themeOf, themeSign } from "./signs.js";
import { country, longMoment, nameOf, result, unitOf, word } from "./words.js";

const HOURS = 24;
const WINDOW_MS = HOURS * 3_600_000;
const MOST_ROOMY = 3; // more readings take a line each, so that the chart stays in sight
const MOST_POINTS = 700; // with live values added; then the server thins again

export class Panel {
  #root;
  #onClose;
  #alertsOf;
  #station = null;
  #stream = null;
  #rows = new Map();
  #chart = null;
  #series = null;
  #ticket = 0;
  #redraw = 0;

  /** `alertsOf(thing)` gives what there is to say of its open alerts, or null. */
  constructor(root, onClose, alertsOf) {
    this.#root = root;
    this.#onClose = onClose;
    this.#alertsOf = alertsOf;
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#onClose();
    });
  }

  get station() {
    return this.#station;
  }

  get stream() {
    return this.#stream;
  }

  /** Show a station; `focus` moves the keyboard into the panel. */
  open(station, focus = true) {
    this.#station = station;
    this.#stream = mainStream(station);
    this.#root.hidden = false;
    this.draw();
    if (focus) this.#root.querySelector("h2").focus({ preventScroll: true });
  }

  close() {
    this.#ticket += 1;
    this.#chart?.stop();
    this.#chart = null;
    this.#station = null;
    this.#root.hidden = true;
    this.#root.replaceChildren();
  }

  /** Draw all anew, as after a change of language. */
  draw() {
    this.#chart?.stop();
    this.#rows.clear();
    const station = this.#station;
    const head = make(
      "div",
      { class: "panel-head" },
      themeSign(themeOf(station)),
      make("div", {}, make("h2", { id: "panel-title", tabindex: -1 }, nameOf(station)), make("p", { class: "where" }, where(station))),
      make("button", { type: "button", class: "close", "aria-label": word("close"), title: word("close"), onclick: () => this.#onClose() }, "×"),
    );
    const badge = ["simulated", "recorded"].includes(station.source)
      ? make("p", { class: `badge ${station.source}` }, word(`sourceLong.${station.source}`))
      : null;
    const rows = station.datastreams.map((stream) => this.#row(stream));
    const readings = make("section", { class: rows.length > MOST_ROOMY ? "readings many" : "readings", "aria-label": word("readings") }, rows.length ? rows : make("p", { class: "hint" }, word("noReading")));
    this.#root.replaceChildren(
      head,
      make("div", { class: "panel-body" }, make("div", { class: "alerts-here" }), badge, readings, this.#chartBox(), deviceBox(station), this.#foot(station)),
    );
    this.drawAlerts();
    this.#choose(this.#stream);
  }

  /** Show the station's open alerts as they are now. */
  drawAlerts() {
    const notes = this.#alertsOf(this.#station.id);
    this.#root.querySelector(".alerts-here").replaceChildren(...(notes ? [notes] : []));
  }

  /** Take over a new latest value. */
  update(stream) {
    const row = this.#rows.get(stream.id);
    if (row) row.latest.replaceChildren(...latest(stream));
    if (stream.id === this.#stream?.id && this.#series) this.#append(stream);
  }

  #row(stream) {
    const box = make("span", { class: "latest" }, latest(stream));
    const button = make(
      "button",
      { type: "button", class: "reading", "aria-pressed": "false", onclick: () => this.#choose(stream) },
      make("span", { class: "what" }, nameOf(stream)),
      box,
    );
    this.#rows.set(stream.id, { button, latest: box });
    return button;
  }

  #chartBox() {
    return make(
      "section",
      { class: "chart-box", "aria-labelledby": "chart-title" },
      make("div", { class: "chart-head" }, make("h3", { id: "chart-title" }), make("p", { class: "chart-time", id: "chart-time" })),
      make("div", { class: "chart", id: "chart" }),
      make("p", { class: "figures", id: "figures" }),
      make("details", { class: "table", id: "table", ontoggle: () => this.#table() }, make("summary", {}, word("table"))),
    );
  }

  #foot(station) {
    const attribution = typeof station.attribution === "string" ? make("p", { class: "hint" }, station.attribution) : null;
    return make("p", { class: "panel-foot" }, attribution, make("a", { href: `v1.1/Things(${station.id})` }, word("entity")));
  }

  async #choose(stream) {
    const ticket = ++this.#ticket;
    this.#stream = stream;
    this.#series = null;
    for (const [id, { button }] of this.#rows) button.setAttribute("aria-pressed", String(id === stream?.id));
    const box = this.#root.querySelector(".chart-box");
    box.hidden = !stream;
    if (!stream) return;
    setText(box.querySelector("#chart-title"), unitOf(stream) ? `${nameOf(stream)} (${unitOf(stream)})` : nameOf(stream));
    box.querySelector("#chart").replaceChildren(make("p", { class: "hint" }, word("loading")));
    box.querySelector("#figures").replaceChildren();
    const old = hasReading(stream) && timeOf(stream) < Date.now() - WINDOW_MS;
    try {
      const series = await loadSeries(stream.id, HOURS, old ? timeOf(stream) : undefined);
      if (ticket !== this.#ticket) return;
      this.#show(series, stream, old);
    } catch (error) {
      if (ticket !== this.#ticket) return;
      console.warn(String(error));
      box.querySelector("#chart").replaceChildren(
        make("p", { class: "hint" }, word("seriesAway")),
        make("button", { type: "button", class: "quiet", onclick: () => this.#choose(stream) }, word("retry")),
      );
    }
  }

  #show(series, stream, old) {
    const timeZone = this.#station.timezone;
    this.#series = { ...series, old, since: Date.parse(series.since), until: Date.parse(series.until) };
    setText(this.#root.querySelector("#chart-time"), old ? word("until", { time: longMoment(this.#series.until, timeZone) }) : word("last24"));
    this.#chart?.stop();
    this.#chart = new Chart(this.#root.querySelector("#chart"), stream, timeZone);
    this.#drawSeries();
  }

  #drawSeries() {
    this.#chart.draw(this.#series);
    this.#root.querySelector("#figures").replaceChildren(...figures(this.#series, this.#stream));
    this.#table();
  }

  #append(stream) {
    const series = this.#series;
    const at = timeOf(stream);
    if (series.old || (series.points.length && at <= series.points.at(-1)[0])) return;
    series.points.push([at, stream.value, stream.flag]);
    series.n += 1;
    series.until = Math.max(Date.now(), at);
    series.since = series.until - WINDOW_MS;
    while (series.points[0]?.[0] < series.since) {
      series.points.shift();
      series.n -= 1;
    }
    if (series.points.length > MOST_POINTS) this.#choose(stream);
    else
      this.#redraw ||= requestAnimationFrame(() => {
        this.#redraw = 0;
        if (this.#series === series) this.#drawSeries();
      });
  }

  #table() {
    const details = this.#root.querySelector("#table");
    details.hidden = !this.#series?.points.length;
    details.querySelector(".scroll")?.remove();
    if (!details.open || details.hidden) return;
    const rows = this.#series.points.toReversed().map(([at, value, flag]) =>
      make("tr", {}, make("th", { scope: "row" }, longMoment(at, this.#station.timezone)), make("td", {}, result(value, this.#stream)), make("td", {}, flagMark(flag))),
    );
    const unit = unitOf(this.#stream);
    const heads = [word("time"), unit ? `${word("value")} (${unit})` : word("value"), word("quality")];
    details.append(
      make(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": word("table") },
        make("table", {}, make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, rows)),
      ),
    );
  }
}

function where(station) {
  const land = station.country ? country(station.country) : null;
  return [word(`theme.${themeOf(station)}`), station.municipality, land].filter(Boolean).join(" · ");
}

function latest(stream) {
  if (!hasReading(stream)) return [make("span", { class: "none" }, word("noReading"))];
  return [make("span", { class: "value" }, valueText(stream)), make("span", { class: "state" }, flagMark(stream.flag), ageMark(stream))];
}

function figures(series, stream) {
  if (!series.points.length) return [];
  const shown = make("span", { class: "shown" }, word(series.thinned ? "thinned" : "shown", { n: series.n }));
  const good = series.points.filter(([, value, flag]) => typeof value === "number" && flag < 4).map(([, value]) => value);
  if (!series.numeric || !good.length) return [shown];
  const figure = (key, value) => make("span", {}, `${word(key)} `, make("b", {}, result(value, stream)));
  const list = [figure("min", good.reduce((a, b) => Math.min(a, b))), figure("max", good.reduce((a, b) => Math.max(a, b)))];
  // Thinned points favour extremes: their mean would mislead.
  if (!series.thinned) list.push(figure("mean", good.reduce((a, b) => a + b, 0) / good.length));
  return [...list, shown];
}
