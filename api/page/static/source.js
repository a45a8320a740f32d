// Where values come from: the planning API, Server-Sent Events while they flow, and asking every ten seconds while they don't.

import { currentLanguage } from "./words.js";

const API = "planning/v1";
const POLL_MS = 10_000;
const REFRESH_MS = 60_000; // new stations, and the places of those that move
const PATIENCE_MS = 20_000;
const MOST_ALERTS = 500;

async function getJson(path, headers = {}) {
  const answer = await fetch(`${API}/${path}`, { signal: AbortSignal.timeout(PATIENCE_MS), headers: { accept: "application/json", ...headers } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

export const loadStations = () => getJson("stations");

/** How the device of a Thing is. */
export const loadDevice = (thing) => getJson(`devices?thing=${thing}`);

/** Alerts that last, with titles in a language; a 304 is the browser's business. */
export const loadAlerts = (language) => getJson(`alerts?state=raised&limit=${MOST_ALERTS}`, { "accept-language": language });

/** Readings of a Datastream; `until` in ms ends the window, absent: now. */
export const loadSeries = (id, hours, until) =>
  getJson(`series?datastream=${id}&hours=${hours}${until ? `&until=${encodeURIComponent(new Date(until).toISOString())}` : ""}`);

/** Keeps the page's values fresh. `onStations(answer)`, `onLatest([...])`, `onAlerts(answer)`, `onState("live" | "polling" | "away")`. */
export class Source {
  #handlers;
  #events = null;
  #timer = 0;
  #loading = null;
  #state = "starting";
  #lastLoad = 0;
  #reopenAt = 0;
  #alertsAt = 0;
  #asking = 0;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Listen first, then load: nothing that changes in between is lost. */
  start() {
    this.#open();
    this.#timer = setInterval(() => this.#tick(), 1_000);
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
    return this.refresh();
  }

  /** Load all stations now; one request at a time. */
  refresh() {
    this.refreshAlerts();
    this.#loading ??= loadStations()
      .then((answer) => {
        this.#handlers.onStations(answer);
        this.#say(this.#events?.readyState === EventSource.OPEN ? "live" : "polling");
      })
      .catch((error) => {
        this.#say("away");
        console.warn(String(error));
      })
      .finally(() => {
        this.#lastLoad = Date.now();
        this.#loading = null;
      });
    return this.#loading;
  }

  /** Load the open alerts now; the last one asked for counts, in whatever order they come. */
  async refreshAlerts() {
    const asked = ++this.#asking;
    this.#alertsAt = Date.now();
    try {
      const answer = await loadAlerts(currentLanguage());
      if (asked === this.#asking) this.#handlers.onAlerts(answer);
    } catch (error) {
      console.warn(String(error)); // the stations tell when the server is away
    }
  }

  #open() {
    if (!("EventSource" in window)) return;
    this.#events = new EventSource(`${API}/live`);
    let before = false;
    this.#events.addEventListener("open", () => {
      if (before || this.#state !== "starting") this.refresh(); // what was missed
      before = true;
    });
    this.#events.addEventListener("latest", (event) => this.#handlers.onLatest(JSON.parse(event.data)));
    this.#events.addEventListener("error", () => {
      if (this.#state === "live") this.#say("polling");
      if (this.#events.readyState === EventSource.CLOSED) this.#reopenAt = Date.now() + 3 * POLL_MS;
    });
  }

  #tick() {
    const live = this.#events?.readyState === EventSource.OPEN;
    if (this.#events?.readyState === EventSource.CLOSED && Date.now() > this.#reopenAt) this.#open();
    if (document.hidden) return;
    if (Date.now() - this.#alertsAt > POLL_MS) this.refreshAlerts();
    if (Date.now() - this.#lastLoad > (live && this.#state === "live" ? REFRESH_MS : POLL_MS)) this.refresh();
  }

  #say(state) {
    if (state === this.#state && state !== "away") return;
    this.#state = state;
    this.#handlers.onState(state);
  }
}
