// A Datastream's latest value as the list, the map and the panel show it.

import { make, setText } from "./dom.js";
import { flagSign, knownFlag } from "./signs.js";
import { age, withUnit, word } from "./words.js";

const STALE_INTERVALS = 6;
const STALE_MS = 2 * 3_600_000;

export const hasReading = (stream) => Boolean(stream?.time);
export const timeOf = (stream) => Date.parse(stream.time);

/** The Datastream that stands for a station: its first with a reading. */
export const mainStream = (station) => station.datastreams.find(hasReading) ?? station.datastreams[0];

/** Whether the latest value is old for its Datastream. */
export const isStale = (stream) =>
  Date.now() - timeOf(stream) > Math.max(stream.interval_s ? stream.interval_s * 1000 * STALE_INTERVALS : STALE_MS, 60_000);

/** A flag: sign and word. */
export function flagMark(flag, long = false) {
  return make("span", { class: `flag flag-${knownFlag(flag)}`, title: word(`flagLong.${knownFlag(flag)}`) }, flagSign(flag), make("span", {}, word(`flag${long ? "Long" : ""}.${knownFlag(flag)}`)));
}

/** The age of a Datastream's latest value, refreshed by `refreshAges`. */
export function ageMark(stream) {
  const element = make("time", { class: "age", datetime: stream.time }, age(timeOf(stream)));
  element.classList.toggle("stale", isStale(stream));
  return element;
}

export function refreshAges(root) {
  for (const element of root.querySelectorAll("time.age")) setText(element, age(Date.parse(element.dateTime)));
}

export const valueText = (stream) => (hasReading(stream) ? withUnit(stream.value, stream) : word("noReading"));
