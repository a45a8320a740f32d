// Open alerts: a button in the head that counts them by level, the list that it opens, and the notes in a station's panel.

import { make, setText } from "./dom.js";
import { alertSign } from "./signs.js";
import { age, currentLanguage, longMoment, nameOf, withUnit, word } from "./words.js";

const MOST_LEVELS = 3; // counted one by one in the head; the lower ones stay in the list

const byWeight = (a, b) => Boolean(a.acknowledged) - Boolean(b.acknowledged) || b.level - a.level || Date.parse(b.begins) - Date.parse(a.begins);

export class AlertList {
  #button;
  #box;
  #onOpen;
  #streamOf;
  #alerts = [];
  #more = false;
  #known = null;

  /** `onOpen(thing)` opens a station, `streamOf(id)` gives a Datastream that the page knows. */
  constructor(button, box, onOpen, streamOf) {
    this.#button = button;
    this.#box = box;
    this.#onOpen = onOpen;
    this.#streamOf = streamOf;
    button.addEventListener("click", () => this.toggle());
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.toggle(false, true);
    });
  }

  /** Take over the open alerts; gives those that are new since the last time. */
  take(answer) {
    this.#alerts = answer.alerts.sort(byWeight);
    this.#more = Boolean(answer.next);
    const fresh = this.#known ? this.#alerts.filter((alert) => !this.#known.has(alert.id)) : [];
    this.#known = new Set(this.#alerts.map((alert) => alert.id));
    this.draw();
    return fresh;
  }

  /** Draw all anew, as after a change of language. */
  draw() {
    if (!this.#known) return;
    const counts = new Map();
    for (const { level } of this.#alerts) counts.set(level, (counts.get(level) ?? 0) + 1);
    const levels = [...counts.keys()].sort((a, b) => b - a);
    const chips = levels.slice(0, MOST_LEVELS).map((level) => make("span", { class: "chip" }, alertSign(level), String(counts.get(level))));
    const told = levels.map((level) => word("alerts.ofLevel", { n: counts.get(level), level: String(level) }));
    const total = this.#total();
    this.#button.hidden = false;
    this.#button.dataset.level = String(Math.min(levels[0] ?? 0, 4));
    this.#button.setAttribute("aria-label", told.length ? `${total}: ${told.join(", ")}` : total);
    this.#button.replaceChildren(make("span", { class: "alerts-word" }, total), ...chips);
    if (!this.#box.hidden) this.#drawList();
  }

  /** Open or close the list; `back` gives the keyboard back to the button. */
  toggle(open = this.#box.hidden, back = false) {
    this.#box.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (open) {
      this.#drawList();
      this.#box.querySelector("h2").focus({ preventScroll: true });
      this.#box.scrollIntoView({ block: "nearest" });
    } else {
      this.#box.replaceChildren();
      if (back) this.#button.focus();
    }
  }

  /** Open alerts of one station, those of the highest level first. */
  of(thing) {
    return this.#alerts.filter((alert) => alert.thing.id === thing);
  }

  /** The highest level of each station with an open alert. */
  levels() {
    const levels = new Map();
    for (const { thing, level } of this.#alerts) levels.set(thing.id, Math.max(level, levels.get(thing.id) ?? 0));
    return levels;
  }

  /** What a station's panel says of its open alerts; null where there is none. */
  notes(thing) {
    const alerts = this.of(thing);
    if (!alerts.length) return null;
    const rows = alerts.map((alert) => make("li", { class: "alert-note" }, alertSign(alert.level), make("span", { class: "what" }, make("b", {}, this.#what(alert)), ...this.#facts(alert))));
    return make("ul", { class: "alert-notes", role: "list", "aria-label": word("alerts.title") }, rows);
  }

  #total() {
    const n = this.#alerts.length;
    return n ? word("alerts.count", { n }) + (this.#more ? "+" : "") : word("alerts.none");
  }

  #drawList() {
    const focused = this.#box.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    const list = this.#box.querySelector("ul");
    const scrolled = list?.scrollTop ?? 0;
    const rows = this.#alerts.map((alert) => this.#row(alert));
    const head = this.#box.querySelector(".alerts-head");
    const fresh = this.#head();
    if (head && head.lang === fresh.lang) setText(head.querySelector(".count"), this.#total());
    else this.#box.replaceChildren(fresh);
    this.#box.querySelector("ul, .hint")?.remove();
    const body = rows.length ? make("ul", { role: "list" }, rows) : make("p", { class: "hint" }, word("alerts.noneHint"));
    this.#box.append(body);
    body.scrollTop = scrolled;
    if (focused) this.#box.querySelector(`[data-id="${focused}"]`)?.focus({ preventScroll: true });
  }

  #head() {
    return make(
      "div",
      { class: "alerts-head", lang: currentLanguage() },
      make("h2", { id: "alerts-title", tabindex: -1 }, word("alerts.title")),
      make("p", { class: "count" }, this.#total()),
      make("button", { type: "button", class: "close", "aria-label": word("close"), title: word("close"), onclick: () => this.toggle(false, true) }, "×"),
    );
  }

  #row(alert) {
    const button = make(
      "button",
      { type: "button", class: alert.acknowledged ? "alert-row acknowledged" : "alert-row", "data-id": alert.id, onclick: () => this.#onOpen(alert.thing.id) },
      alertSign(alert.level),
      make("span", { class: "what" }, make("span", { class: "name" }, nameOf(alert.thing)), make("span", { class: "about" }, this.#what(alert))),
      make("span", { class: "alert-facts" }, ...this.#facts(alert)),
    );
    return make("li", {}, button);
  }

  /** What the rule is called, and the level in its words. */
  #what(alert) {
    return alert.level_name ? `${alert.title}: ${alert.level_name}` : `${alert.title}: ${word("alerts.level", { level: String(alert.level) })}`;
  }

  #facts(alert) {
    const since = Date.parse(alert.begins);
    const stream = { decimals: this.#streamOf(alert.datastream.id)?.decimals, unit: alert.unit };
    return [
      alert.value === null ? null : make("span", { class: "value", title: word("alerts.utmost") }, make("span", { class: "hidden" }, `${word("alerts.utmost")} `), withUnit(alert.value, stream)),
      make("span", { class: "since", title: longMoment(since, alert.thing.timezone) }, `${word("alerts.since")} `, make("time", { class: "age", datetime: alert.begins }, age(since))),
      alert.acknowledged ? make("span", { class: "seen" }, `✓ ${word("alerts.acknowledged")}`) : null,
    ].filter(Boolean);
  }
}
