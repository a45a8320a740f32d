// The list of stations: everything that the map tells, for the keyboard and the ear as well.

import { make, setText } from "./dom.js";
import { ageMark, flagMark, hasReading, mainStream, valueText } from "./reading.js";
import { themeOf, themeSign } from "./signs.js";
import { country, currentLanguage, nameOf, word } from "./words.js";

export class StationList {
  #root;
  #onOpen;
  #rows = new Map();
  #current = null;

  constructor(root, onOpen) {
    this.#root = root;
    this.#onOpen = onOpen;
    root.addEventListener("keydown", (event) => this.#keys(event));
    root.addEventListener("focus", () => this.#entry()?.focus());
  }

  /** Draw all rows anew; `stations` are already filtered, `onClear` undoes the filter. */
  draw(stations, { selected, any, onClear }) {
    const focused = this.#root.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    const scrolled = this.#root.scrollTop;
    this.#rows.clear();
    this.#root.replaceChildren(...(stations.length ? this.#groups(stations) : [empty(any, onClear)]));
    this.select(selected);
    this.#root.scrollTop = scrolled;
    if (focused) this.#rows.get(Number(focused))?.button.focus({ preventScroll: true });
  }

  /** Put a station's new latest value into its row. */
  update(station) {
    const row = this.#rows.get(station.id);
    if (!row) return;
    setText(row.about, aboutOf(station));
    row.latest.replaceChildren(...latest(mainStream(station)));
  }

  select(id) {
    for (const [key, { button }] of this.#rows) {
      button.setAttribute("aria-current", key === id ? "true" : "false");
      button.tabIndex = -1;
    }
    if (this.#rows.has(id)) this.#current = id;
    const entry = this.#entry();
    if (entry) entry.tabIndex = 0;
  }

  focus(id) {
    (this.#rows.get(id)?.button ?? this.#entry())?.focus();
  }

  reveal(id) {
    this.#rows.get(id)?.button.scrollIntoView({ block: "nearest" });
  }

  #entry() {
    return (this.#rows.get(this.#current) ?? this.#rows.values().next().value)?.button;
  }

  #groups(stations) {
    const collator = new Intl.Collator(currentLanguage());
    const groups = new Map();
    for (const station of stations) {
      const key = station.source === "recorded" ? "" : (station.municipality ?? word("place"));
      groups.set(key, [...(groups.get(key) ?? []), station]);
    }
    const order = [...groups.keys()].sort((a, b) => (a === "") - (b === "") || collator.compare(a, b));
    return order.map((key) => this.#group(key, groups.get(key), collator));
  }

  #group(key, stations, collator) {
    const code = key && stations[0].country;
    const title = make(
      "h3",
      {},
      key || word("elsewhere"),
      code ? make("abbr", { title: country(code) }, code) : null,
    );
    const hint = key ? null : make("p", { class: "hint" }, word("elsewhereHint"));
    const rows = stations.sort((a, b) => collator.compare(nameOf(a), nameOf(b))).map((station) => this.#row(station));
    return make("section", { class: key ? "group" : "group elsewhere" }, title, hint, make("ul", { role: "list" }, rows));
  }

  #row(station) {
    const stream = mainStream(station);
    const latestBox = make("span", { class: "latest" }, latest(stream));
    const about = make("span", { class: "about" }, aboutOf(station));
    const button = make(
      "button",
      { type: "button", class: "row", tabindex: -1, "data-id": station.id, onclick: () => this.#onOpen(station.id) },
      themeSign(themeOf(station)),
      make("span", { class: "what" }, make("span", { class: "name" }, nameOf(station)), make("span", { class: "hidden" }, word(`theme.${themeOf(station)}`)), about),
      latestBox,
    );
    this.#rows.set(station.id, { button, about, latest: latestBox });
    return make("li", {}, button);
  }

  #keys(event) {
    const buttons = [...this.#rows.values()].map((row) => row.button);
    const at = buttons.indexOf(document.activeElement);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = buttons[Math.max(0, Math.min(buttons.length - 1, to))];
    buttons[at].tabIndex = -1;
    next.tabIndex = 0;
    this.#current = Number(next.dataset.id);
    next.focus();
  }
}

/** What the value is of, where a recording was made, and whether it is one. */
function aboutOf(station) {
  const stream = mainStream(station);
  const parts = [
    hasReading(stream) ? nameOf(stream) : word(`theme.${themeOf(station)}`),
    station.source === "recorded" ? station.municipality : null,
    station.source in { simulated: 1, recorded: 1 } ? word(`source.${station.source}`) : null,
    station.moving ? word("moving") : null,
  ];
  return parts.filter(Boolean).join(" · ");
}

function latest(stream) {
  if (!hasReading(stream)) return [make("span", { class: "none" }, word("noReading"))];
  return [make("span", { class: "value" }, valueText(stream)), make("span", { class: "state" }, flagMark(stream.flag), ageMark(stream))];
}

function empty(any, onClear) {
  if (!any) return make("div", { class: "empty" }, make("p", {}, word("noStations")), make("p", { class: "hint" }, word("noStationsHint")));
  return make("div", { class: "empty" }, make("p", {}, word("noMatch")), make("button", { type: "button", class: "quiet", onclick: onClear }, word("clear")));
}
