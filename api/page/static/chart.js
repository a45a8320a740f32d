// A chart of one Datastream's readings in SVG: a line for numbers, a band for states; flags by shape; a cursor for mouse, touch and keys.

import { make, setText } from "./dom.js";
import { FLAGS, knownFlag } from "./signs.js";
import { clock, moment, nameOf, number, result, weekday, withUnit, word } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 230;
const MARGIN = { top: 14, right: 14, bottom: 26, left: 46, side: 14 };
const LANE = 42;
const MOST_LANES = 8;
const MARK = 11;
const HOUR = 3_600_000;

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export class Chart {
  #box;
  #stream;
  #timeZone;
  #series = null;
  #observer;
  #cursor = null;
  #frame = {};
  #parts = {};

  constructor(box, stream, timeZone) {
    this.#box = box;
    this.#stream = stream;
    this.#timeZone = timeZone;
    let width = 0;
    this.#observer = new ResizeObserver(([entry]) => {
      if (this.#series && Math.abs(entry.contentRect.width - width) > 1) this.draw(this.#series);
      width = entry.contentRect.width;
    });
    this.#observer.observe(box);
  }

  stop() {
    this.#observer.disconnect();
  }

  /** Draw a series: `points` are [ms, value, flag] in order of time, within `since` and `until` (ms). */
  draw(series) {
    this.#series = series;
    if (!series.points.length) {
      this.#parts = {};
      this.#box.replaceChildren(make("p", { class: "hint" }, word("noSeries")));
      return;
    }
    const width = Math.max(240, this.#box.clientWidth);
    const numeric = series.numeric && series.points.some(([, value]) => typeof value === "number");
    const height = numeric ? HEIGHT : MARGIN.top + LANE * this.#kinds().length + MARGIN.bottom;
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true", focusable: "false" });
    const left = numeric ? MARGIN.left : MARGIN.side;
    this.#frame = { width, left, base: height - MARGIN.bottom, x: scale(series.since, series.until, left, width - MARGIN.right), numeric };
    picture.append(this.#timeAxis());
    if (numeric) this.#numbers(picture);
    else this.#states(picture);
    this.#cursorParts(picture);
    this.#place(picture);
  }

  #place(picture) {
    const { stage } = this.#parts;
    if (stage && this.#box.contains(stage)) {
      this.#parts.tip.hidden = true;
      stage.replaceChild(picture, stage.querySelector("svg")); // keeps the keyboard's place
    } else {
      const made = make("div", { class: "chart-stage", tabindex: 0, role: "group" }, picture, make("div", { class: "tip", hidden: true }));
      made.addEventListener("pointermove", (event) => this.#point(event));
      made.addEventListener("pointerdown", (event) => this.#point(event));
      made.addEventListener("pointerleave", () => this.#move(null));
      made.addEventListener("blur", () => this.#move(null));
      made.addEventListener("keydown", (event) => this.#keys(event));
      this.#parts = { ...this.#parts, stage: made, tip: made.querySelector(".tip"), readout: make("p", { class: "hidden", "aria-live": "polite" }) };
      this.#box.replaceChildren(made, this.#parts.readout, make("ul", { class: "legend" }));
    }
    this.#parts.stage.setAttribute("aria-label", this.#summary());
    this.#box.querySelector(".legend").replaceChildren(...this.#legend());
    if (this.#cursor !== null) this.#move(Math.min(this.#cursor, this.#series.points.length - 1), false);
  }

  #summary() {
    const { points, n } = this.#series;
    const last = withUnit(points.at(-1)[1], this.#stream);
    const numbers = points.filter(([, value, flag]) => typeof value === "number" && flag < 4).map(([, value]) => value);
    if (!this.#frame.numeric || !numbers.length) return word("chartStates", { name: nameOf(this.#stream), n: points.length, last });
    const [min, max] = [Math.min(...numbers), Math.max(...numbers)].map((value) => withUnit(value, this.#stream));
    return word("chart", { name: nameOf(this.#stream), n, min, max, last });
  }

  #timeAxis() {
    const { x, width } = this.#frame;
    const axis = svg("g", { class: "axis" });
    const step = width < 420 ? 6 : 4;
    for (let at = Math.ceil(this.#series.since / HOUR) * HOUR; at <= this.#series.until; at += HOUR) {
      const text = clock(at, this.#timeZone);
      const hour = Number.parseInt(text, 10);
      if (hour % step) continue;
      axis.append(svg("line", { class: hour ? "grid" : "grid midnight", x1: x(at), x2: x(at), y1: MARGIN.top, y2: this.#frame.base }));
      const label = svg("text", { x: x(at), y: this.#frame.base + 18, "text-anchor": "middle", class: hour ? "" : "strong" });
      label.textContent = hour ? text : weekday(at, this.#timeZone);
      if (x(at) > this.#frame.left + 4 && x(at) < width - 16) axis.append(label);
    }
    return axis;
  }

  #numbers(picture) {
    const { points } = this.#series;
    const { ticks, decimals, low, high } = valueAxis(points);
    const y = scale(low, high, this.#frame.base, MARGIN.top);
    const clamp = (value) => Math.max(MARGIN.top + MARK / 2, Math.min(this.#frame.base - MARK / 2, y(value)));
    this.#frame.y = clamp;
    for (const tick of ticks) {
      const label = svg("text", { x: MARGIN.left - 7, y: y(tick) + 4, "text-anchor": "end" });
      label.textContent = number(tick, decimals);
      const line = svg("line", { class: "grid", x1: MARGIN.left, x2: this.#frame.width - MARGIN.right, y1: y(tick), y2: y(tick) });
      picture.append(svg("g", { class: "axis" }, line, label));
    }
    const { x } = this.#frame;
    for (const run of runs(points, this.#gap())) {
      const line = run.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join("L");
      const [first, last] = [run[0], run.at(-1)].map(([at]) => x(at).toFixed(1));
      const base = this.#frame.base;
      if (run.length === 1) picture.append(svg("circle", { class: "dot", cx: first, cy: y(run[0][1]), r: 2 }));
      else picture.append(svg("path", { class: "area", d: `M${first},${base}L${line}L${last},${base}Z` }), svg("path", { class: "line", d: `M${line}` }));
    }
    for (const [at, value, flag] of points) {
      if (flag < 3) continue;
      picture.append(mark(flag, x(at), typeof value === "number" ? clamp(value) : this.#frame.base - MARK / 2));
    }
    const [at, value, flag] = points.at(-1);
    if (flag < 3 && typeof value === "number") picture.append(svg("circle", { class: "last", cx: x(at), cy: clamp(value), r: 4 }));
  }

  #gap() {
    const steps = this.#series.points.slice(1).map(([at], index) => at - this.#series.points[index][0]).sort((a, b) => a - b);
    return 3.2 * Math.max((this.#stream.interval_s ?? 0) * 1000, steps[Math.floor(steps.length / 2)] ?? 0, 1000);
  }

  /** A lane for each state, so that none is told by colour alone; rare ones share the last. */
  #states(picture) {
    const { points, until } = this.#series;
    const kinds = this.#kinds();
    const lane = (value) => Math.max(0, kinds.indexOf(this.#kind(value, kinds)));
    const top = (value) => MARGIN.top + LANE * lane(value) + 20;
    this.#frame.y = (value) => top(value) + 8;
    kinds.forEach((kind, index) => {
      const y = MARGIN.top + LANE * index;
      const label = svg("text", { x: MARGIN.side, y: y + 13, class: "lane" });
      label.textContent = kind;
      picture.append(label, svg("rect", { class: "lane-ground", x: MARGIN.side, y: y + 20, width: this.#frame.width - 2 * MARGIN.side, height: 14, rx: 3 }));
    });
    points.forEach(([at, value, flag], index) => {
      const [left, right] = [this.#frame.x(at), this.#frame.x(points[index + 1]?.[0] ?? until)];
      picture.append(svg("rect", { class: `state state-${lane(value) % 6}`, x: left, y: top(value), width: Math.max(1.5, right - left), height: 14, rx: 2 }));
      if (flag > 2) picture.append(mark(flag, left + MARK / 2, top(value) + 7));
    });
  }

  #kinds() {
    const all = [...new Set(this.#series.points.map(([, value]) => result(value, this.#stream)))];
    return all.length > MOST_LANES ? [...all.slice(0, MOST_LANES - 1), "…"] : all;
  }

  #kind(value, kinds) {
    const text = result(value, this.#stream);
    return kinds.includes(text) ? text : "…";
  }

  #legend() {
    const flags = [...new Set(this.#series.points.map(([, , flag]) => flag))].filter((flag) => flag > 2).sort();
    const entries = flags.map((flag) => {
      const sign = svg("svg", { viewBox: "0 0 16 16", class: `flag-sign flag-${knownFlag(flag)}`, "aria-hidden": "true" });
      sign.innerHTML = FLAGS[knownFlag(flag)];
      return make("li", {}, sign, word(`flagLong.${knownFlag(flag)}`));
    });
    return entries;
  }

  #cursorParts(picture) {
    const line = svg("line", { class: "cursor", y1: MARGIN.top, y2: this.#frame.base, visibility: "hidden" });
    const dot = svg("circle", { class: "cursor-dot", r: 4.5, visibility: "hidden" });
    picture.append(line, dot);
    this.#parts.line = line;
    this.#parts.dot = dot;
  }

  #point(event) {
    const { points } = this.#series;
    const at = this.#frame.x.back(event.clientX - this.#parts.stage.getBoundingClientRect().left);
    let best = 0;
    points.forEach(([time], index) => {
      if (Math.abs(time - at) < Math.abs(points[best][0] - at)) best = index;
    });
    this.#move(best, false);
  }

  #keys(event) {
    const last = this.#series.points.length - 1;
    const now = this.#cursor ?? last + 1;
    const page = Math.max(1, Math.round(last / 10));
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, PageUp: now - page, PageDown: now + page }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#move(Math.max(0, Math.min(last, to)), true);
  }

  #move(index, aloud = false) {
    this.#cursor = index;
    const { line, dot, tip, readout, stage } = this.#parts;
    if (!tip) return;
    tip.hidden = index === null;
    for (const element of [line, dot]) element.setAttribute("visibility", index === null ? "hidden" : "visible");
    if (index === null) return;
    const [at, value, flag] = this.#series.points[index];
    const left = this.#frame.x(at);
    const top = !this.#frame.numeric || typeof value === "number" ? this.#frame.y(value) : this.#frame.base - MARK / 2;
    line.setAttribute("x1", left);
    line.setAttribute("x2", left);
    dot.setAttribute("cx", left);
    dot.setAttribute("cy", top);
    const text = withUnit(value, this.#stream);
    const judged = word(`flag.${knownFlag(flag)}`);
    tip.replaceChildren(make("b", {}, text), make("span", {}, judged), make("span", {}, moment(at, this.#timeZone)));
    const half = tip.offsetWidth / 2;
    tip.style.left = `${Math.max(half, Math.min(stage.clientWidth - half, left))}px`;
    if (aloud) setText(readout, `${text}, ${judged}, ${moment(at, this.#timeZone)}`);
  }
}

function scale(from, to, start, end) {
  const factor = (end - start) / (to - from || 1);
  const forth = (value) => start + (value - from) * factor;
  forth.back = (place) => from + (place - start) / factor;
  return forth;
}

/** Ticks at round numbers. Failed readings don't stretch the scale: they are marked at its edge. */
function valueAxis(points) {
  const all = points.filter(([, value]) => typeof value === "number");
  const plausible = all.filter(([, , flag]) => flag < 4);
  const values = (plausible.length ? plausible : all).map(([, value]) => value);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) [low, high] = [low - (Math.abs(low) * 0.1 || 1), high + (Math.abs(high) * 0.1 || 1)];
  if (low > 0 && low < (high - low) * 0.6) low = 0;
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((one) => one * power >= rough);
  const from = Math.floor(low / step) * step;
  const to = Math.ceil(high / step) * step;
  const decimals = Math.max(0, Math.min(10, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0)));
  const ticks = Array.from({ length: Math.round((to - from) / step) + 1 }, (_, index) => from + index * step);
  return { low: from, high: to, ticks, decimals };
}

/** Lines that end where a reading failed, is missing, or did not come for a while. */
function runs(points, gap) {
  const list = [];
  let run = [];
  let before = -Infinity;
  for (const point of points) {
    const usable = typeof point[1] === "number" && point[2] < 4;
    if ((point[2] === 9 || point[0] - before > gap) && run.length) {
      list.push(run);
      run = [];
    }
    if (usable) run.push(point);
    before = point[0];
  }
  return run.length ? [...list, run] : list;
}

function mark(flag, x, y) {
  const group = svg("g", { class: `flag-sign flag-${knownFlag(flag)}`, transform: `translate(${x - MARK / 2} ${y - MARK / 2}) scale(${MARK / 16})` });
  group.innerHTML = FLAGS[knownFlag(flag)];
  return group;
}
