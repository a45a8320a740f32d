// Words of the page in three languages, and numbers, times and ages in the language's form.

export const LANGUAGES = { de: "de-DE", da: "da-DK", en: "en-GB" };
const KEPT = "grenzregion.language";
const cache = new Map();

let language = "en";
let words = {};

/** The language asked for by the address, kept from before, or preferred by the browser. */
export function preferredLanguage() {
  const kept = readKept();
  const wanted = [new URLSearchParams(location.search).get("lang"), kept, ...(navigator.languages ?? [])];
  const known = wanted.map((one) => (one ?? "").slice(0, 2).toLowerCase()).find((one) => one in LANGUAGES);
  return known ?? "en";
}

function readKept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage may be forbidden
  }
}

/** Load a language's words and make it the page's; `keep` remembers it for the next visit. */
export async function useLanguage(code, keep = false) {
  if (!cache.has(code)) {
    const answer = await fetch(`static/words/${code}.json`);
    if (!answer.ok) throw new Error(`words of ${code}: ${answer.status}`);
    cache.set(code, await answer.json());
  }
  language = code;
  words = cache.get(code);
  document.documentElement.lang = code;
  if (keep) {
    try {
      localStorage.setItem(KEPT, code);
    } catch {
      // the choice then lasts for this visit
    }
  }
}

export const currentLanguage = () => language;
export const locale = () => LANGUAGES[language];

/** The word at a dotted path; `{n}` and the like are filled in, and `n` chooses between one and other. */
export function word(path, values = {}) {
  let found = path.split(".").reduce((inner, key) => inner?.[key], words);
  if (found && typeof found === "object") found = found[new Intl.PluralRules(locale()).select(values.n ?? 0)] ?? found.other;
  if (typeof found !== "string") return path.split(".").at(-1);
  return found.replace(/\{(\w+)\}/g, (whole, key) => (typeof values[key] === "number" ? count(values[key]) : (values[key] ?? whole)));
}

/** A name in the page's language: entities carry them in `names`. */
export const nameOf = (entity) => entity.names?.[language] ?? entity.names?.en ?? entity.name ?? "";

/** Put words into every element that asks for them. */
export function fillWords(root = document) {
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of root.querySelectorAll("[data-word-label]")) element.setAttribute("aria-label", word(element.dataset.wordLabel));
  for (const element of root.querySelectorAll("[data-word-placeholder]")) element.placeholder = word(element.dataset.wordPlaceholder);
}

const formats = new Map();
function format(kind, options) {
  const key = `${language}${kind.name}${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new kind(locale(), options));
  return formats.get(key);
}

export const count = (n) => format(Intl.NumberFormat, { maximumFractionDigits: 0 }).format(n);

/** A number with as many decimals as its Datastream has; without them, three significant digits. */
export function number(value, decimals) {
  if (Number.isInteger(decimals) && decimals >= 0 && decimals <= 10) {
    return minus(format(Intl.NumberFormat, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value));
  }
  const digits = Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return minus(format(Intl.NumberFormat, digits).format(value));
}

const minus = (text) => text.replace(/^-(?!0([.,]0*)?$)/, "−").replace(/^-/, "");

/** A result of any type as text without its unit. */
export function result(value, stream) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value, stream.decimals);
  if (typeof value === "boolean") return word(stream.channel === "occupied" ? `occupied.${value}` : String(value));
  if (typeof value === "string") return words.states?.[value] ?? value;
  if (Array.isArray(value)) return value.map((one) => result(one, stream)).join(" · ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A unit as it is shown; a bare 1 is none. */
export const unitOf = (stream) => (stream.unit && stream.unit !== "1" ? (words.unit?.[stream.unit] ?? stream.unit) : "");

/** A country's name from its code of ISO 3166. */
export function country(code) {
  try {
    return new Intl.DisplayNames(locale(), { type: "region" }).of(code);
  } catch {
    return code; // whatever a Thing has written there
  }
}

export function withUnit(value, stream) {
  const unit = typeof value === "number" || Array.isArray(value) ? unitOf(stream) : "";
  return unit ? `${result(value, stream)}\u202f${unit}` : result(value, stream);
}

export const clock = (at, timeZone, seconds = false) =>
  format(Intl.DateTimeFormat, { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }), timeZone }).format(at);
export const moment = (at, timeZone) =>
  format(Intl.DateTimeFormat, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone }).format(at);
export const longMoment = (at, timeZone) => format(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "short", timeZone }).format(at);
export const weekday = (at, timeZone) => format(Intl.DateTimeFormat, { weekday: "short", timeZone }).format(at);

const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];

/** How long ago, in the language's short form. */
export function age(at, now = Date.now()) {
  let amount = (now - at) / 1000;
  if (amount < 10 && amount > -60) return word("now");
  const sign = amount < 0 ? 1 : -1;
  amount = Math.abs(amount);
  for (const [unit, size] of STEPS) {
    if (amount < size) return format(Intl.RelativeTimeFormat, { style: "short" }).format(sign * Math.floor(amount), unit);
    amount /= size;
  }
  return "";
}
