// How a station's device is: last seen, battery, clock, gaps, repeats, quarantine. Asked for when somebody opens it.

import { make } from "./dom.js";
import { loadDevice } from "./source.js";
import { age, count, longMoment, number, withUnit, word } from "./words.js";

/** A section that loads the device of a station when it is opened. */
export function deviceBox(station) {
  const list = make("div", { role: "status" });
  const box = make("details", { class: "table device", ontoggle: () => box.open && load(station, list) }, make("summary", {}, word("device.title")), list);
  return box;
}

async function load(station, list) {
  list.replaceChildren(make("p", { class: "hint" }, word("loading")));
  try {
    const [device] = (await loadDevice(station.id)).devices;
    list.replaceChildren(device ? facts(device, station.timezone) : make("p", { class: "hint" }, word("device.none")));
  } catch (error) {
    console.warn(String(error));
    list.replaceChildren(make("p", { class: "hint" }, word("device.away")));
  }
}

function facts(device, timeZone) {
  const rows = [];
  const row = (key, text) => rows.push(make("tr", {}, make("th", { scope: "row" }, word(`device.${key}`)), make("td", {}, text)));
  if (device.quarantined) row("quarantined", longMoment(Date.parse(device.quarantined_since), timeZone));
  row("lastSeen", device.last_seen ? age(Date.parse(device.last_seen)) : word("device.never"));
  if (device.battery && device.battery.value !== null) row("battery", withUnit(device.battery.value, device.battery));
  if (device.clock_offset_s !== null) row("clock", `${number(device.clock_offset_s, 1)}\u202fs`);
  if (device.messages !== null) {
    row("messages", count(device.messages));
    row("missing", `${count(device.missing)} (${number(device.gap_rate * 100, 2)}\u202f%)`);
    row("repeats", count(device.repeats));
  }
  if (device.refused_run) row("refused", count(device.refused_run));
  return make("table", {}, make("tbody", {}, rows));
}
